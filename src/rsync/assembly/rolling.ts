// Weak sum of a block; src/rsync/rolling.ts is the same in TypeScript and tells the formula.

import { plainSums, wholeRounds } from './rolling-simd';

export const CHAR_OFFSET: u32 = 31;

const ONES: u64 = 0x0001000100010001;
const LOW_BYTES: u64 = ONES * 0xff;

/** Weak sum of the bytes in [from, to). */
export function weakSum(from: usize, to: usize): u32 {
  const length = u64(to - from);
  let s1: u32 = 0;
  let s2: u32 = 0;
  let p = from;
  if (ASC_FEATURE_SIMD) {
    p += wholeRounds(from, to);
    const sums = plainSums(from, p);
    s1 = u32(sums);
    s2 = u32(sums >> 32);
  }
  // 64 bytes a round, in 16-bit lanes of two words (even and odd bytes): the sums count each byte once, `prefix` once
  // for every later word of the round. No lane overflows: all lanes of `prefix` are at most 8 * 28 * 255 together.
  for (const rounds = p + ((to - p) & ~63); p < rounds; p += 64) {
    let sumEven: u64 = 0;
    let sumOdd: u64 = 0;
    let prefix: u64 = 0;
    for (let i = 0; i < 64; i += 8) {
      const word = load<u64>(p + i);
      prefix += sumEven + sumOdd;
      sumEven += word & LOW_BYTES;
      sumOdd += (word >> 8) & LOW_BYTES;
    }
    // The top lane of a product is the sum of all lanes, weighted by those of the other factor in reverse; it alone
    // may overflow, and that is meant.
    const weighted = (sumEven * 0x0008000600040002 + sumOdd * 0x0007000500030001) >> 48;
    s2 += (s1 << 6) + (u32((prefix * ONES) >> 48) << 3) + u32(weighted);
    s1 += u32(((sumEven + sumOdd) * ONES) >> 48);
  }
  for (; p < to; p++) {
    s1 += load<u8>(p);
    s2 += s1;
  }
  s1 += CHAR_OFFSET * u32(length);
  s2 += CHAR_OFFSET * u32((length * (length + 1)) >> 1);
  return (s2 << 16) | (s1 & 0xffff);
}
