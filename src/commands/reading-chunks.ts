/** How much is held of each of the sets that are read side by side: a chain may have hundreds of them. */

import type { BackupSet } from '../manifest/sets.ts';

/** So many sets are read as fast as can be, if there are no more; if there are, two. */
const FEW = 4;
/** What each stage of reading holds of all other sets together, and of one of them. */
const TOGETHER = 1024 * 1024;
const [SMALLEST, LARGEST] = [16 * 1024, 128 * 1024];

/**
 * The two largest of many sets, the full one among them as a rule, are most of what there is to read.
 * @returns bytes for each stage of reading a set; undefined for as many as are fastest
 */
export function chunksOf(sets: readonly BackupSet[]): (set: BackupSet) => number | undefined {
  if (sets.length <= FEW) return () => undefined;
  const size = ({ volumes }: BackupSet) =>
    [...volumes.values()].reduce((sum, volume) => sum + volume.size, 0);
  const fast = new Set(sets.toSorted((one, other) => size(other) - size(one)).slice(0, 2));
  const chunk = Math.min(LARGEST, Math.max(SMALLEST, Math.floor(TOGETHER / sets.length)));
  return set => (fast.has(set) ? undefined : chunk);
}
