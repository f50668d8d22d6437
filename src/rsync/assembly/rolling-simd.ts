// The weak sum of rolling.ts 128 bytes a round; only for hosts with SIMD.

const ROUND: usize = 128;

/** Number of bytes from `from` on that `plainSums` takes. */
export function wholeRounds(from: usize, to: usize): usize {
  return (to - from) & ~(ROUND - 1);
}

/**
 * Both sums of whole rounds of bytes, without CHAR_OFFSET.
 * @returns s2 in the upper half, s1 in the lower; each modulo 2³²
 */
export function plainSums(from: usize, to: usize): u64 {
  // What byte i of 16 counts for in s2, without those that come later in the round.
  const weightsLow = i16x8(16, 15, 14, 13, 12, 11, 10, 9);
  const weightsHigh = i16x8(8, 7, 6, 5, 4, 3, 2, 1);
  const ones = i16x8.splat(1);
  let s1 = i32x4.splat(0);
  let s2 = i32x4.splat(0);
  for (let p = from; p < to; p += ROUND) {
    // Columns of 16 bytes in two vectors; `prefix` counts each byte once for every later 16 of the round. No lane
    // overflows: those of `prefix` are at most 2 * 28 * 255.
    let low = i16x8.splat(0);
    let high = i16x8.splat(0);
    let prefix = i16x8.splat(0);
    for (let i: usize = 0; i < ROUND; i += 16) {
      const bytes = v128.load(p + i);
      prefix = i16x8.add(prefix, i16x8.add(low, high));
      low = i16x8.add(low, i16x8.extend_low_i8x16_u(bytes));
      high = i16x8.add(high, i16x8.extend_high_i8x16_u(bytes));
    }
    const weighted = i32x4.add(i32x4.dot_i16x8_s(low, weightsLow), i32x4.dot_i16x8_s(high, weightsHigh));
    s2 = i32x4.add(s2, i32x4.add(i32x4.shl(s1, 7), weighted));
    s2 = i32x4.add(s2, i32x4.shl(i32x4.dot_i16x8_s(prefix, ones), 4));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(i16x8.add(low, high), ones));
  }
  return (u64(total(s2)) << 32) | u64(total(s1));
}

function total(lanes: v128): u32 {
  return (
    i32x4.extract_lane(lanes, 0) +
    i32x4.extract_lane(lanes, 1) +
    i32x4.extract_lane(lanes, 2) +
    i32x4.extract_lane(lanes, 3)
  );
}
