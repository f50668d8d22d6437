// MD4 of four blocks side by side, one in each lane; only for hosts with SIMD. md4.ts is the plain form.

const PADDING: usize = 192; // two MD4 blocks for each of the four
const WORDS: usize = 704; // 16 vectors: a word of each of the four
const STATE: usize = 960; // 4 vectors
/** Four times 16 bytes: the sums that `strongSums` made last. */
export const STRONGS: usize = STATE;

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

/** Four words each of four rows, which lie `stride` apart, become four rows of the first, second … words. */
function turn(from: usize, to: usize, stride: usize): void {
  const x = v128.load(from);
  const y = v128.load(from + stride);
  const z = v128.load(from + 2 * stride);
  const w = v128.load(from + 3 * stride);
  const xyLow = v128.shuffle<i32>(x, y, 0, 4, 1, 5);
  const zwLow = v128.shuffle<i32>(z, w, 0, 4, 1, 5);
  const xyHigh = v128.shuffle<i32>(x, y, 2, 6, 3, 7);
  const zwHigh = v128.shuffle<i32>(z, w, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(xyLow, zwLow, 0, 2));
  v128.store(to, v128.shuffle<i64>(xyLow, zwLow, 1, 3), 16);
  v128.store(to, v128.shuffle<i64>(xyHigh, zwHigh, 0, 2), 32);
  v128.store(to, v128.shuffle<i64>(xyHigh, zwHigh, 1, 3), 48);
}

/** Whole 64-byte blocks in [from, to), and in the three ranges that follow at `stride`. */
function compress(from: usize, to: usize, stride: usize): void {
  const round2 = i32x4.splat(0x5a827999);
  const round3 = i32x4.splat(0x6ed9eba1);
  let a = v128.load(STATE);
  let b = v128.load(STATE, 16);
  let c = v128.load(STATE, 32);
  let d = v128.load(STATE, 48);
  for (let p = from; p < to; p += 64) {
    const a0 = a;
    const b0 = b;
    const c0 = c;
    const d0 = d;
    for (let i: usize = 0; i < 64; i += 16) {
      const words = WORDS + (i << 2);
      turn(p + i, words, stride);
      a = rotate(add(add(a, v128.load(words)), f(b, c, d)), 3);
      d = rotate(add(add(d, v128.load(words, 16)), f(a, b, c)), 7);
      c = rotate(add(add(c, v128.load(words, 32)), f(d, a, b)), 11);
      b = rotate(add(add(b, v128.load(words, 48)), f(c, d, a)), 19);
    }
    for (let words = WORDS; words < WORDS + 64; words += 16) {
      a = rotate(add(add(add(a, v128.load(words)), round2), g(b, c, d)), 3);
      d = rotate(add(add(add(d, v128.load(words, 64)), round2), g(a, b, c)), 5);
      c = rotate(add(add(add(c, v128.load(words, 128)), round2), g(d, a, b)), 9);
      b = rotate(add(add(add(b, v128.load(words, 192)), round2), g(c, d, a)), 13);
    }
    for (let step = 0; step < 4; step++) {
      const words = WORDS + usize(((step & 1) << 5) | ((step & 2) << 3)); // words 0, 2, 1, 3
      a = rotate(add(add(add(a, v128.load(words)), round3), h(b, c, d)), 3);
      d = rotate(add(add(add(d, v128.load(words, 128)), round3), h(a, b, c)), 9);
      c = rotate(add(add(add(c, v128.load(words, 64)), round3), h(d, a, b)), 11);
      b = rotate(add(add(add(b, v128.load(words, 192)), round3), h(c, d, a)), 15);
    }
    a = add(a, a0);
    b = add(b, b0);
    c = add(c, c0);
    d = add(d, d0);
  }
  v128.store(STATE, a);
  v128.store(STATE, b, 16);
  v128.store(STATE, c, 32);
  v128.store(STATE, d, 48);
}

/** MD4 of four blocks of `length` bytes, one behind the other from `from` on, left at STRONGS. */
export function strongSums(from: usize, length: usize): void {
  v128.store(STATE, i32x4.splat(0x67452301));
  v128.store(STATE, i32x4.splat(0xefcdab89), 16);
  v128.store(STATE, i32x4.splat(0x98badcfe), 32);
  v128.store(STATE, i32x4.splat(0x10325476), 48);
  const rest = length & 63;
  const whole = length - rest;
  compress(from, from + whole, length);
  const padded: usize = rest < 56 ? 64 : 128;
  for (let lane: usize = 0; lane < 4; lane++) {
    const at = PADDING + lane * 128;
    memory.copy(at, from + lane * length + whole, rest);
    memory.fill(at + rest, 0, padded - rest);
    store<u8>(at + rest, 0x80);
    store<u64>(at + padded - 8, u64(length) << 3);
  }
  compress(PADDING, PADDING + padded, 128);
  turn(STATE, STRONGS, 16);
}
