/**
 * Paths of any length. The system takes at most 4095 bytes at a time, trees can be deeper. Where a path gets too
 * long, an ancestor directory is opened and its children are addressed through the open file: `/proc/self/fd/N/rest`.
 * Anchors follow a sorted walk: one for about every 4000 bytes of the current path, closed when the walk leaves them.
 */

import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import { bytesOf, isWithin } from '../bytes.ts';
import { systemError } from './problem.ts';

/** Below PATH_MAX (4096 with its NUL), with room for `/proc/self/fd/N`. */
const longestPath = 4000;

/**
 * The folder that shows our open files as paths; '' where the system has none (no Linux, or no /proc). It is named by
 * the number that /proc knows us by: through `self`, a link, each path would take longer.
 */
export function findFdFolder(): string {
  try {
    return `/proc/${readlinkSync('/proc/self')}/fd`;
  } catch {
    return '';
  }
}

export interface Anchors {
  /**
   * What to hand to the system for a path below the root ('' is the root itself); valid until the next call.
   * @throws a system error: ENAMETOOLONG where open files have no paths, or what opening an ancestor gives
   */
  at(path: string): Buffer;
  close(): void;
}

/** @param root latin1 path; relative ones count from the working directory */
export function createAnchors(root: string, fdFolder = findFdFolder()): Anchors {
  const prefix = root.endsWith('/') ? root : `${root}/`;
  const open: { readonly path: string; readonly fd: number }[] = [];

  /** Drops anchors beside the path, adds what is missing, and gives the path from the deepest one. */
  function anchored(path: string): string {
    while (open.length > 0 && !isWithin(path, open.at(-1)!.path)) closeQuietly(open.pop()!.fd);
    // The anchor must be a true ancestor: `/proc/self/fd/N` itself is a symlink.
    const nearest = open.findLast(anchor => anchor.path !== path);
    let base = nearest ? `${fdFolder}/${nearest.fd}/` : prefix;
    let start = nearest ? nearest.path.length + 1 : 0;
    while (base.length + path.length - start > longestPath) {
      const cut = path.lastIndexOf('/', start + longestPath - base.length);
      if (fdFolder === '' || cut <= start) throw systemError('ENAMETOOLONG', 'path too long');
      const fd = openSync(bytesOf(base + path.slice(start, cut)), folderFlags);
      open.push({ path: path.slice(0, cut), fd });
      base = `${fdFolder}/${fd}/`;
      start = cut + 1;
    }
    return base + path.slice(start);
  }

  return {
    at(path) {
      if (path === '') return bytesOf(root);
      return bytesOf(prefix.length + path.length <= longestPath ? prefix + path : anchored(path));
    },
    close() {
      for (const { fd } of open.splice(0)) closeQuietly(fd);
    },
  };
}

/** Closes what was only read: an error then (a file system that is gone) says nothing about what was read. */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {}
}

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
