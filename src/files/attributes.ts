/** Owner, mode and time of a restored thing, set through an open file so that no name is looked up again. */

import {
  chmodSync,
  chownSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  statSync,
  utimesSync,
} from 'node:fs';
import type { Attributes } from '../entry.ts';
import type { IdNames } from './ids.ts';
import { systemError } from './problem.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whose an entry is on this machine: by name where the name exists here, else by number (FORMAT.md, "Owners"). */
export function ownerOf(entry: Attributes, names: IdNames, numericOwner: boolean): Owner {
  const uid = numericOwner || entry.uname === '' ? undefined : names.uid(entry.uname);
  const gid = numericOwner || entry.gname === '' ? undefined : names.gid(entry.gname);
  return { uid: uid ?? entry.uid, gid: gid ?? entry.gid };
}

/** What of an owner is to be set: root sets both, others may give what is theirs to a group that they are in. */
export type OwnerPart = 'both' | 'group' | 'none';

/** @returns what this process may set of an owner */
export function createOwnerRights(): (wanted: Owner) => OwnerPart {
  if (process.geteuid?.() === 0) return () => 'both';
  const groups = new Set(process.getgroups?.());
  return ({ gid }) => (groups.has(gid) ? 'group' : 'none');
}

/** Whether something has that part of the owner. */
export function hasOwner(has: Owner | undefined, wanted: Owner, part: OwnerPart): boolean {
  if (part === 'none') return true;
  return has?.gid === wanted.gid && (part === 'group' || has.uid === wanted.uid);
}

/** What a restored thing may lack. */
export type AttributeName = 'owner' | 'mode' | 'time' | 'name';

/** Owner and permission bits of what is there. */
export interface Has extends Owner {
  /** Without set-id bits, which a change of owner would take away. */
  readonly mode?: number | undefined;
}

/** Something of the target in our hands. */
export interface Hold {
  chown(owner: Owner): void;
  chmod(mode: number): void;
  touch(seconds: number): void;
  owner(): Owner;
}

/** A file or directory open for reading or writing. */
export function holdOpen(fd: number): Hold {
  return {
    chown: ({ uid, gid }) => fchownSync(fd, uid, gid),
    chmod: mode => fchmodSync(fd, mode),
    touch: seconds => futimesSync(fd, seconds, seconds),
    owner: () => fstatSync(fd),
  };
}

/** Anything but a symlink, by a path that should not lead elsewhere: `/proc/self/fd/N` of a pinned place. */
export function holdPlace(place: Buffer): Hold {
  return {
    chown: ({ uid, gid }) => chownSync(place, uid, gid),
    chmod: mode => chmodSync(place, mode),
    touch: seconds => utimesSync(place, seconds, seconds),
    owner: () => statSync(place),
  };
}

/** A symlink itself; links have no mode. */
export function holdLink(place: Buffer): Hold {
  return {
    chown: ({ uid, gid }) => lchownSync(place, uid, gid),
    chmod: () => {},
    touch: seconds => lutimesSync(place, seconds, seconds),
    owner: () => lstatSync(place),
  };
}

/**
 * Gives a thing its owner, mode and time, in this order, because a change of owner takes the
 * set-user-id bit away. A set-id bit is only given with the owner that it was meant for: with another one it would
 * lend that one's rights to everybody.
 * @param wanted the owner as archived
 * @param part what of it is to be set
 * @param has what needs not be set, as it is right
 * @param trouble called for each attribute that can't be set; the others are set all the same
 */
export function applyAttributes(
  hold: Hold,
  entry: Attributes,
  wanted: Owner,
  part: OwnerPart,
  has: Has | undefined,
  trouble: (error: unknown, attribute: AttributeName) => void,
): void {
  const attempt = (attribute: AttributeName, step: () => void): void => {
    try {
      step();
    } catch (error) {
      trouble(error, attribute);
    }
  };
  attempt('owner', () => {
    if (hasOwner(has, wanted, part)) return;
    if (!isId(wanted.uid) || !isId(wanted.gid)) throw systemError('EINVAL', 'no valid owner');
    hold.chown(part === 'group' ? { uid: kept, gid: wanted.gid } : wanted);
  });
  attempt('mode', () => {
    let mode = entry.mode & 0o7777;
    if (has?.mode === mode) return;
    if (entry.type === 'file' && (mode & 0o6000) !== 0) {
      const owner = hold.owner();
      if (owner.uid !== wanted.uid) mode &= ~0o4000;
      if (owner.gid !== wanted.gid) mode &= ~0o2000;
    }
    hold.chmod(mode);
    if (mode !== (entry.mode & 0o7777))
      throw systemError('EPERM', 'set-id bit left out, the owner is another one');
  });
  attempt('time', () => hold.touch(entry.mtimeSeconds));
}

/** What chown(2) takes for: leave it. */
const kept = -1;
const unchanged = 0xffffffff;

function isId(number: number): boolean {
  return number >= 0 && number < unchanged;
}
