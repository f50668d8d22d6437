/** Repeatable randomness for test data: one seed gives the same sequence on every machine. */

import { createCipheriv, createHash } from 'node:crypto';

export interface Random {
  /** Whole number in [0, below). */
  int(below: number): number;
  /** Whole number in [from, to], both included. */
  between(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** Incompressible bytes; given. */
  bytes(length: number): Buffer;
}

const POOL_LENGTH = 6 * 1024;

/** The key stream of AES in counter mode is fast, incompressible and the same everywhere. */
export function createRandom(seed: number | string): Random {
  const key = createHash('sha256').update(`seed ${seed}`).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  let pool = Buffer.alloc(0);
  let used = 0;

  function fraction(): number {
    if (used >= pool.length) {
      pool = cipher.update(Buffer.alloc(POOL_LENGTH));
      used = 0;
    }
    used += 6;
    return pool.readUIntBE(used - 6, 6) / 2 ** 48;
  }

  const int = (below: number) => Math.floor(fraction() * below);
  return {
    int,
    between: (from, to) => from + int(to - from + 1),
    chance: probability => fraction() < probability,
    pick: items => items[int(items.length)]!,
    bytes: length => cipher.update(Buffer.alloc(length)),
  };
}
