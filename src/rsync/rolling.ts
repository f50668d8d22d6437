/**
 * Weak sum: cheap enough to be rolled over a file byte by byte. Two sums modulo 2^16 over the bytes c of a window of n:
 * s1 = Σ (c + 31) and s2 = Σ (n − i)(c + 31), i counting from 0; packed as s2 · 2^16 + s1. Taking byte c in at the end is
 * s1 += c + 31, s2 += s1; taking it out at the start is s1 −= c + 31, s2 −= n (c + 31).
 */

/** Added to every byte, so that runs of zeros still count. */
export const CHAR_OFFSET = 31;

/**
 * Weak sum of the bytes in [from, to); `bytes` is lent.
 * @returns an int32: the bits of the sum, as `Math.imul` and typed arrays like them
 * @see FORMAT.md, "Signature"
 */
export function weakSum(bytes: Uint8Array, from: number, to: number): number {
  let s1 = 0;
  let s2 = 0;
  for (let i = from; i < to; i++) {
    s1 = (s1 + bytes[i]! + CHAR_OFFSET) | 0;
    s2 = (s2 + s1) | 0;
  }
  return (s2 << 16) | (s1 & 0xffff);
}
