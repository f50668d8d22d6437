/** Whether a source entry is what the chain has of its path (FORMAT.md, "Change detection"). */

import { fingerprintOf } from '../catalog/fingerprint.ts';
import type { CatalogEntry } from '../catalog/versions.ts';
import type { SourceEntry } from '../files/walk.ts';

export interface StateComparison {
  /** Local number of an owner or group as the archive has it: by name where the name is known here. */
  localUid(entry: { readonly uid: number; readonly uname: string }): number;
  localGid(entry: { readonly gid: number; readonly gname: string }): number;
  readonly stableInodes: boolean;
  /** When the run began that stored a set's versions; seconds. */
  timeOfSet(set: number): number;
}

/**
 * - `same`: nothing to store.
 * - `suspect`: as far as the format goes nothing has changed, but somebody has touched the file: only reading it tells.
 * - `changed`: to be stored, as a delta where both are files.
 * - `replaced`: another type.
 */
export type Verdict = 'same' | 'suspect' | 'changed' | 'replaced';

export function compareState(entry: SourceEntry, known: CatalogEntry, comparison: StateComparison): Verdict {
  if (entry.type !== known.type) return 'replaced';
  if (entry.type === 'symlink') return entry.linkname === known.linkname ? 'same' : 'changed';
  const owned =
    entry.mode === known.mode &&
    entry.uid === comparison.localUid(known) &&
    entry.gid === comparison.localGid(known);
  if (!owned) return 'changed';
  if (entry.type === 'chardev' || entry.type === 'blockdev') {
    return entry.devMajor === known.devMajor && entry.devMinor === known.devMinor ? 'same' : 'changed';
  }
  if (entry.mtimeSeconds !== known.mtimeSeconds) return 'changed';
  if (entry.type !== 'file') return 'same';
  // All that is known is a whole second: who wrote after we had read, within that second, did so after we began.
  if (known.stat === undefined) return isYounger(entry, known, comparison) ? 'suspect' : 'same';
  return known.stat === fingerprintOf(entry, comparison.stableInodes) ? 'same' : 'suspect';
}

function isYounger(
  { mtimeSeconds }: SourceEntry,
  { signature }: CatalogEntry,
  comparison: StateComparison,
): boolean {
  return signature !== undefined && mtimeSeconds >= comparison.timeOfSet(signature.set);
}
