// Search for blocks of the basis in a window; src/rsync/search.ts is the same in TypeScript and tells how.

import { blockLength, count, countBlocks, find, hashed, isBlock, mayHold, NONE, weakOf } from './block-table';
import { BLOCKS } from './md4-simd';
import { CHAR_OFFSET, weakSum } from './rolling';

const CREDIT: f64 = 67108864;
const CREDIT_PER_BYTE: f64 = 4;

let primed = false;
let rolled: u32 = 0;
let expected: u32 = 0;
let phase: u32 = 0;
let credit: f64 = 0;
let foundAt: usize = 0;
let foundBlock: u32 = 0;

export function begin(): void {
  primed = false;
  expected = 0;
  phase = 0;
  credit = CREDIT;
}

export function matchAt(): usize {
  return foundAt;
}

export function matchBlock(): u32 {
  return foundBlock;
}

export function search(from: usize, to: usize): u32 {
  const length = blockLength;
  let at = from;
  let s1: u32 = 0;
  let s2: u32 = 0;
  if (primed) {
    s1 = rolled & 0xffff;
    s2 = rolled >> 16;
  } else {
    foundAt = at;
    if (at + length > to) return 0;
    const weak = weakSum(at, at + length);
    const block = look(at, weak, from);
    if (block !== NONE) return run(from, at, to, block);
    const out = u32(load<u8>(at)) + CHAR_OFFSET;
    s1 = weak - out;
    s2 = (weak >> 16) - length * out;
    at++;
  }
  for (; at + length <= to; at++) {
    s1 += u32(load<u8>(at + length - 1)) + CHAR_OFFSET;
    s2 += s1;
    const weak = (s2 << 16) | (s1 & 0xffff);
    if (mayHold(weak)) {
      const block = look(at, weak, from);
      if (block !== NONE) return run(from, at, to, block);
    }
    const out = u32(load<u8>(at)) + CHAR_OFFSET;
    s1 -= out;
    s2 -= length * out;
  }
  primed = true;
  rolled = (s2 << 16) | (s1 & 0xffff);
  credit += CREDIT_PER_BYTE * f64(at - from);
  const distance = phase + u32(at - from);
  expected += distance / length;
  phase = distance % length;
  foundAt = at;
  return 0;
}

function look(at: usize, weak: u32, from: usize): u32 {
  const distance = phase + u32(at - from);
  const aligned = distance % blockLength === 0 ? expected + distance / blockLength : NONE;
  const block = find(at, weak, aligned, credit + CREDIT_PER_BYTE * f64(at - from) >= f64(blockLength));
  if (block === NONE && hashed) credit -= f64(blockLength);
  return block;
}

function run(from: usize, at: usize, to: usize, block: u32): u32 {
  const length = blockLength;
  let end = at + length;
  let next = block + 1;
  if (ASC_FEATURE_SIMD) {
    for (let same: u32 = BLOCKS; same === BLOCKS; ) {
      same = countBlocks(next, end, min<u32>(u32((to - end) / length), count - next));
      end += same * length;
      next += same;
    }
  } else {
    while (end + length <= to && next < count && isBlock(next, end, length, weakSum(end, end + length))) {
      end += length;
      next++;
    }
  }
  passed(next, u32(end - from));
  foundAt = at;
  foundBlock = block;
  return next - block;
}

export function passed(next: u32, length: u32): void {
  primed = false;
  expected = next;
  phase = 0;
  credit += CREDIT_PER_BYTE * f64(length);
}

export function searchTail(from: usize, to: usize): usize {
  const wanted = weakOf(count - 1);
  let weak = primed ? rolled : weakSum(from, to);
  let s1 = weak & 0xffff;
  let s2 = weak >> 16;
  for (let at = from; at < to; at++) {
    const length = u32(to - at);
    weak = (s2 << 16) | (s1 & 0xffff);
    if (weak === wanted && credit >= f64(length)) {
      if (isBlock(count - 1, at, length, weak)) return at;
      credit -= f64(length);
    }
    const out = u32(load<u8>(at)) + CHAR_OFFSET;
    s1 -= out;
    s2 -= length * out;
  }
  return to;
}
