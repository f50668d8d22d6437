/**
 * Inflates our own volumes faster: their deflate stream is made of independent segments (see createDeflater), each
 * ending in a sync marker on a byte boundary. From a boundary that is sure, stored blocks are walked by hand, and what
 * lies up to a later marker is inflated beside other such pieces, on libuv's threads.
 *
 * What comes out never depends on luck. The bytes of a marker may occur anywhere, so a piece's end is believed only if
 * zlib, fed a probe behind it, says that it stood between two blocks; and a piece counts only once the one before does.
 * On any doubt one engine goes on alone from the last sure boundary, with the window that it would have had.
 */

import { createInflateRaw } from 'node:zlib';
import { BackupError } from '../errors.ts';
import type { Chunks } from '../streams.ts';
import { deflateEnd, segmentEnd } from './deflate.ts';
import { inflate } from './inflate.ts';

/** How our messages begin: a stored block of seven bytes, a literal packet of open length, binary, without name. */
const OUR_START = Buffer.from('000700f8ff' + 'af6200', 'hex');
const MARKER = Buffer.from(segmentEnd);
/** The byte before it ends in the block's header, which is all zeros. */
const HEADER_BITS = 0xe0;

const WINDOW = 32 * 1024;
/** Compressed bytes that are worth a call; a piece may have as many as this more. */
const PIECE = 128 * 1024;
/** Without a marker for so long, the segments are not ours. */
const MAX_HELD = 1024 * 1024;
const MAX_SEGMENTS = 2;
/** More than that many segments of ours hold. */
const MAX_OUTPUT = 4 * 1024 * 1024;
/** Two usual segments of ours, and the probe: each further buffer is another call. */
const OUTPUT_PIECE = 1200 * 1024;
const WIDTH = 3;
/** Where chunks are joined. */
const SLAB = 512 * 1024;
/** Of a stored block (RFC 1951 §3.2.4), when it begins on a byte boundary. */
const STORED_HEADER = 5;

/** A part of the stream between two boundaries. */
interface Piece {
  readonly compressed: Uint8Array;
  /** Undefined if it is in doubt. */
  readonly plain: Promise<readonly Uint8Array[] | undefined>;
}

/**
 * Inflates a raw deflate stream to its end, exactly as `inflate(source, 'raw')` does.
 * @param source must give its chunks
 * @returns chunks to keep, but not to change
 * @throws BackupError `damaged`, and what the source throws
 */
export async function* inflatePieces(source: Chunks): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = source[Symbol.asyncIterator]();
  const held = createJoined();
  let isAtEnd = false;
  const more = async () => {
    const next = await chunks.next();
    if (next.done) isAtEnd = true;
    else held.add(next.value);
  };

  const window = createWindow();
  const underway: Piece[] = [];
  /** Waits for the oldest piece; false if it is in doubt and remains. */
  async function* settle(): AsyncGenerator<Uint8Array, boolean, undefined> {
    const plain = await underway[0]!.plain;
    if (!plain) return false;
    underway.shift();
    for (const chunk of plain) {
      window.push(chunk);
      yield chunk;
    }
    return true;
  }

  try {
    while (held.bytes().length < OUR_START.length && !isAtEnd) await more();
    let isSure = OUR_START.equals(held.bytes().subarray(0, OUR_START.length));
    let storedLeft = 0; // of the content of a stored block under way
    let search = newSearch();
    while (isSure && !isAtEnd) {
      const bytes = held.bytes();
      const stored = walkStoredBlocks(bytes, storedLeft);
      const length = stored.length > 0 ? stored.length : segmentsLength(bytes, search);
      if (length === 0) {
        if (bytes.length > MAX_HELD) break;
        await more();
        continue;
      }
      const compressed = held.take(length);
      search = newSearch();
      storedLeft = stored.left;
      const plain = stored.length > 0 ? Promise.resolve(stored.contents) : inflatePiece(compressed);
      underway.push({ compressed, plain });
      while (isSure && (underway.length >= WIDTH || (stored.length > 0 && underway.length === 1)))
        isSure = yield* settle();
    }
    while (isSure && underway.length > 0) isSure = yield* settle();
    if (isSure && storedLeft > 0) throw new BackupError('damaged', 'Compressed data is cut short.');
    const rest = [...underway.map(({ compressed }) => compressed), held.bytes()];
    yield* inflate(joined(rest, chunks), 'raw', { dictionary: window.bytes() });
  } finally {
    await Promise.all(underway.map(({ plain }) => plain)); // nothing keeps running behind the caller's back
    await chunks.return?.();
  }
}

async function* joined(
  first: readonly Uint8Array[],
  others: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* first;
  for (let next = await others.next(); !next.done; next = await others.next()) yield next.value;
}

/** Bytes in one array: a chunk as it came, or several that were copied behind each other, each byte hardly ever twice. */
function createJoined() {
  let bytes: Uint8Array = new Uint8Array(0);
  let isInSlab = false;
  let slab = Buffer.alloc(0);
  let used = 0; // of the slab, of which nothing is used again
  return {
    bytes: () => bytes,
    add(chunk: Uint8Array) {
      if (bytes.length === 0) {
        bytes = chunk;
        isInSlab = false;
        return;
      }
      const length = bytes.length + chunk.length;
      if (!isInSlab || used + chunk.length > slab.length) {
        if (used + length > slab.length) {
          slab = Buffer.allocUnsafeSlow(Math.max(SLAB, length));
          used = 0;
        }
        slab.set(bytes, used);
        used += bytes.length;
        isInSlab = true;
      }
      slab.set(chunk, used);
      used += chunk.length;
      bytes = slab.subarray(used - length, used);
    },
    take(length: number): Uint8Array {
      const taken = bytes.subarray(0, length);
      bytes = bytes.subarray(length);
      return taken;
    },
  };
}

