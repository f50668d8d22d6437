/**
 * CFB of AES, faster than by the cipher's own mode, which OpenSSL has no assembly for.
 *
 * Decryption: each plain block is its cipher block XOR the encryption of the cipher block before it, so all these
 * encryptions are one ECB call over the cipher text one block late, which processors do several blocks at a time
 * (measured: 3.7 GB/s against 0.56).
 *
 * Encryption: what the next block is XORed with is the encryption of (what this one is XORed with XOR its plain block),
 * and that is CBC of the plain text (measured: 0.88 GB/s against 0.59).
 * @see NIST SP 800-38A, 6.2 and 6.3
 */

import { createCipheriv } from 'node:crypto';
import { createXor, xorWords } from './xor.ts';

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
  let taken = 0;
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
      taken += length;
      const xor = taken > MUCH ? createXor() : xorWords;
      xor(out, ROOM, late, START, padded);
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
/** Less is done before WebAssembly is ready, which takes 2 MB. */
const MUCH = 4 * 1024 * 1024;

export interface CfbEncryptor {
  /** @param bytes lent, any length @returns as many, lent until the next call */
  update(bytes: Uint8Array): Uint8Array;
}

/** @param cipher as for `createAesCfbDecryptor`; the IV is zero */
export function createAesCfbEncryptor(cipher: string, key: Uint8Array): CfbEncryptor {
  const zeros = Buffer.alloc(BLOCK);
  const cbc = createCipheriv(`${cipher}-cbc`, key, zeros).setAutoPadding(false);
  const xor = createXor();
  /** What the block under way is XORed with. */
  const first = cbc.update(zeros);
  /** Plain bytes of the block under way, which are encrypted already. */
  const begun = Buffer.alloc(BLOCK);
  let given = 0;
  let work = Buffer.alloc(0);
  return {
    update(bytes) {
      const length = given + bytes.length;
      const rest = length % BLOCK;
      const whole = length - rest;
      if (work.length < whole + BLOCK) work = Buffer.allocUnsafeSlow(whole + BLOCK);
      work.set(begun.subarray(0, given));
      work.set(bytes, given);
      work.copy(begun, 0, whole, length);
      const later = cbc.update(work.subarray(0, whole));
      xor(work, 0, first, 0, BLOCK);
      xor(work, BLOCK, later, 0, whole);
      if (whole > 0) later.copy(first, 0, whole - BLOCK);
      const from = given;
      given = rest;
      return work.subarray(from, length);
    },
  };
}
