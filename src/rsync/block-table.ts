/**
 * From the weak sum of a window to the block of the basis that it is, straight on the bytes of a signature.
 *
 * - The *filter* has one bit per hash value of a weak sum and turns most windows away with one look.
 * - The *table* has open addressing; a slot holds a block's number + 1, or 0.
 *
 * A block goes into the first free slot from its weak sum's hash on, at most PROBES slots away, and is left out when
 * none is free or when a block with the same sums is met. So equal blocks cost one slot, and neither many blocks of one
 * weak sum nor chosen ones make a file take quadratic time: what is left out is just not found.
 */

import { strongSum } from './md4.ts';

const GOLDEN = 0x9e3779b1; // 2^32 over the golden ratio: spreads the top bits of a product
const PROBES = 64;

/** No block. */
export const NONE = -1;

export interface TableSize {
  /** The table has 2^slotBits slots of 4 bytes; at least twice the blocks. */
  readonly slotBits: number;
  /** The filter has 2^filterBits bits; at least 32 per block. */
  readonly filterBits: number;
  /** Bytes of both, the filter directly behind the table. */
  readonly length: number;
}

export function tableSizeFor(count: number): TableSize {
  const slotBits = Math.max(4, Math.ceil(Math.log2(2 * count)));
  const filterBits = slotBits + 4;
  return { slotBits, filterBits, length: 4 * 2 ** slotBits + 2 ** (filterBits - 3) };
}

/** Where a workspace holds a signature and the table for it; offsets in bytes. */
export interface IndexLayout {
  /** Offset of the first entry. */
  readonly entries: number;
  /** Blocks; at least one, below 2^31. */
  readonly count: number;
  /** Bytes per entry: 4 of weak sum, the others of strong sum. */
  readonly entryLength: number;
  readonly blockLength: number;
  /** Offset of the table, a multiple of 4; as long as tableSizeFor(count) says. */
  readonly table: number;
}

export interface BlockTable {
  readonly blockLength: number;
  readonly count: number;
  /** Whether a block may have this weak sum: false is sure. */
  mayHold(weak: number): boolean;
  /** Weak sum of a block, as an int32. */
  weakOf(block: number): number;
  /** Whether the `length` bytes at `at`, whose weak sum is given, are this block. */
  isBlock(block: number, at: number, length: number, weak: number): boolean;
  /**
   * The block that begins at `at`, or NONE.
   * @param expected a block to try first, or NONE
   * @param mayHash whether another block is worth a strong sum
   */
  find(at: number, weak: number, expected: number, mayHash: boolean): number;
  /** Whether the last `find` made a strong sum. */
  readonly hashed: boolean;
}

/** The table on the memory of a portable workspace; assembly/block-table.ts is its twin. */
export function createBlockTable(view: DataView, layout: IndexLayout): BlockTable {
  const { entries, count, entryLength, blockLength, table } = layout;
  const { slotBits, filterBits, length } = tableSizeFor(count);
  const slots = new Int32Array(view.buffer, table, 2 ** slotBits);
  const filter = new Int32Array(view.buffer, table + slots.byteLength, 2 ** (filterBits - 5));
  const slotShift = 32 - slotBits;
  const slotMask = slots.length - 1;
  const filterShift = 32 - filterBits;
  const strong = new Int32Array(4);
  const strongBytes = new Uint8Array(16);
  const strongView = new DataView(strongBytes.buffer);
  let hashed = false;

  new Uint8Array(view.buffer, table, length).fill(0);
  for (let block = 0; block < count; block++) insert(block);

  function insert(block: number): void {
    const hash = Math.imul(weakOf(block), GOLDEN);
    const bit = hash >>> filterShift;
    filter[bit >>> 5]! |= 1 << (bit & 31);
    let slot = hash >>> slotShift;
    for (let probe = 0; probe < PROBES; probe++) {
      const found = slots[slot]!;
      if (found === 0) {
        slots[slot] = block + 1;
        return;
      }
      if (isSame(found - 1, block)) return;
      slot = (slot + 1) & slotMask;
    }
  }

  function isSame(block: number, other: number): boolean {
    const a = entries + block * entryLength;
    const b = entries + other * entryLength;
    for (let i = 0; i < entryLength; i++) if (view.getUint8(a + i) !== view.getUint8(b + i)) return false;
    return true;
  }

  function mayHold(weak: number): boolean {
    const bit = Math.imul(weak, GOLDEN) >>> filterShift;
    return ((filter[bit >>> 5]! >>> (bit & 31)) & 1) !== 0;
  }

  function weakOf(block: number): number {
    return view.getInt32(entries + block * entryLength);
  }

  function hash(at: number, blockBytes: number): void {
    strongSum(view, at, at + blockBytes, strong);
    for (let i = 0; i < 4; i++) strongView.setInt32(4 * i, strong[i]!, true);
  }

  function isStrongOf(block: number): boolean {
    const at = entries + block * entryLength + 4;
    for (let i = 0; i < entryLength - 4; i++) if (view.getUint8(at + i) !== strongBytes[i]) return false;
    return true;
  }

  function isBlock(block: number, at: number, blockBytes: number, weak: number): boolean {
    if (weakOf(block) !== weak) return false;
    hash(at, blockBytes);
    return isStrongOf(block);
  }

  function find(at: number, weak: number, expected: number, mayHash: boolean): number {
    hashed = false;
    if (expected !== NONE && expected < count && weakOf(expected) === weak) {
      hash(at, blockLength);
      hashed = true;
      if (isStrongOf(expected)) return expected;
    }
    let slot = Math.imul(weak, GOLDEN) >>> slotShift;
    for (let probe = 0; probe < PROBES; probe++) {
      const block = slots[slot]! - 1;
      if (block === NONE) return NONE;
      if (weakOf(block) === weak) {
        if (!hashed) {
          if (!mayHash) return NONE;
          hash(at, blockLength);
          hashed = true;
        }
        if (isStrongOf(block)) return block;
      }
      slot = (slot + 1) & slotMask;
    }
    return NONE;
  }

  return {
    blockLength,
    count,
    mayHold,
    weakOf,
    isBlock,
    find,
    get hashed() {
      return hashed;
    },
  };
}
