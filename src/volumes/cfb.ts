/**
 * CFB decryption of AES, faster than by the cipher's own mode: in CFB each plain block is its cipher block XOR the
 * encryption of the cipher block before it, so all these encryptions are one ECB call over the cipher text one block
 * late, which processors do several blocks at a time (measured: 3.7 GB/s against 0.56).
 * @see NIST SP 800-38A, 6.3
 */

import { createCipheriv } from 'node:crypto';

const BLOCK = 16;

export interface CfbDecryptor {
  /** How many bytes were added since `take`. */
  readonly length: number;
  /** Adds cipher text. @param bytes lent, any length */
  add(bytes: Uint8Array): void;
  /**
   * Decrypts what was added.
   * @param before lent; to stand in front of what comes out, which spares who holds back some of it a copy of all
   * @returns `before` and the plain bytes, given
   */
  take(before?: Uint8Array): Buffer;
}

/** In front of what comes out; whole blocks, for they are encrypted as well. */
const ROOM = 2 * BLOCK;
const START = ROOM + BLOCK;

/** @param cipher `aes-128`, `aes-192` or `aes-256`; the IV is zero, as OpenPGP has it */
export function createAesCfbDecryptor(cipher: string, key: Uint8Array): CfbDecryptor {
  const ecb = createCipheriv(`${cipher}-ecb`, key, null).setAutoPadding(false);
  /** Room, the block of cipher text before the one under way, and from START on that one and what follows. */
  let late = Buffer.alloc(START + BLOCK);
  let end = START;
  let given = 0; // plain bytes of the block under way that came out already
  return {
    get length() {
      return end - START - given;
    },
    add(bytes) {
      const needed = end + bytes.length + BLOCK;
      if (needed > late.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(2 * late.length, needed + GROWTH)));
        larger.set(late.subarray(0, end));
        late = larger;
      }
      late.set(bytes, end);
      end += bytes.length;
    },
    take(before = new Uint8Array(0)) {
      const length = end - START;
      const padded = Math.ceil(length / BLOCK) * BLOCK;
      const out = ecb.update(late.subarray(0, ROOM + padded));
      xorWords(out, ROOM, late, START, padded);
      const from = ROOM + given;
      given = length % BLOCK;
      if (length >= BLOCK) late.copyWithin(ROOM, end - given - BLOCK, end);
      end = START + given;
      if (before.length > from) return Buffer.concat([before, out.subarray(from, ROOM + length)]);
      out.set(before, from - before.length);
      return out.subarray(from - before.length, ROOM + length);
    },
  };
}

const GROWTH = 256 * 1024;

/** Both places are a multiple of 16 bytes into buffers of their own, and so is `length`. */
function xorWords(target: Buffer, at: number, other: Buffer, otherAt: number, length: number): void {
  const words = length >> 2;
  const to = new Int32Array(target.buffer, target.byteOffset + at, words);
  const from = new Int32Array(other.buffer, other.byteOffset + otherAt, words);
  const rounds = words & ~7;
  // Eight in a row: a loop of single words takes twice as long.
  for (let i = 0; i < rounds; i += 8) {
    to[i]! ^= from[i]!;
    to[i + 1]! ^= from[i + 1]!;
    to[i + 2]! ^= from[i + 2]!;
    to[i + 3]! ^= from[i + 3]!;
    to[i + 4]! ^= from[i + 4]!;
    to[i + 5]! ^= from[i + 5]!;
    to[i + 6]! ^= from[i + 6]!;
    to[i + 7]! ^= from[i + 7]!;
  }
  for (let i = rounds; i < words; i++) to[i]! ^= from[i]!;
}
