/**
 * One raw deflate stream (RFC 1951) made from chunks that are deflated side by side on libuv's threads.
 *
 * Every chunk becomes a *segment* that ends on a byte boundary and holds no final block, so segments joined in push
 * order and closed by `deflateEnd` are one valid stream. gzip and OpenPGP frame the same segments. What was pushed
 * before serves as dictionary, which is what keeps the size close to that of one long run; without it each segment
 * can be inflated on its own. Chunks that would not shrink are written as stored blocks right here.
 */

import { constants, crc32, createDeflateRaw, type DeflateRaw, deflateRaw, inflateRawSync } from 'node:zlib';
import type { Allocate } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import { isIncompressible } from './incompressible.ts';

const WINDOW = 32 * 1024;
const MAX_STORED = 0xffff;
/** Deflated text fits into one piece; larger ones only made garbage (measured: 64 KiB is fastest at level 1). */
const OUTPUT_PIECE = 64 * 1024;

/** How a segment ends: in an empty stored block (RFC 1951 §3.2.4). Given to everybody: do not write into it. */
export const segmentEnd: Uint8Array = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/** The empty final block that ends a joined stream. Given to everybody: do not write into it. */
export const deflateEnd: Uint8Array = Uint8Array.of(0x03, 0x00);

export interface DeflateOptions {
  /** 0 (stored only) to 9, or `auto`: the cheapest way that is still as small as gpg's usual one. Default: auto. */
  readonly level?: number | 'auto';
  /** Asked for each chunk where the level is `auto`: whether it may take a multiple of the time, to become smaller. */
  readonly hasTime?: (() => boolean) | undefined;
  /** Whether a segment may refer to the 32 KiB before it; default true. */
  readonly dictionary?: boolean;
  /** Whether a CRC-32 is made, which only gzip needs; default true. */
  readonly summed?: boolean;
  /** CRC-32 and count of what is in the stream already, when one is continued. */
  readonly after?: { readonly crc: number; readonly length: number } | undefined;
  /** Where stored blocks are written; default: new memory. */
  readonly allocate?: Allocate | undefined;
}

/** How zlib is to work; a larger window finds more, and searches longer. */
interface Way {
  readonly windowBits: number;
  /** Of the chunks of a group, in turns: a mixture lies between two levels, in time as in size. */
  readonly levels: readonly number[];
}

/**
 * What `auto` chooses from. Sources and documents gain from a large window; logs and tables, whose repetitions are near
 * and many, become smaller and are done faster with a small one and a longer search. The cheaper levels among them come
 * to 4 % and 2 % more than there would be without.
 */
const ways: readonly [Way, Way] = [
  { windowBits: 15, levels: [4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 4] },
  { windowBits: 13, levels: [5, 5, 4] },
];

/** What `auto` does where there is time. */
const strongest: Setting = { windowBits: 15, level: 9 };

/** Chunks for which a part of the first one, deflated both ways, decides. */
const GROUP = 16;
const SAMPLE = 96 * 1024;

export interface Deflater {
  /** CRC-32 (if it is made) and count of all bytes pushed so far; they do not wait for segments in flight. */
  readonly crc: number;
  readonly length: number;
  /**
   * Deflates the next chunk; several may be in flight, and their order is that of the calls.
   * @param chunk any length; lent until the promise settles
   * @returns the chunk's segment, given
   * @throws BackupError `unsupported` where zlib does not give back what it was given
   */
  push(chunk: Uint8Array): Promise<Uint8Array>;
}

export function createDeflater(options: DeflateOptions = {}): Deflater {
  const { level = 'auto', hasTime, dictionary: linked = true, summed = true, allocate } = options;
  let { crc, length } = options.after ?? { crc: 0, length: 0 };
  let before: Uint8Array | undefined;
  let pushed = 0;
  let choice: Promise<Way> | undefined;

  const deflateAuto = async (chunk: Uint8Array, dictionary: Uint8Array | undefined) => {
    if (hasTime?.()) return deflateSegment(chunk, strongest, dictionary);
    const inGroup = pushed++ % GROUP;
    if (inGroup === 0) choice = chooseWay(chunk);
    const { windowBits, levels } = await choice!;
    return deflateSegment(chunk, { windowBits, level: levels[inGroup % levels.length]! }, dictionary);
  };

  return {
    get crc() {
      return crc;
    },
    get length() {
      return length;
    },
    async push(chunk) {
      if (chunk.length === 0) return chunk;
      if (summed) crc = crc32(chunk, crc);
      length += chunk.length;
      const dictionary = before;
      if (level === 0 || isIncompressible(chunk)) {
        before = undefined; // a dictionary of noise matches nothing
        return storeBlocks(chunk, allocate);
      }
      if (linked) before = lastWindow(dictionary, chunk);
      if (level === 'auto') return deflateAuto(chunk, dictionary);
      return deflateSegment(chunk, { level, windowBits: 15 }, dictionary);
    },
  };
}

async function chooseWay(chunk: Uint8Array): Promise<Way> {
  const from = Math.max(0, (chunk.length - SAMPLE) >> 1);
  const sample = chunk.subarray(from, from + SAMPLE);
  const [large, small] = await Promise.all(
    ways.map(({ windowBits, levels }) => deflateSegment(sample, { windowBits, level: levels[0]! })),
  );
  return small!.length < large!.length ? ways[1] : ways[0];
}

