// MD4 of eight blocks side by side, one in each lane of two vectors; only for hosts with SIMD. md4.ts is the plain form.

/** As many blocks as `strongSums` takes. */
export const BLOCKS: usize = 8;

const PADDING: usize = 192; // two MD4 blocks for each of the eight
const WORDS: usize = 1216; // twice 16 vectors: a word of each of four
const STATE: usize = 1728; // twice 4 vectors
const PLACES: usize = 1856; // where each of the eight is, from the first one on
/** Eight times 16 bytes: the sums that `strongSums` made last. */
export const STRONGS: usize = 1888;

function f(x: v128, y: v128, z: v128): v128 {
  return v128.xor(z, v128.and(x, v128.xor(y, z)));
}

function g(x: v128, y: v128, z: v128): v128 {
  return v128.or(v128.and(x, v128.or(y, z)), v128.and(y, z));
}

function h(x: v128, y: v128, z: v128): v128 {
  return v128.xor(x, v128.xor(y, z));
}

function rotate(x: v128, by: i32): v128 {
  return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by));
}

function add(x: v128, y: v128): v128 {
  return i32x4.add(x, y);
}

/** Four words each of four lanes become four rows of the first, second … words. */
function turn(from: usize, lane: usize, to: usize): void {
  const places = PLACES + lane * sizeof<usize>();
  const x = v128.load(from + load<usize>(places));
  const y = v128.load(from + load<usize>(places, 4));
  const z = v128.load(from + load<usize>(places, 8));
  const w = v128.load(from + load<usize>(places, 12));
  const xyLow = v128.shuffle<i32>(x, y, 0, 4, 1, 5);
  const zwLow = v128.shuffle<i32>(z, w, 0, 4, 1, 5);
  const xyHigh = v128.shuffle<i32>(x, y, 2, 6, 3, 7);
  const zwHigh = v128.shuffle<i32>(z, w, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(xyLow, zwLow, 0, 2));
  v128.store(to, v128.shuffle<i64>(xyLow, zwLow, 1, 3), 16);
  v128.store(to, v128.shuffle<i64>(xyHigh, zwHigh, 0, 2), 32);
  v128.store(to, v128.shuffle<i64>(xyHigh, zwHigh, 1, 3), 48);
}

/**
 * `length` bytes, whole 64-byte blocks, from each of `count` places on that lie `stride` apart: two lots of four, in
 * turns, for a step waits for the one before it. Where there are fewer, the last one is done again.
 */
