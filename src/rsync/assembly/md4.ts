// MD4 (RFC 1320) of a block that lies in memory; src/rsync/md4.ts is the same in TypeScript.

/** 16 bytes: the sum that `strongSum` made last. */
export const STRONG: usize = 16;
const PADDING: usize = 64; // two MD4 blocks

let h0: u32 = 0;
let h1: u32 = 0;
let h2: u32 = 0;
let h3: u32 = 0;

function f(x: u32, y: u32, z: u32): u32 {
  return z ^ (x & (y ^ z));
}

function g(x: u32, y: u32, z: u32): u32 {
  return (x & (y | z)) | (y & z);
}

/** Whole 64-byte blocks in [from, to). */
function compress(from: usize, to: usize): void {
  let a = h0;
  let b = h1;
  let c = h2;
  let d = h3;
  for (let p = from; p < to; p += 64) {
    const a0 = a;
    const b0 = b;
    const c0 = c;
    const d0 = d;
    for (let i: usize = 0; i < 64; i += 16) {
      a = rotl<u32>(a + f(b, c, d) + load<u32>(p + i), 3);
      d = rotl<u32>(d + f(a, b, c) + load<u32>(p + i, 4), 7);
      c = rotl<u32>(c + f(d, a, b) + load<u32>(p + i, 8), 11);
      b = rotl<u32>(b + f(c, d, a) + load<u32>(p + i, 12), 19);
    }
    for (let i: usize = 0; i < 16; i += 4) {
      a = rotl<u32>(a + g(b, c, d) + load<u32>(p + i) + 0x5a827999, 3);
      d = rotl<u32>(d + g(a, b, c) + load<u32>(p + i, 16) + 0x5a827999, 5);
      c = rotl<u32>(c + g(d, a, b) + load<u32>(p + i, 32) + 0x5a827999, 9);
      b = rotl<u32>(b + g(c, d, a) + load<u32>(p + i, 48) + 0x5a827999, 13);
    }
    for (let step = 0; step < 4; step++) {
      const i = usize(((step & 1) << 3) | ((step & 2) << 1)); // words 0, 2, 1, 3
      a = rotl<u32>(a + (b ^ c ^ d) + load<u32>(p + i) + 0x6ed9eba1, 3);
      d = rotl<u32>(d + (a ^ b ^ c) + load<u32>(p + i, 32) + 0x6ed9eba1, 9);
      c = rotl<u32>(c + (d ^ a ^ b) + load<u32>(p + i, 16) + 0x6ed9eba1, 11);
      b = rotl<u32>(b + (c ^ d ^ a) + load<u32>(p + i, 48) + 0x6ed9eba1, 15);
    }
    a += a0;
    b += b0;
    c += c0;
    d += d0;
  }
  h0 = a;
  h1 = b;
  h2 = c;
  h3 = d;
}

/** MD4 of the bytes in [from, to), left at STRONG. */
export function strongSum(from: usize, to: usize): void {
  h0 = 0x67452301;
  h1 = 0xefcdab89;
  h2 = 0x98badcfe;
  h3 = 0x10325476;
  const rest = (to - from) & 63;
  compress(from, to - rest);
  const padded: usize = rest < 56 ? 64 : 128;
  memory.copy(PADDING, to - rest, rest);
  memory.fill(PADDING + rest, 0, padded - rest);
  store<u8>(PADDING + rest, 0x80);
  store<u64>(PADDING + padded - 8, u64(to - from) << 3);
  compress(PADDING, PADDING + padded);
  store<u32>(STRONG, h0);
  store<u32>(STRONG, h1, 4);
  store<u32>(STRONG, h2, 8);
  store<u32>(STRONG, h3, 12);
}
