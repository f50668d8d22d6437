/** Strong sum: MD4 (RFC 1320), of which a signature keeps the first 8 bytes. */

const padding = new DataView(new ArrayBuffer(128));

/**
 * MD4 of the bytes in [from, to).
 * @param memory lent, only read
 * @param sum given the four words of the sum, each little-endian as RFC 1320 counts
 */
export function strongSum(memory: DataView, from: number, to: number, sum: Int32Array): void {
  sum[0] = 0x67452301;
  sum[1] = 0xefcdab89;
  sum[2] = 0x98badcfe;
  sum[3] = 0x10325476;
  const length = to - from;
  const rest = length & 63;
  compress(memory, from, to - rest, sum);
  const padded = rest < 56 ? 64 : 128;
  for (let i = 0; i < rest; i++) padding.setUint8(i, memory.getUint8(to - rest + i));
  for (let i = rest; i < padded; i++) padding.setUint8(i, 0);
  padding.setUint8(rest, 0x80);
  padding.setUint32(padded - 8, length << 3, true);
  padding.setUint32(padded - 4, Math.floor(length / 2 ** 29), true);
  compress(padding, 0, padded, sum);
}

/** Whole 64-byte blocks in [from, to). */
function compress(memory: DataView, from: number, to: number, sum: Int32Array): void {
  let a = sum[0]!;
  let b = sum[1]!;
  let c = sum[2]!;
  let d = sum[3]!;
  for (let p = from; p < to; p += 64) {
    const a0 = a;
    const b0 = b;
    const c0 = c;
    const d0 = d;
    for (let i = p; i < p + 64; i += 16) {
      a = (a + (d ^ (b & (c ^ d))) + memory.getInt32(i, true)) | 0;
      a = (a << 3) | (a >>> 29);
      d = (d + (c ^ (a & (b ^ c))) + memory.getInt32(i + 4, true)) | 0;
      d = (d << 7) | (d >>> 25);
      c = (c + (b ^ (d & (a ^ b))) + memory.getInt32(i + 8, true)) | 0;
      c = (c << 11) | (c >>> 21);
      b = (b + (a ^ (c & (d ^ a))) + memory.getInt32(i + 12, true)) | 0;
      b = (b << 19) | (b >>> 13);
    }
    for (let i = p; i < p + 16; i += 4) {
      a = (a + ((b & (c | d)) | (c & d)) + memory.getInt32(i, true) + 0x5a827999) | 0;
      a = (a << 3) | (a >>> 29);
      d = (d + ((a & (b | c)) | (b & c)) + memory.getInt32(i + 16, true) + 0x5a827999) | 0;
      d = (d << 5) | (d >>> 27);
      c = (c + ((d & (a | b)) | (a & b)) + memory.getInt32(i + 32, true) + 0x5a827999) | 0;
      c = (c << 9) | (c >>> 23);
      b = (b + ((c & (d | a)) | (d & a)) + memory.getInt32(i + 48, true) + 0x5a827999) | 0;
      b = (b << 13) | (b >>> 19);
    }
    for (let step = 0; step < 4; step++) {
      const i = p + (((step & 1) << 3) | ((step & 2) << 1)); // words 0, 2, 1, 3
      a = (a + (b ^ c ^ d) + memory.getInt32(i, true) + 0x6ed9eba1) | 0;
      a = (a << 3) | (a >>> 29);
      d = (d + (a ^ b ^ c) + memory.getInt32(i + 32, true) + 0x6ed9eba1) | 0;
      d = (d << 9) | (d >>> 23);
      c = (c + (d ^ a ^ b) + memory.getInt32(i + 16, true) + 0x6ed9eba1) | 0;
      c = (c << 11) | (c >>> 21);
      b = (b + (c ^ d ^ a) + memory.getInt32(i + 48, true) + 0x6ed9eba1) | 0;
      b = (b << 15) | (b >>> 17);
    }
    a = (a + a0) | 0;
    b = (b + b0) | 0;
    c = (c + c0) | 0;
    d = (d + d0) | 0;
  }
  sum[0] = a;
  sum[1] = b;
  sum[2] = c;
  sum[3] = d;
}
