/**
 * The journal of a set that is being written: after every volume that is at the target, one line says how long the
 * partial files in the archive cache were by then and where in the source the volume ends. A run that broke off is
 * continued from a line whose truth still holds; what the files have beyond it is cut off. The first line says which
 * set it is. Each line ends with its own checksum, and knows those of the files: one that is torn or damaged ends the
 * journal, and so does one whose files are not what they were.
 */

import { crc32 } from 'node:zlib';
import type { ArchiveCache, Extent } from '../cache/archive-cache.ts';
import type { Piece } from '../catalog/versions.ts';
import { cacheName, type Prefixes, type SetId } from '../manifest/names.ts';
import type { EnvelopeForm } from '../volumes/envelope.ts';
import type { OpenFile, Place } from './batch.ts';
import type { Counts } from './counts.ts';

/** Raised whenever the packer would make other members or records of the same source: then no set is continued. */
const JOURNAL_VERSION = 2;

/** Fingerprints of the public keys that objects are sealed for, sorted, none: with a passphrase; and of who signs them. */
export interface KeysOfSet {
  readonly recipients: readonly string[];
  readonly signer?: string | undefined;
}

export interface JournalHeader {
  readonly set: SetId;
  readonly form: EnvelopeForm;
  readonly prefixes: Prefixes;
  readonly hostname: string;
  /** As `canonicalLocaldir` gives it. */
  readonly localdir: string;
  /** Absent in journals of earlier versions. */
  readonly keys?: KeysOfSet;
}

/** What is true of a set at the end of a volume; sizes in bytes. */
export interface SetMark {
  /** The last member; `open` is the file in the middle of which it ends, if it does. */
  readonly end: Place;
  readonly open?: OpenFile | undefined;
  readonly counts: Readonly<Counts>;
  /** The partial sigtar: the gzip file; length and CRC-32 of the tar bytes in it. */
  readonly signatures: { readonly file: Extent; readonly length: number; readonly crc: number };
  /** The sigtar's pieces since the mark before. */
  readonly pieces: readonly Piece[];
  readonly filelist: { readonly file: Extent; readonly lines: number };
  readonly fingerprints: { readonly file: Extent };
  /** Files of the volume of which only the beginning could be read. */
  readonly incomplete: readonly string[];
}

export interface Checkpoint {
  /** The volume that ends here, and its bytes as stored. */
  readonly volume: number;
  readonly size: number;
  /** The partial manifest. */
  readonly manifest: Extent;
  readonly mark: SetMark;
}

export interface Journal {
  readonly header: JournalHeader;
  /** Of volumes 1, 2, … */
  readonly checkpoints: readonly Checkpoint[];
  /** The lines of the first `count` checkpoints with the header. */
  extentOf(count: number): Extent;
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
  const text = JSON.stringify(value);
  return Buffer.from(`${text} ${sumOf(text)}\n`);
}

function sumOf(line: string | Uint8Array): string {
  return crc32(line).toString(16).padStart(SUM_LENGTH, '0');
}

const SUM_LENGTH = 8;

/** @returns undefined if the text is no journal of this version of ours */
export function parseJournal(text: Buffer): Journal | undefined {
  const extents: Extent[] = [];
  const values: unknown[] = [];
  for (let at = 0, end = text.indexOf(0x0a); end >= 0; at = end + 1, end = text.indexOf(0x0a, at)) {
    const value = parseLine(text.subarray(at, end));
    if (value === undefined) break;
    values.push(value);
    extents.push({ size: end + 1, crc: crc32(text.subarray(at, end + 1), extents.at(-1)?.crc ?? 0) });
  }
  const header = values[0] as (JournalHeader & { journal?: unknown }) | undefined;
  if (header?.journal !== JOURNAL_VERSION) return undefined;
  const { journal: _, ...rest } = header;
  const checkpoints = values.slice(1) as Checkpoint[];
  const torn = checkpoints.findIndex(({ volume }, index) => volume !== index + 1);
  return {
    header: rest,
    checkpoints: torn < 0 ? checkpoints : checkpoints.slice(0, torn),
    extentOf: count => extents[count]!,
  };
}

function parseLine(line: Buffer): unknown {
  const json = line.subarray(0, -SUM_LENGTH - 1);
  if (line.subarray(json.length).toString() !== ` ${sumOf(json)}`) return undefined;
  return JSON.parse(json.toString());
}

/** Of the volumes at the target. */
export function storedBytes(journal: Journal | undefined): number {
  return (journal?.checkpoints ?? []).reduce((sum, { size }) => sum + size, 0);
}

/** How many checkpoints are true of the partial files, as these are by now. Reads them. */
export async function countTrue(journal: Journal, cache: ArchiveCache): Promise<number> {
  const { header, checkpoints } = journal;
  const names = partialNames(header.set, header.prefixes);
  const left = await cache.listPartial();
  let count = checkpoints.length;
  for (const kind of ['manifest', 'signatures', 'filelist', 'fingerprints'] as const) {
    const extents = checkpoints.map(({ manifest, mark }) =>
      kind === 'manifest' ? manifest : mark[kind].file,
    );
    const chunks = left.includes(names[kind]) ? cache.readPartial(names[kind]) : [];
    count = Math.min(count, await countBeginnings(chunks, extents));
  }
  return count;
}

/** @param extents ascending @returns how many of them are beginnings of what comes */
async function countBeginnings(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  extents: readonly Extent[],
): Promise<number> {
  let size = 0;
  let crc = 0;
  let count = 0;
  const check = () => {
    while (extents[count]?.size === size && extents[count]!.crc === crc) count++;
  };
  check();
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const next = extents[count];
      if (!next || next.size === size) return count; // that is all, or it ends here and is not the same
      const part = chunk.subarray(at, at + next.size - size);
      size += part.length;
      crc = crc32(part, crc);
      at += part.length;
      check();
    }
  }
  return count;
}
