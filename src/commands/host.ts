/**
 * What a command needs of the outside world: handed in by `cli.ts`, so that every byte that we write can be pinned by
 * a test, and no command reaches for the clock, for chance or for the terminal by itself.
 */

import type { PackerOptions } from '../engine/packing.ts';
import type { GpgOptions } from '../keys/gpg.ts';
import type { Prefixes } from '../manifest/names.ts';
import type { Item, Report, Reporter } from '../report.ts';
import type { S3Options } from '../storage/s3-options.ts';
import type { Watchdog } from './watchdog.ts';

export interface Host {
  /** Seconds since 1970, with fraction. */
  now(): number;
  /** Waits; used where two sets would get the same second. */
  sleep(ms: number): Promise<void>;
  /**
   * The same in the midst of synchronous work: nothing else goes on, and until that is over a signal ends the process
   * at once.
   */
  pause(ms: number): void;
  random(size: number): Uint8Array;
  hostname(): string;
  readonly reporter: Reporter;
  /**
   * Writes a result (listing, status, statistics) to standard output: the text for people, or the items for programs,
   * whichever the user wants. Resolves when more may be written.
   */
  print(text: string | (() => Uint8Array), items: () => readonly Item[]): Promise<void>;
  /** The passphrase's bytes; `confirm` asks twice if it has to be typed. */
  passphrase(confirm: boolean): Promise<Uint8Array>;
  /** Of the key that signs: often the same. */
  signPassphrase(): Promise<Uint8Array>;
  readonly watchdog: Watchdog;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP, and by the watchdog. */
  readonly signal: AbortSignal;
  /** Aborted by the signals alone: a run that the watchdog ends has time for what comes after it. */
  readonly interrupted: AbortSignal;
  /** Processors that may be used. */
  readonly cores: number;
}

/** What a packer needs of a host. While it waits for a source that is away the watchdog lets it be. */
export function packerOptions(host: Host): PackerOptions {
  const { cores, pause, signal, reporter, watchdog } = host;
  const ownThread = cores > 1;
  let resume = () => {};
  const report = (event: Report) => {
    if (event.code === 'source-away') {
      resume(); // of a wait that ended otherwise
      resume = watchdog.pause();
      if (!ownThread) pause(0); // so that a signal that follows on the message ends the wait
    }
    if (event.code === 'source-back') resume();
    reporter.report(event);
  };
  return { ownThread, readsAhead: cores > 1, slabs: batchesAtOnce(host) + 2, pause, signal, report };
}

/** So many are deflated or sealed side by side; two more are being filled or wait. */
export function batchesAtOnce({ cores }: Host): number {
  return cores + 2;
}

/** Keys as the user named them; see keys/keys.ts. */
export interface KeyChoice {
  readonly encryptKeys: readonly string[];
  readonly hiddenEncryptKeys: readonly string[];
  readonly signKey?: string | undefined;
  readonly secretKeyFiles: readonly string[];
  readonly useAgent: boolean;
  /** How gpg is called where it has to be asked. */
  readonly gpg: GpgOptions;
  /** OpenPGP's id of the hash in signatures. */
  readonly hash?: number | undefined;
  /** Octets that are hashed to make a key of a passphrase; undefined: as many as there can be. */
  readonly s2kCount?: number | undefined;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly archiveDir: string;
  readonly name?: string | undefined;
  readonly tempdir: string;
  /** What stands before the names of objects, in all or of a kind. */
  readonly prefixes?: Prefixes | undefined;
  readonly s3?: S3Options | undefined;
  /** Absent if the user named none; gpg's keyring may still have what opens an archive. */
  readonly keys?: KeyChoice | undefined;
}
