/** Kinds of file systems, as statfs(2) numbers them. */

import type { BigIntStatsFs } from 'node:fs';

/** The number of a kind, 32 bits: systems of that size give large ones a sign, and a double would round what that makes. */
export function fileSystemOf({ type }: Pick<BigIntStatsFs, 'type'>): number {
  return Number(BigInt.asUintN(32, type));
}