interface Setting {
  readonly windowBits: number;
  readonly level: number;
}

async function deflateSegment(
  chunk: Uint8Array,
  setting: Setting,
  dictionary?: Uint8Array,
): Promise<Uint8Array> {
  if (dictionary || chunk.length > POOLED_MAX) {
    const segment = await deflateOnce(chunk, setting, dictionary);
    checkEnd(segment);
    return segment;
  }
  const kind = kindOf(setting);
  const engine = kind.free.pop() ?? { zlib: createDeflateRaw({ ...setting, ...common, ...pooled }), uses: 0 };
  await new Promise<void>((resolve, reject) => {
    engine.zlib.write(chunk, error => (error ? reject(error) : resolve()));
  });
  const segment = allOf(engine.zlib);
  checkEnd(segment);
  if (kind.trials < TRIALS && engine.uses === kind.trials) {
    checkContent(segment, chunk);
    kind.trials++;
  }
  engine.uses++;
  engine.zlib.reset();
  kind.free.push(engine);
  return segment;
}

interface Engine {
  readonly zlib: DeflateRaw;
  uses: number;
}

/** Engines that do the same. */
interface Kind {
  /** Idle ones: setting one up takes as long as deflating 50 KiB. */
  readonly free: Engine[];
  trials: number;
}

const kinds = new Map<string, Kind>();

function kindOf({ level, windowBits }: Setting): Kind {
  const name = `${level} ${windowBits}`;
  const kind = kinds.get(name) ?? { free: [], trials: 0 };
  kinds.set(name, kind);
  return kind;
}

/** What zlib has made; some versions of Node.js give it in pieces. */
function allOf(zlib: DeflateRaw): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let piece = zlib.read(); piece !== null; piece = zlib.read()) pieces.push(piece);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

/** What a new engine makes, and what one makes after a reset, is inflated again before a kind is believed. */
const TRIALS = 2;

function checkContent(segment: Uint8Array, chunk: Uint8Array): void {
  let plain: Uint8Array;
  try {
    plain = inflateSegments(segment, chunk.length);
  } catch (cause) {
    throw badZlib(cause);
  }
  if (Buffer.compare(plain, chunk) !== 0) throw badZlib();
}

function checkEnd(segment: Uint8Array): void {
  if (Buffer.compare(segment.subarray(-segmentEnd.length), segmentEnd) !== 0) throw badZlib();
}

/** A version of Node.js that comes after us may do what we do not expect: better no backup than a bad one. */
function badZlib(cause?: unknown): BackupError {
  const message =
    'This version of Node.js does not compress as it should, so nothing can be backed up with it. Use another one.';
  return new BackupError('unsupported', message, {}, { cause });
}

/** Larger chunks are few. */
const POOLED_MAX = 1024 * 1024;
/** An engine keeps all that it makes of a chunk until it is done. */
const pooled = { flush: constants.Z_SYNC_FLUSH, highWaterMark: 2 * POOLED_MAX };

const common = { memLevel: 9, chunkSize: OUTPUT_PIECE };

function deflateOnce(chunk: Uint8Array, setting: Setting, dictionary?: Uint8Array): Promise<Uint8Array> {
  const options = { ...setting, ...common, finishFlush: constants.Z_SYNC_FLUSH };
  return new Promise((resolve, reject) => {
    deflateRaw(chunk, { ...options, ...(dictionary && { dictionary }) }, (error, segment) =>
      error ? reject(error) : resolve(segment),
    );
  });
}

/** A copy of the last 32 KiB of `before` and `chunk` together. */
function lastWindow(before: Uint8Array | undefined, chunk: Uint8Array): Uint8Array {
  const fresh = chunk.subarray(-WINDOW);
  const missing = WINDOW - fresh.length;
  return before && missing > 0 ? Buffer.concat([before.subarray(-missing), fresh]) : Uint8Array.from(fresh);
}

/**
 * Bytes as non-final stored blocks: header byte 0, LEN and its complement, content (RFC 1951 §3.2.4).
 * @param bytes lent, copied
 * @returns given; must begin on a byte boundary of the stream, and ends on one
 */
export function storedBlocks(bytes: Uint8Array): Uint8Array {
  return storeBlocks(bytes);
}

function storeBlocks(bytes: Uint8Array, allocate: Allocate = Buffer.allocUnsafeSlow): Uint8Array {
  const blocks = Math.ceil(bytes.length / MAX_STORED);
  const out = allocate(bytes.length + 5 * blocks);
  let at = 0;
  for (let from = 0; from < bytes.length; from += MAX_STORED) {
    const part = bytes.subarray(from, from + MAX_STORED);
    out[at] = 0;
    out.writeUInt16LE(part.length, at + 1);
    out.writeUInt16LE(part.length ^ MAX_STORED, at + 3);
    out.set(part, at + 5);
    at += 5 + part.length;
  }
  return out;
}

/**
 * Inflates whole segments that were made without dictionary.
 * @param segments one or more of them joined; lent
 * @param maxLength the most that may come out
 * @returns given
 * @throws BackupError `damaged`
 */
export function inflateSegments(segments: Uint8Array, maxLength: number): Uint8Array {
  try {
    return inflateRawSync(segments, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: maxLength });
  } catch (cause) {
    throw new BackupError('damaged', 'Compressed data is damaged.', {}, { cause });
  }
}
