/**
 * What a run works with itself, where that lies in the folder that it backs up or compares. It grows while it is read,
 * and a lock file that is opened and closed is locked no more: record locks end with the first close in a process.
 */

import { type PathLike, statSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import { heldLocks } from '../cache/lock.ts';
import type { FileIdentity } from '../files/walk.ts';
import type { Archive } from './archive.ts';

/** The archive's folder in the cache, and what this process has locked. */
export function ownPlaces({ cache }: Pick<Archive, 'cache'>): FileIdentity[] {
  return [bytesOf(cache.folder), ...heldLocks()].flatMap(identityOf);
}

function identityOf(place: PathLike): FileIdentity[] {
  try {
    const { dev, ino } = statSync(place, { bigint: true });
    return [{ dev, ino }];
  } catch {
    return []; // what is not there is not read either
  }
}
