/**
 * Unpacks bzip2, which gpg writes when it is told `--compress-algo=bzip2`, as duply's profiles suggest. One block is
 * held at a time: at most 900,000 bytes before its runs are spread out, four bytes each.
 *
 * A block is run lengths → Burrows-Wheeler → move to front → Huffman codes; we go the other way. The CRC of each block
 * has to agree when the last of its bytes has come out.
 */

import { BackupError } from '../errors.ts';
import type { ByteSource } from './openpgp-packet.ts';

const OUTPUT_PIECE = 128 * 1024;
/** Of one block, above what its level says: tables, and codes of bytes that do not shrink. */
const BLOCK_OVERHEAD = 64 * 1024;
const BLOCK_MAGIC = [0x314159, 0x265359] as const;
const END_MAGIC = [0x177245, 0x385090] as const;
const GROUP = 50; // so many codes come from one table
const CODE_MAX = 20; // bits

/**
 * @param source read to its end; holds one bzip2 stream and nothing else
 * @param piece bytes that come out at once
 * @returns lent chunks
 * @throws BackupError `damaged` when data is broken, cut short, or followed by something else; what the source throws
 */
export async function* bunzip2(
  source: ByteSource,
  piece: number = OUTPUT_PIECE,
): AsyncGenerator<Uint8Array, void, undefined> {
  const header = await source.read(4);
  const level = header[3]! - 0x30;
  if (header.toString('latin1', 0, 3) !== 'BZh' || level < 1 || level > 9) throw damaged();
  const limit = level * 100_000;
  let bits = new Bits(new Uint8Array(0), 0);
  let all = 0; // CRC of the CRCs
  const out = new Uint8Array(piece);
  for (;;) {
    let block: Block;
    for (let want = limit + BLOCK_OVERHEAD; ; want *= 2) {
      const { bytes, isWhole } = await refill(source, bits, want);
      const start = bits.position & 7;
      bits = new Bits(bytes, start);
      try {
        block = readBlock(bits, limit);
        break;
      } catch (error) {
        if (error !== SHORT) throw error;
        if (isWhole) throw damaged();
        bits = new Bits(bytes, start);
      }
    }
    if (block.links.length === 0) {
      if (block.crc !== all) throw damaged();
      break;
    }
    const crc = yield* spread(block, out);
    if (crc !== block.crc) throw damaged();
    all = ((all << 1) | (all >>> 31)) ^ crc;
  }
  if (bits.rest().length > (bits.position & 7 ? 1 : 0) || (await source.fill())) throw damaged();
}

function damaged(): BackupError {
  return new BackupError('damaged', 'Compressed data is damaged or cut short.');
}

/** What `bits` has left, and more from the source until there are so many bytes. */
async function refill(
  source: ByteSource,
  bits: Bits,
  want: number,
): Promise<{ bytes: Uint8Array; isWhole: boolean }> {
  const parts = [bits.rest()];
  let length = parts[0]!.length;
  while (length < want) {
    if (!(await source.fill())) return { bytes: Buffer.concat(parts), isWhole: true };
    const span = Uint8Array.from(source.take(Number.POSITIVE_INFINITY));
    parts.push(span);
    length += span.length;
  }
  return { bytes: Buffer.concat(parts), isWhole: false };
}

/** Thrown where a block goes on behind the bytes at hand. */
const SHORT = Symbol('short');