/** The last 32 KiB that were given out. */
function createWindow() {
  let last: Uint8Array[] = [];
  let length = 0;
  return {
    push(chunk: Uint8Array) {
      last = chunk.length >= WINDOW ? [chunk] : [...last, chunk];
      length = chunk.length >= WINDOW ? chunk.length : length + chunk.length;
      while (length - last[0]!.length >= WINDOW) length -= last.shift()!.length;
    },
    bytes: () => Buffer.concat(last).subarray(-WINDOW),
  };
}

/** Where a stored block of ours begins at `at`, the length of its content (RFC 1951 §3.2.4); else -1. */
function storedLength(bytes: Uint8Array, at: number): number {
  if (at + STORED_HEADER > bytes.length || bytes[at] !== 0) return -1;
  const length = bytes[at + 1]! | (bytes[at + 2]! << 8);
  const complement = bytes[at + 3]! | (bytes[at + 4]! << 8);
  return (length ^ complement) === 0xffff ? length : -1;
}

/**
 * The stored blocks at the beginning of `bytes`, of which the last one may go on behind them.
 * @param left of a block that has begun before
 * @returns how long they are together, what they hold, and how much of the last one's content is still to come
 */
function walkStoredBlocks(
  bytes: Uint8Array,
  left: number,
): { length: number; contents: Uint8Array[]; left: number } {
  const contents: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const end = Math.min(bytes.length, at + left);
    if (end > at) contents.push(bytes.subarray(at, end));
    left -= end - at;
    at = end;
    const length = left > 0 ? -1 : storedLength(bytes, at);
    if (length < 0) return { length: at, contents, left };
    at += STORED_HEADER;
    left = length;
  }
}

/** How far bytes have been searched for segments, for when more of them are there. */
interface Search {
  from: number;
  /** Of the last segment that was found. */
  end: number;
  segments: number;
}

const newSearch = (): Search => ({ from: 1, end: 0, segments: 0 });

/** How far the first segments reach that are worth a call, as far as one can tell; 0 if more bytes are wanted. */
function segmentsLength(held: Uint8Array, search: Search): number {
  if (held.length < STORED_HEADER || storedLength(held, 0) >= 0) return 0;
  const bytes = Buffer.from(held.buffer, held.byteOffset, held.length);
  for (;;) {
    const at = bytes.indexOf(MARKER, search.from);
    if (at < 0) break;
    const end = at + MARKER.length;
    if (end + STORED_HEADER > bytes.length) return 0; // what begins there is yet to be seen
    search.from = at + 1;
    if (bytes[at - 1]! & HEADER_BITS) continue;
    search.end = end;
    if (++search.segments === MAX_SEGMENTS || end >= PIECE || storedLength(bytes, end) >= 0) return end;
  }
  search.from = Math.max(search.from, bytes.length - MARKER.length + 1);
  return bytes.length >= 2 * PIECE ? search.end : 0;
}

/**
 * A stored block and a final one, whose bytes tell where zlib stood before them. Between two blocks the content comes
 * out, and the stream ends with the last byte. Anywhere else it does not. What begins inside them is no block, as the
 * bits are those of a kind that there is not or of two lengths that contradict each other, or it ends too early. A
 * block of literals and matches finds ones, which are its end code at once or never; and no header of a block is as
 * long as these. A stored block that ends right behind the content is seen by what came out before it.
 */
const PROBE_HEADER = Buffer.from('f80606f9f9', 'hex');
const PROBE_CONTENT = Buffer.alloc(0x0606, 0xff).fill(0, 1024, 1040);
/** For the test that looks at each of its bits. */
export const PROBE: Uint8Array = Buffer.concat([PROBE_HEADER, PROBE_CONTENT, deflateEnd]);
/** What zlib leaves of it tells that the stream has ended. */
const BEHIND = Uint8Array.of(0);

/** One call to zlib, probe included: each wakes two threads, which takes as long as inflating some KiB. */
function inflatePiece(compressed: Uint8Array): Promise<readonly Uint8Array[] | undefined> {
  const input = Buffer.concat([compressed, PROBE, BEHIND]);
  const engine = createInflateRaw({ chunkSize: OUTPUT_PIECE });
  const parts: Uint8Array[] = [];
  let total = 0;
  return new Promise(resolve => {
    engine.on('data', (part: Uint8Array) => {
      parts.push(part);
      total += part.length;
      if (total > MAX_OUTPUT) engine.destroy();
    });
    engine.on('error', () => {}); // who asked falls back to an engine that reports it
    engine.on('close', () => resolve(undefined));
    engine.write(input, () => {
      const hasEnded = engine.bytesWritten === input.length - BEHIND.length;
      resolve(hasEnded && engine.readableLength === 0 ? withoutProbe(parts) : undefined);
      engine.destroy();
    });
  });
}

/** What came out before the probe's content; undefined if there is something else at the end. */
function withoutProbe(parts: readonly Uint8Array[]): readonly Uint8Array[] | undefined {
  const end = parts.at(-1) ?? new Uint8Array(0);
  const holdsAll = end.length >= PROBE_HEADER.length + PROBE_CONTENT.length;
  const [before, last] = holdsAll ? [parts.slice(0, -1), end] : [[], Buffer.concat(parts)];
  const plain = last.subarray(0, -PROBE_CONTENT.length);
  if (!PROBE_CONTENT.equals(last.subarray(plain.length))) return undefined;
  if (PROBE_HEADER.equals(plain.subarray(-PROBE_HEADER.length))) return undefined;
  return [...before, plain];
}
