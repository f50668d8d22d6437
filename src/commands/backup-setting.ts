/** What the parts of a backup have in common: the request, and what the run knows beside it. */

import type { Counts } from '../engine/counts.ts';
import type { Journal } from '../engine/journal.ts';
import type { Packer } from '../engine/packing.ts';
import type { SelectionRule } from '../files/select-rules.ts';
import type { SourceRoot } from '../files/wake.ts';
import type { SetId } from '../manifest/names.ts';
import type { Openers } from '../volumes/openpgp-preface.ts';
import type { Archive } from './archive.ts';
import type { BackupMode, Base } from './backup-plan.ts';
import type { CommonOptions, Host } from './host.ts';

export interface BackupRequest extends CommonOptions {
  /** Bytes as a latin1 string, as the user gave it. */
  readonly source: string;
  /** What to take of it; everything if there are no rules. */
  readonly selection: readonly SelectionRule[];
  readonly url: string;
  /** `auto`: incremental if a chain can be continued, else full. */
  readonly mode: BackupMode;
  readonly fullIfOlderThan?: string | undefined;
  readonly fullIfIncrementals?: number | undefined;
  readonly allowSourceMismatch: boolean;
  /** Stores no set at all if it would be empty. */
  readonly skipIfNoChange: boolean;
  readonly encrypt: boolean;
  readonly compress: boolean;
  /** Of zlib, 0 to 9, or `auto`. */
  readonly level: number | 'auto';
  /** Bytes. */
  readonly volumeSize: number;
  readonly dryRun: boolean;
  /** Ends with 0 instead of 3 when some sources could not be read. */
  readonly sourceErrorsOk: boolean;
  readonly printStatistics: boolean;
  /** Tells of each path that is stored. */
  readonly tellEntries: boolean;
  /** Looks up the size of the source first, so that progress can be told. */
  readonly progress: boolean;
  /** Percent of the known entries that may be deleted by one incremental without `allowMassDelete`. */
  readonly maxDelete: number;
  readonly allowMassDelete: boolean;
  /** How long a source that is away is waited for, each time. */
  readonly sourceRetryForMs: number;
  /** Upper limit of the signature block length for files below 256 MiB; bytes. */
  readonly maxBlockLength: number;
}

export interface Setting {
  /** Bytes of the source, if somebody wants to see progress. */
  readonly bytesTotal: number | undefined;
  readonly request: BackupRequest;
  readonly host: Host;
  readonly archive: Archive;
  readonly root: SourceRoot;
  readonly packer: Packer;
  /** Another one, after the first has failed; to be closed by who asked for it. */
  readonly nextPacker: () => Packer;
  /**
   * Checks the passphrase, once: fails if it is not that of the sets that are there. It takes a while, which is best spent
   * when the packer is at work; nothing is stored or removed before.
   * @returns who opens the newest encrypted set, if there is one
   */
  checked(): Promise<Openers | undefined>;
}

/** The set to store, what it builds on, and what an interrupted run has stored of it. */
export interface Task {
  readonly set: SetId;
  readonly base: Base | undefined;
  readonly journal: Journal | undefined;
}

export interface Outcome {
  readonly counts: Readonly<Counts>;
  /** Bytes of the volumes at the target. */
  readonly stored: number;
}
