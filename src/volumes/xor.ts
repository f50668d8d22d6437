/**
 * XOR of long buffers: WebAssembly with SIMD where the host takes it, else TypeScript, which takes twice as long (measured:
 * 9 GB/s, copies into its memory included, against 5).
 */

import { compileModule, instantiate, webAssemblyHost } from '../web-assembly.ts';
import { xorWasmBase64 } from './xor-wasm-bytes.ts';

/**
 * XORs `length` bytes of `other` into `target`. Both places are a multiple of 16 bytes into buffers that begin their
 * memory, and so is `length`.
 */
export type Xor = (target: Buffer, at: number, other: Buffer, otherAt: number, length: number) => void;

/** Bytes that go into WebAssembly's memory at a time: with what they are XORed with half of a processor's nearest cache. */
const PIECE = 8192;

let made: Xor | undefined;

/** The fastest one that the host takes and that gives what it should. */
export function createXor(): Xor {
  made ??= createWasmXor() ?? xorWords;
  return made;
}

/** Whether an XOR takes far less than what AES does: not on processors of a small board that have no SIMD. */
export function hasFastXor(): boolean {
  return createXor() !== xorWords;
}

/** @returns undefined where the host does not take it, or makes something else of it */
export function createWasmXor(): Xor | undefined {
  const host = webAssemblyHost();
  const module = host && compileModule(host, xorWasmBase64);
  if (!module) return undefined;
  const { memory, exports } = instantiate<{ xor(target: number, other: number, end: number): void }>(
    host,
    module,
    2 * PIECE,
  );
  const mine = Buffer.from(memory, 0, PIECE);
  const others = Buffer.from(memory, PIECE, PIECE);
  const xor: Xor = (target, at, other, otherAt, length) => {
    for (let done = 0; done < length; done += PIECE) {
      const size = Math.min(PIECE, length - done);
      target.copy(mine, 0, at + done, at + done + size);
      other.copy(others, 0, otherAt + done, otherAt + done + size);
      exports.xor(0, PIECE, size);
      mine.copy(target, at + done, 0, size);
    }
  };
  return isRight(xor) ? xor : undefined;
}

/** A host's compiler may be wrong, and what is encrypted must not be. */
function isRight(xor: Xor): boolean {
  const length = PIECE + 80;
  const target = Buffer.from(Array.from({ length }, (_, i) => i * i));
  const other = Buffer.from(Array.from({ length }, (_, i) => 7 * i + (i >> 8)));
  const expected = target.map((byte, i) => byte ^ other[i]!);
  xor(target, 0, other, 0, length);
  return target.equals(expected);
}

/** The twin in TypeScript. */
export const xorWords: Xor = (target, at, other, otherAt, length) => {
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
};
