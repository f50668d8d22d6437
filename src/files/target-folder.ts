/**
 * Directories of a restore target, held open while something is written below them. Children are addressed through
 * the open directory (`/proc/self/fd/N/name`), so that no swapped or planted symlink can lead a write elsewhere, and
 * depth has no limit but that of open files. Where open files have no paths, plain paths are used; a link is refused
 * there as well, but not one that somebody else plants in the same moment.
 */

import { chmodSync, closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import type { Entry } from '../entry.ts';
import { systemCode } from '../errors.ts';
import type { Owner } from './attributes.ts';
import { systemError } from './problem.ts';

export interface TargetFolder {
  /** Path of the directory in the archive. */
  readonly path: string;
  readonly fd: number;
  /** Where children are: `${base}/${name}`. */
  readonly base: string;
  /** Whose it is. */
  readonly owner: Owner;
  /** Its mode before it was opened up for us; undefined if it was not. */
  readonly lockedMode: number | undefined;
  /** What it gets when it is left; undefined leaves it as it is. */
  readonly entry: Entry | undefined;
}

/** Linux's number on every kind of machine that Node runs on; Node does not name it. Opens a place, not its content. */
const O_PATH = 0o10000000;

/** @throws a system error for names that could lead out of their directory */
export function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
    throw systemError('EINVAL', 'no valid file name');
  }
}

/**
 * Opens a directory. One that is ours but shuts us out is opened up.
 * @param place latin1 path
 * @param follow whether it may be a symlink: only what the user named may
 * @throws a system error; ENOTDIR for a symlink as for any other thing
 */
export function openTargetFolder(
  place: string,
  path: string,
  entry: Entry | undefined,
  fdFolder: string,
  follow = false,
): TargetFolder {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | (follow ? 0 : constants.O_NOFOLLOW);
  let lockedMode: number | undefined;
  let fd: number;
  let owner: Owner;
  try {
    fd = openSync(bytesOf(place), flags);
  } catch (error) {
    if (systemCode(error) !== 'EACCES') throw error;
    lockedMode = unlock(place, fdFolder);
    fd = openSync(bytesOf(place), flags);
  }
  try {
    const { mode, uid, gid } = fstatSync(fd);
    owner = { uid, gid };
    if ((mode & 0o300) !== 0o300 && uid === process.geteuid?.()) {
      fchmodSync(fd, mode | 0o700);
      lockedMode = mode & 0o7777;
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { path, fd, base: fdFolder ? `${fdFolder}/${fd}` : place, owner, lockedMode, entry };
}

/** Makes a directory of ours readable. @returns its mode before */
function unlock(place: string, fdFolder: string): number {
  const pin = fdFolder === '' ? undefined : pinPlace(place, constants.O_DIRECTORY);
  try {
    const stats = pin === undefined ? lstatSync(bytesOf(place)) : fstatSync(pin);
    if (!stats.isDirectory()) throw systemError('ENOTDIR', 'no directory');
    chmodSync(pin === undefined ? bytesOf(place) : `${fdFolder}/${pin}`, stats.mode | 0o700);
    return stats.mode & 0o7777;
  } finally {
    if (pin !== undefined) closeSync(pin);
  }
}

/** Opens anything as a place, without a look at its content and without following a link. */
export function pinPlace(place: string, flags = 0): number {
  return openSync(bytesOf(place), O_PATH | constants.O_NOFOLLOW | flags);
}