function compress(from: usize, length: usize, stride: usize, count: usize): void {
  const round2 = i32x4.splat(0x5a827999);
  const round3 = i32x4.splat(0x6ed9eba1);
  for (let lane: usize = 0; lane < BLOCKS; lane++) {
    store<usize>(PLACES + lane * sizeof<usize>(), min<usize>(lane, count - 1) * stride);
  }
  let a = v128.load(STATE);
  let b = v128.load(STATE, 16);
  let c = v128.load(STATE, 32);
  let d = v128.load(STATE, 48);
  let A = v128.load(STATE, 64);
  let B = v128.load(STATE, 80);
  let C = v128.load(STATE, 96);
  let D = v128.load(STATE, 112);
  for (let p = from, to = from + length; p < to; p += 64) {
    for (let i: usize = 0; i < 64; i += 16) {
      const words = WORDS + (i << 2);
      for (let lane: usize = 0; lane < BLOCKS; lane += 4) turn(p + i, lane, words + (lane << 6));
      a = rotate(add(add(a, v128.load(words)), f(b, c, d)), 3);
      A = rotate(add(add(A, v128.load(words, 256)), f(B, C, D)), 3);
      d = rotate(add(add(d, v128.load(words, 16)), f(a, b, c)), 7);
      D = rotate(add(add(D, v128.load(words, 272)), f(A, B, C)), 7);
      c = rotate(add(add(c, v128.load(words, 32)), f(d, a, b)), 11);
      C = rotate(add(add(C, v128.load(words, 288)), f(D, A, B)), 11);
      b = rotate(add(add(b, v128.load(words, 48)), f(c, d, a)), 19);
      B = rotate(add(add(B, v128.load(words, 304)), f(C, D, A)), 19);
    }
    for (let words = WORDS; words < WORDS + 64; words += 16) {
      a = rotate(add(add(add(a, v128.load(words)), round2), g(b, c, d)), 3);
      A = rotate(add(add(add(A, v128.load(words, 256)), round2), g(B, C, D)), 3);
      d = rotate(add(add(add(d, v128.load(words, 64)), round2), g(a, b, c)), 5);
      D = rotate(add(add(add(D, v128.load(words, 320)), round2), g(A, B, C)), 5);
      c = rotate(add(add(add(c, v128.load(words, 128)), round2), g(d, a, b)), 9);
      C = rotate(add(add(add(C, v128.load(words, 384)), round2), g(D, A, B)), 9);
      b = rotate(add(add(add(b, v128.load(words, 192)), round2), g(c, d, a)), 13);
      B = rotate(add(add(add(B, v128.load(words, 448)), round2), g(C, D, A)), 13);
    }
    for (let step = 0; step < 4; step++) {
      const words = WORDS + usize(((step & 1) << 5) | ((step & 2) << 3)); // words 0, 2, 1, 3
      a = rotate(add(add(add(a, v128.load(words)), round3), h(b, c, d)), 3);
      A = rotate(add(add(add(A, v128.load(words, 256)), round3), h(B, C, D)), 3);
      d = rotate(add(add(add(d, v128.load(words, 128)), round3), h(a, b, c)), 9);
      D = rotate(add(add(add(D, v128.load(words, 384)), round3), h(A, B, C)), 9);
      c = rotate(add(add(add(c, v128.load(words, 64)), round3), h(d, a, b)), 11);
      C = rotate(add(add(add(C, v128.load(words, 320)), round3), h(D, A, B)), 11);
      b = rotate(add(add(add(b, v128.load(words, 192)), round3), h(c, d, a)), 15);
      B = rotate(add(add(add(B, v128.load(words, 448)), round3), h(C, D, A)), 15);
    }
    a = keep(a, 0);
    b = keep(b, 16);
    c = keep(c, 32);
    d = keep(d, 48);
    A = keep(A, 64);
    B = keep(B, 80);
    C = keep(C, 96);
    D = keep(D, 112);
  }
}

/** Adds what a block has made to the state it began with. */
function keep(part: v128, at: usize): v128 {
  const sum = add(v128.load(STATE + at), part);
  v128.store(STATE + at, sum);
  return sum;
}

/** MD4 of `count` blocks of `length` bytes, one behind the other from `from` on, left at STRONGS. */
export function strongSums(from: usize, length: usize, count: usize): void {
  for (let at: usize = STATE; at < STATE + 128; at += 64) {
    v128.store(at, i32x4.splat(0x67452301));
    v128.store(at, i32x4.splat(0xefcdab89), 16);
    v128.store(at, i32x4.splat(0x98badcfe), 32);
    v128.store(at, i32x4.splat(0x10325476), 48);
  }
  const rest = length & 63;
  const whole = length - rest;
  compress(from, whole, length, count);
  const padded: usize = rest < 56 ? 64 : 128;
  for (let lane: usize = 0; lane < count; lane++) {
    const at = PADDING + lane * 128;
    memory.copy(at, from + lane * length + whole, rest);
    memory.fill(at + rest, 0, padded - rest);
    store<u8>(at + rest, 0x80);
    store<u64>(at + padded - 8, u64(length) << 3);
  }
  compress(PADDING, padded, 128, count);
  for (let lane: usize = 0; lane < count; lane++) {
    const state = STATE + ((lane & 4) << 4) + ((lane & 3) << 2);
    for (let i: usize = 0; i < 16; i += 4) store<u32>(STRONGS + (lane << 4) + i, load<u32>(state + (i << 2)));
  }
}