class Bits {
  readonly #bytes: Uint8Array;
  /** Of the next bit. */
  position: number;

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes;
    this.position = position;
  }

  /** The next 20 bits; zeros behind the end. */
  peek(): number {
    return (this.#word() << (this.position & 7)) >>> 12;
  }

  skip(count: number): void {
    this.position += count;
    if (this.position > this.#bytes.length * 8) throw SHORT;
  }

  /** @param count at most 24 */
  read(count: number): number {
    const value = (this.#word() << (this.position & 7)) >>> (32 - count);
    this.skip(count);
    return value;
  }

  /** From the byte that holds the next bit. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.position >>> 3);
  }

  #word(): number {
    const bytes = this.#bytes;
    const at = this.position >>> 3;
    if (at + 4 <= bytes.length)
      return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    let word = 0;
    for (let i = 0; i < 4; i++) word = (word << 8) | (bytes[at + i] ?? 0);
    return word;
  }
}

/** Without links: the end of the stream, and the CRC is that of all. */
interface Block {
  readonly crc: number;
  /** A byte each, and above it (8 bits up) the place of the one that follows. */
  readonly links: Uint32Array;
  readonly first: number;
}

function readBlock(bits: Bits, limit: number): Block {
  const magic = [bits.read(24), bits.read(24)];
  const crc = (bits.read(16) << 16) | bits.read(16);
  if (magic[0] === END_MAGIC[0] && magic[1] === END_MAGIC[1])
    return { crc, links: new Uint32Array(0), first: 0 };
  if (magic[0] !== BLOCK_MAGIC[0] || magic[1] !== BLOCK_MAGIC[1]) throw damaged();
  if (bits.read(1) !== 0) throw damaged(); // bytes spoilt on purpose, which nobody has written since 1999
  const origin = bits.read(24);
  const order = readUsedBytes(bits);
  const codes = order.length + 2;
  const tables = bits.read(3);
  if (order.length === 0 || tables < 2 || tables > 6) throw damaged();
  const selectors = readSelectors(bits, tables);
  const huffman = Array.from({ length: tables }, () => readTable(bits, codes));

  const links = new Uint32Array(limit);
  const counts = new Uint32Array(256);
  let length = 0;
  let run = 0;
  let weight = 1;
  for (let n = 0; ; n++) {
    const table = huffman[selectors[Math.floor(n / GROUP)] ?? -1];
    if (!table) throw damaged();
    const code = readCode(bits, table);
    if (code <= 1) {
      run += weight << code; // digits 1 and 2 of a number with the base 2, the lowest first
      weight *= 2;
      if (run > limit) throw damaged();
      continue;
    }
    if (run > 0) {
      if (run > limit - length) throw damaged();
      links.fill(order[0]!, length, length + run);
      counts[order[0]!]! += run;
      length += run;
      run = 0;
      weight = 1;
    }
    if (code === codes - 1) break;
    if (length === limit) throw damaged();
    const byte = order[code - 1]!;
    order.copyWithin(1, 0, code - 1);
    order[0] = byte;
    links[length++] = byte;
    counts[byte]!++;
  }
  if (origin >= length) throw damaged();

  let before = 0;
  for (let byte = 0; byte < 256; byte++) {
    const count = counts[byte]!;
    counts[byte] = before;
    before += count;
  }
  for (let i = 0; i < length; i++) links[counts[links[i]! & 0xff]!++]! |= i << 8;
  return { crc, links: links.subarray(0, length), first: links[origin]! >>> 8 };
}

function readUsedBytes(bits: Bits): Uint8Array {
  const used: number[] = [];
  const rows = bits.read(16);
  for (let row = 0; row < 16; row++) {
    if (!((rows >> (15 - row)) & 1)) continue;
    const columns = bits.read(16);
    for (let column = 0; column < 16; column++)
      if ((columns >> (15 - column)) & 1) used.push(row * 16 + column);
  }
  return Uint8Array.from(used);
}

function readSelectors(bits: Bits, tables: number): Uint8Array {
  const selectors = new Uint8Array(bits.read(15));
  const order = Uint8Array.from({ length: tables }, (_, i) => i);
  for (let i = 0; i < selectors.length; i++) {
    let at = 0;
    while (bits.read(1)) if (++at === tables) throw damaged();
    const table = order[at]!;
    order.copyWithin(1, 0, at);
    order[0] = table;
    selectors[i] = table;
  }
  return selectors;
}

interface HuffmanTable {
  readonly shortest: number;
  /** By length: the first code, the code behind the last one, and where the first one's symbol stands. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly index: Int32Array;
  readonly symbols: Uint16Array;
}

function readTable(bits: Bits, codes: number): HuffmanTable {
  const lengths = new Uint8Array(codes);
  let length = bits.read(5);
  for (let code = 0; code < codes; code++) {
    for (;;) {
      if (length < 1 || length > CODE_MAX) throw damaged();
      if (!bits.read(1)) break;
      length += bits.read(1) ? -1 : 1;
    }
    lengths[code] = length;
  }
  const from = new Int32Array(CODE_MAX + 1);
  const to = new Int32Array(CODE_MAX + 1);
  const index = new Int32Array(CODE_MAX + 1);
  const symbols = new Uint16Array(codes);
  let next = 0;
  let placed = 0;
  for (let bitCount = 1; bitCount <= CODE_MAX; bitCount++) {
    from[bitCount] = next;
    index[bitCount] = placed;
    for (let code = 0; code < codes; code++) {
      if (lengths[code] !== bitCount) continue;
      symbols[placed++] = code;
      next++;
    }
    to[bitCount] = next;
    if (next > 2 ** bitCount) throw damaged();
    next *= 2;
  }
  return { shortest: Math.min(...lengths), from, to, index, symbols };
}

function readCode(bits: Bits, { shortest, from, to, index, symbols }: HuffmanTable): number {
  const ahead = bits.peek();
  for (let length = shortest; length <= CODE_MAX; length++) {
    const code = ahead >>> (CODE_MAX - length);
    if (code >= to[length]!) continue;
    bits.skip(length);
    return symbols[index[length]! + code - from[length]!]!;
  }
  bits.skip(CODE_MAX);
  throw damaged();
}

const crcTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

/** A block's bytes, each run of four followed by how often its byte comes again. @returns their CRC */
function* spread({ links, first }: Block, out: Uint8Array): Generator<Uint8Array, number, undefined> {
  let crc = -1;
  let filled = 0;
  let next = first;
  let last = -1;
  let same = 0;
  for (let left = links.length; left > 0; left--) {
    const link = links[next]!;
    const byte = link & 0xff;
    next = link >>> 8;
    let times = 1;
    let value = byte;
    if (same === 4) {
      times = byte;
      value = last;
      same = 0;
      last = -1;
    } else {
      same = byte === last ? same + 1 : 1;
      last = byte;
    }
    for (; times > 0; times--) {
      if (filled === out.length) {
        yield out;
        filled = 0;
      }
      out[filled++] = value;
      crc = (crc << 8) ^ crcTable[(crc >>> 24) ^ value]!;
    }
  }
  if (filled > 0) yield out.subarray(0, filled);
  return ~crc;
}
