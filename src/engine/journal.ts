/**
 * The journal of a set that is being written: after every volume that is at the target, one line says how long the
 * partial files in the archive cache were by then and where in the source the volume ends. A run that broke off is
 * continued from a line whose truth still holds; what the files have beyond it is cut off. The first line says which
 * set it is. A line that a power cut tore ends the journal.
 */

import type { Piece } from '../catalog/catalog.ts';
import { cacheName, type Prefixes, type SetId } from '../manifest/names.ts';
import type { EnvelopeForm } from '../volumes/envelope.ts';
import type { OpenFile, Place } from './batch.ts';
import type { Counts } from './counts.ts';

/** Raised whenever the packer would make other members or records of the same source: then no set is continued. */
const JOURNAL_VERSION = 1;

export interface JournalHeader {
  readonly set: SetId;
  readonly form: EnvelopeForm;
  readonly prefixes: Prefixes;
  readonly hostname: string;
  /** As `canonicalLocaldir` gives it. */
  readonly localdir: string;
}

/** What is true of a set at the end of a volume; sizes in bytes. */
export interface SetMark {
  /** The last member; `open` is the file in the middle of which it ends, if it does. */
  readonly end: Place;
  readonly open?: OpenFile | undefined;
  readonly counts: Readonly<Counts>;
  /** The partial sigtar: of the gzip file; of the tar bytes in it, and their CRC-32. */
  readonly signatures: { readonly size: number; readonly length: number; readonly crc: number };
  /** The sigtar's pieces since the mark before. */
  readonly pieces: readonly Piece[];
  readonly filelist: { readonly size: number; readonly lines: number };
  readonly fingerprints: { readonly size: number };
  /** Files of the volume of which only the beginning could be read. */
  readonly incomplete: readonly string[];
}

export interface Checkpoint {
  /** The volume that ends here, and its bytes as stored. */
  readonly volume: number;
  readonly size: number;
  /** Bytes of the partial manifest. */
  readonly manifest: number;
  readonly mark: SetMark;
}

export interface Journal {
  readonly header: JournalHeader;
  /** Of volumes 1, 2, … */
  readonly checkpoints: readonly Checkpoint[];
  /** Bytes of the first `count` checkpoints with the header. */
  sizeUpTo(count: number): number;
}

/** Names of a set's partial files in the archive cache. */
export function partialNames(set: SetId, prefixes: Prefixes) {
  const manifest = cacheName('manifest', set, 'final', prefixes);
  return {
    manifest,
    signatures: cacheName('signatures', set, 'final', prefixes),
    filelist: `${manifest}.filelist`,
    fingerprints: `${manifest}.fingerprints`,
    journal: `${manifest}${JOURNAL_SUFFIX}`,
  };
}

const JOURNAL_SUFFIX = '.journal';

export function isJournalName(name: string): boolean {
  return name.endsWith(JOURNAL_SUFFIX);
}

export function formatJournalHeader(header: JournalHeader): Buffer {
  return lineOf({ journal: JOURNAL_VERSION, ...header });
}

export function formatCheckpoint(checkpoint: Checkpoint): Buffer {
  return lineOf(checkpoint);
}

function lineOf(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

/** @returns undefined if the text is no journal of this version of ours */
export function parseJournal(text: Buffer): Journal | undefined {
  const ends: number[] = [];
  const values: unknown[] = [];
  for (let at = 0, end = text.indexOf(0x0a); end >= 0; at = end + 1, end = text.indexOf(0x0a, at)) {
    const value = jsonOf(text.subarray(at, end));
    if (value === undefined) break;
    values.push(value);
    ends.push(end + 1);
  }
  const header = values[0] as (JournalHeader & { journal?: unknown }) | undefined;
  if (header?.journal !== JOURNAL_VERSION) return undefined;
  const { journal: _, ...rest } = header;
  const checkpoints = values.slice(1) as Checkpoint[];
  const torn = checkpoints.findIndex(({ volume }, index) => volume !== index + 1);
  return {
    header: rest,
    checkpoints: torn < 0 ? checkpoints : checkpoints.slice(0, torn),
    sizeUpTo: count => ends[count]!,
  };
}

function jsonOf(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch {
    return undefined;
  }
}
