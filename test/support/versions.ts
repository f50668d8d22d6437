/** A tree as a backup may have it that was made while its source changed. */

import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { SnapshotEntry } from './snapshots.ts';

/** Every entry is as it was in one of the versions; times of folders may lie between two of them. */
export function assertRealVersions(
  tree: readonly SnapshotEntry[],
  versions: readonly (readonly SnapshotEntry[])[],
): void {
  const known = versions.map(version => new Map(version.map(entry => [entry.path, entry])));
  for (const entry of tree) {
    const candidates = known.flatMap(version => version.get(entry.path) ?? []);
    const ignored = entry.type === 'directory' ? { mtimeSeconds: 0 } : {};
    const isOne = candidates.some(candidate =>
      isDeepStrictEqual({ ...entry, ...ignored }, { ...candidate, ...ignored }),
    );
    assert.ok(isOne, `${JSON.stringify(entry)} is none of ${JSON.stringify(candidates)}`);
  }
}
