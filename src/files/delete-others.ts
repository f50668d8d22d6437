/**
 * Removes from a folder what a restore has not placed there. Two walks in the same order are merged: the list of what
 * was placed, and the folder itself. Directories are entered one by one without following links, and keep their times.
 */

import { fchmodSync, fstatSync, futimesSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { bytesOf, comparePaths, isWithin } from '../bytes.ts';
import { messageOf, systemCode } from '../errors.ts';
import { findFdFolder } from './anchors.ts';
import type { TargetFolder } from './target-folder.ts';
import { createTargetTree } from './target-tree.ts';
import { type SourceEntry, walk } from './walk.ts';

export interface DeleteOptions {
  /** Only what lies at or below one of these is touched; all if empty. */
  readonly within: readonly string[];
  /** Paths that stay in any case, with the folders that they lie in. */
  readonly kept?: readonly string[];
  /** Nothing is removed, but told as if it were. */
  readonly dryRun?: boolean;
  onDeleted(path: string): void;
  /** What was placed is not there under this name: it may be one of those that would go. */
  onMissing?(path: string): void;
  onProblem(path: string, message: string): void;
  /** A folder that another file system is mounted on, which is not looked into. */
  onMountPoint(path: string): void;
}

/**
 * @param target latin1 path of a folder
 * @param placed paths below it in walk order, `''` for itself
 */
export function deleteOthers(target: string, placed: Iterator<string>, options: DeleteOptions): void {
  const times = new Map<number, readonly [accessed: number, modified: number]>();
  const tree = createTargetTree(target, {
    fdFolder: findFdFolder(),
    leave(folder) {
      if (folder.lockedMode !== undefined) fchmodSync(folder.fd, folder.lockedMode);
      const before = times.get(folder.fd);
      times.delete(folder.fd);
      if (before) futimesSync(folder.fd, ...before);
    },
    missing() {},
    unnamed() {},
  });
  const keepTimes = ({ fd }: TargetFolder) => {
    if (times.has(fd)) return;
    const { atimeMs, mtimeMs } = fstatSync(fd);
    times.set(fd, [atimeMs / 1000, mtimeMs / 1000]);
  };
  /** Folders that go as soon as they are empty. */
  const doomed: string[] = [];

  const { dev } = statSync(bytesOf(target), { bigint: true });
  const staying = [...(options.kept ?? [])];
  /** Of what is mounted below the target nobody knows whether it was there when the backup was made. */
  function select(entry: SourceEntry): 'take' | 'skip' {
    if (staying.some(place => isWithin(entry.path, place))) return 'skip';
    // Files of an overlay have devices of their own.
    if (entry.type !== 'directory' || entry.dev === dev) return 'take';
    staying.push(entry.path);
    options.onMountPoint(entry.path);
    return 'skip';
  }

  function remove(path: string, isFolder: boolean): void {
    if (isFolder && staying.some(place => isWithin(place, path))) return;
    if (options.dryRun) return options.onDeleted(path);
    try {
      const { folder, name } = tree.placeOf(path);
      keepTimes(folder);
      const place = bytesOf(`${folder.base}/${name}`);
      if (isFolder) rmdirSync(place);
      else unlinkSync(place);
      options.onDeleted(path);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') options.onProblem(path, messageOf(error));
    }
  }

  function removeDoomed(next: string | undefined): void {
    while (doomed.length > 0 && (next === undefined || !isWithin(next, doomed.at(-1)!))) {
      remove(doomed.pop()!, true);
    }
  }

  let wanted = placed.next();
  let seen = '';
  function passWanted(until: string | undefined): void {
    while (!wanted.done && (until === undefined || comparePaths(wanted.value, until) < 0)) {
      const path = wanted.value;
      if (path !== seen && path !== '' && !staying.some(place => isWithin(path, place)))
        options.onMissing?.(path);
      wanted = placed.next();
    }
  }
  try {
    for (const batch of walk(target, { select })) {
      for (const item of batch) {
        const path = (item.entry ?? item.problem ?? item.skipped).path;
        removeDoomed(path);
        passWanted(path);
        seen = path;
        if (item.problem?.vanished === false) staying.push(path); // nobody sees what is in it
        if (path === '' || (!wanted.done && wanted.value === path)) continue;
        const isTouched = options.within.length === 0 || options.within.some(place => isWithin(path, place));
        // A folder on the way to what is wanted stays, whoever described it.
        if (!isTouched || isOnTheWay(path)) continue;
        if (item.entry?.type === 'directory') doomed.push(path);
        else remove(path, false);
      }
    }
    passWanted(undefined);
    removeDoomed(undefined);
  } finally {
    tree.close();
  }

  function isOnTheWay(path: string): boolean {
    return !wanted.done && isWithin(wanted.value, path);
  }
}
