// Weak sum → block; src/rsync/block-table.ts is the same in TypeScript and tells the layout.

import { STRONG, strongSum } from './md4';
import { BLOCKS, STRONGS, strongSums } from './md4-simd';
import { weakSum } from './rolling';

const GOLDEN: u32 = 0x9e3779b1;
const PROBES = 64;
export const NONE: u32 = 0xffffffff;

export let blockLength: u32 = 0;
export let count: u32 = 0;
let entries: usize = 0;
let entryLength: usize = 0;
let table: usize = 0;
let slotBits: u32 = 0;
let filter: usize = 0;
let filterBits: u32 = 0;

export function index(
  entriesAt: usize,
  blocks: u32,
  lengthOfEntry: usize,
  lengthOfBlock: u32,
  tableAt: usize,
  bitsOfSlot: u32,
  filterAt: usize,
  bitsOfFilter: u32,
): void {
  entries = entriesAt;
  count = blocks;
  entryLength = lengthOfEntry;
  blockLength = lengthOfBlock;
  table = tableAt;
  slotBits = bitsOfSlot;
  filter = filterAt;
  filterBits = bitsOfFilter;
  memory.fill(table, 0, 4 << slotBits);
  memory.fill(filter, 0, 1 << (filterBits - 3));
  for (let block: u32 = 0; block < count; block++) insert(block);
}

function insert(block: u32): void {
  const entry = entryOf(block);
  const hash = weakOf(block) * GOLDEN;
  const bit = hash >> (32 - filterBits);
  const word = filter + ((bit >> 5) << 2);
  store<u32>(word, load<u32>(word) | (1 << (bit & 31)));
  let slot = hash >> (32 - slotBits);
  for (let probe = 0; probe < PROBES; probe++) {
    const at = table + (slot << 2);
    const found = load<u32>(at);
    if (found === 0) {
      store<u32>(at, block + 1);
      return;
    }
    if (memory.compare(entryOf(found - 1), entry, entryLength) === 0) return;
    slot = (slot + 1) & ((1 << slotBits) - 1);
  }
}

function entryOf(block: u32): usize {
  return entries + usize(block) * entryLength;
}

/** Weak sum of a block of the basis. */
export function weakOf(block: u32): u32 {
  return bswap<u32>(load<u32>(entryOf(block)));
}

/** Whether a block of the basis has the strong sum that was made last. */
function isStrongOf(block: u32): bool {
  return memory.compare(entryOf(block) + 4, STRONG, entryLength - 4) === 0;
}

/** Whether the bytes at `at` are this block of the basis. */
export function isBlock(block: u32, at: usize, length: u32, weak: u32): bool {
  if (weakOf(block) !== weak) return false;
  strongSum(at, at + length);
  return isStrongOf(block);
}

/** How many of the next `most` blocks of the basis are those at `at`, BLOCKS at most; only for hosts with SIMD. */
export function countBlocks(first: u32, at: usize, most: u32): u32 {
  let alike: u32 = 0;
  for (let start = at; alike < min<u32>(most, BLOCKS); alike++, start += blockLength) {
    if (weakSum(start, start + blockLength) !== weakOf(first + alike)) break;
  }
  if (alike > 0) strongSums(at, blockLength, alike);
  for (let i: u32 = 0; i < alike; i++) {
    if (memory.compare(entryOf(first + i) + 4, STRONGS + 16 * i, entryLength - 4) !== 0) return i;
  }
  return alike;
}

/** Whether a block of the basis may have this weak sum: false is sure. */
export function mayHold(weak: u32): bool {
  const bit = (weak * GOLDEN) >> (32 - filterBits);
  return ((load<u32>(filter + ((bit >> 5) << 2)) >> (bit & 31)) & 1) !== 0;
}

/** Whether the last `find` made a strong sum. */
export let hashed = false;

/** The block of the basis that begins at `at`, or NONE. */
export function find(at: usize, weak: u32, expected: u32, mayHash: bool): u32 {
  hashed = false;
  if (expected < count && weakOf(expected) === weak) {
    strongSum(at, at + blockLength);
    hashed = true;
    if (isStrongOf(expected)) return expected;
  }
  let slot = (weak * GOLDEN) >> (32 - slotBits);
  for (let probe = 0; probe < PROBES; probe++) {
    const found = load<u32>(table + (slot << 2));
    if (found === 0) return NONE;
    if (weakOf(found - 1) === weak) {
      if (!hashed) {
        if (!mayHash) return NONE;
        strongSum(at, at + blockLength);
        hashed = true;
      }
      if (isStrongOf(found - 1)) return found - 1;
    }
    slot = (slot + 1) & ((1 << slotBits) - 1);
  }
  return NONE;
}
