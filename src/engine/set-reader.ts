/**
 * One backup set as a sequence of pieces in path order, read from its volumes. A volume that is missing or damaged
 * costs only what it held: what the sigtar says was in it comes as pieces of kind `lost` (or as what it was, where the
 * sigtar alone tells it: folders, links, deletions), so that the replay knows exactly what it cannot give back.
 */

import { comparePaths } from '../bytes.ts';
import type { Attributes } from '../entry.ts';
import { BackupError } from '../errors.ts';
import type { VolumeEntry } from '../manifest/manifest.ts';
import type { Chunks } from '../streams.ts';
import { createDifftarReader, type DifftarEntry } from '../volumes/difftar.ts';
import type { SigtarRecord } from '../volumes/sigtar.ts';
import { PART_SIZE } from './batch-builder.ts';
import { tidy } from './tidy.ts';

/** An entry as a set has it. `lost`: it was stored in the set, but its volume can't be read. */
export interface SetEntry {
  readonly path: string;
  readonly kind: 'snapshot' | 'diff' | 'deleted' | 'lost';
  readonly attributes: Attributes;
  /** Whether only the beginning of the file is in the archive, because the rest could not be read. */
  readonly cutShort: boolean;
}

export type Piece =
  | { readonly type: 'begin'; readonly entry: SetEntry }
  | { readonly type: 'data'; readonly bytes: Uint8Array }
  /** `complete` is false where a gap cut the entry: its content must not be used. */
  | { readonly type: 'finish'; readonly complete: boolean };

export interface SetReaderOptions {
  /** Volumes to read, ascending. */
  readonly volumes: readonly VolumeEntry[];
  /** False where there may have been more volumes than these, and nobody knows. */
  readonly isEndKnown: boolean;
  /** Paths of which the set has only the beginning. */
  readonly incomplete: ReadonlySet<string>;
  /** The tar bytes of a volume, whose stored form was checked before the first one is given. */
  open(volume: VolumeEntry): Promise<Chunks>;
  /** What the set's sigtar says, in path order; asked for only when a volume is lost. */
  records(): AsyncIterable<readonly SigtarRecord[]>;
  /** Told of each volume that was read to its end, with the first and last path that it has. */
  onRead?(volume: VolumeEntry, held: { readonly first: string; readonly last: string } | undefined): void;
  /** Told of each volume that can't be read, with the reason. */
  onLost(volume: VolumeEntry, error: BackupError): void;
}

/**
 * Pieces in batches; data are lent until the next batch is asked for.
 * @throws BackupError only for what is not a fault of one volume (a wrong passphrase, an unreachable target)
 */
export async function* readSet(options: SetReaderOptions): AsyncGenerator<readonly Piece[], void, undefined> {
  let pieces: Piece[] = [];
  let lastPath: string | undefined;
  /** Where a gap began: the last path that came before it, or null at the very beginning. */
  let gapAfter: string | null | undefined;
  let cut = false; // the entry under way has lost a part
  let isRest = false; // it is what comes of an entry after a gap, of which was told before that
  let length = 0; // of the entry under way
  let firstPath: string | undefined; // in the volume under way, unless it only goes on with the one before

  const reader = createDifftarReader({
    begin(entry: DifftarEntry) {
      isRest = entry.continuation && entry.path === lastPath;
      if (isRest) return;
      lastPath = entry.path;
      firstPath ??= entry.path;
      cut = entry.continuation;
      length = 0;
      const { path, attributes } = entry;
      const kind = entry.continuation ? 'lost' : entry.kind;
      pieces.push({
        type: 'begin',
        entry: { path, kind, attributes, cutShort: options.incomplete.has(path) },
      });
    },
    data(bytes: Uint8Array) {
      length += bytes.length;
      if (!isRest) pieces.push({ type: 'data', bytes });
    },
    finish(complete: boolean) {
      if (!isRest) pieces.push({ type: 'finish', complete: complete && !cut });
    },
  });
  let slice = SLICE;
  const flush = () => {
    const full = pieces;
    pieces = [];
    return full;
  };

  for (const volume of options.volumes) {
    try {
      const chunks = await options.open(volume);
      reader.startVolume();
      firstPath = undefined;
      for await (const chunk of inSlices(chunks, () => slice)) {
        reader.push(chunk);
        if (pieces.length > MANY) slice = SLICE;
        else if (pieces.length < MANY / 2) slice = Math.min(2 * slice, LARGEST_SLICE);
        if (gapAfter !== undefined && pieces.length > 0) {
          const first = pieces.find(piece => piece.type === 'begin');
          if (first) {
            yield* lostBetween(options, gapAfter, first.entry.path);
            gapAfter = undefined;
          }
        }
        const passed = 2 * chunk.length + pieces.length * PIECE_GARBAGE; // decrypted, inflated
        if (pieces.length > 0) yield flush();
        tidy(passed);
      }
      reader.endVolume();
      options.onRead?.(volume, firstPath === undefined ? undefined : { first: firstPath, last: lastPath! });
    } catch (error) {
      if (!isFaultOfVolume(error)) throw error;
      options.onLost(volume, error);
      reader.skipVolumes();
      gapAfter ??= lastPath ?? null;
    }
    if (pieces.length > 0) yield flush();
  }
  // A last file that ends with a full part may have gone on in a volume that is gone.
  if (!options.isEndKnown && length > 0 && length % PART_SIZE === 0) reader.skipVolumes();
  reader.end();
  if (pieces.length > 0) yield flush();
  if (!options.isEndKnown) yield* lostBetween(options, gapAfter ?? lastPath ?? null, undefined);
  else if (gapAfter !== undefined) {
    yield* lostBetween(options, gapAfter, undefined, options.volumes.at(-1)?.end.path);
  }
}

/** The smallest. */
const SLICE = 64 * 1024;
const LARGEST_SLICE = 1024 * 1024;
/** A guess, bytes of the heap: where files are tiny there is more of it than of buffers, and the heap grows with it. */
const PIECE_GARBAGE = 1000;
/** Pieces of a slice are alive at once: of more, the young generation's collections copy many again and again. */
const MANY = 32;

async function* inSlices(chunks: Chunks, size: () => number): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const end = at + size();
      yield chunk.subarray(at, end);
      at = end;
    }
  }
}

const faultsOfVolume: ReadonlySet<string> = new Set([
  'volume-damaged',
  'volume-missing',
  'damaged',
  'wrong-signature',
  'unsupported',
]);

function isFaultOfVolume(error: unknown): error is BackupError {
  return error instanceof BackupError && faultsOfVolume.has(error.code);
}

/** What the sigtar has between two paths (both exclusive; up to `last` inclusive where there is no next one). */
async function* lostBetween(
  options: SetReaderOptions,
  after: string | null,
  before: string | undefined,
  last?: string,
): AsyncGenerator<readonly Piece[], void, undefined> {
  for await (const records of options.records()) {
    const pieces: Piece[] = [];
    for (const { path, kind, attributes } of records) {
      if (after !== null && comparePaths(path, after) <= 0) continue;
      if (before !== undefined && comparePaths(path, before) >= 0) break;
      if (before === undefined && last !== undefined && comparePaths(path, last) > 0) break;
      const entry = {
        path,
        kind: kind === 'signature' ? ('lost' as const) : kind,
        attributes,
        cutShort: false,
      };
      pieces.push({ type: 'begin', entry });
      pieces.push({ type: 'finish', complete: true });
    }
    if (pieces.length > 0) yield pieces;
  }
}
