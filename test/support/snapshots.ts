/**
 * What a tree holds, small enough to compare: one line per entry with a digest instead of the content.
 *
 * Directories are reached through `/proc/self/fd`, so that names may be any bytes and paths longer than the system
 * takes in one call.
 */

import { AssertionError } from 'node:assert';
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { bytesOf, comparePaths, displayPath, pathOf } from '../../src/bytes.ts';
import type { EntryType } from '../../src/entry.ts';
import { systemCode } from '../../src/errors.ts';

export interface SnapshotEntry {
  /** As in bytes.ts; '' is the tree's root. */
  readonly path: string;
  readonly type: EntryType | 'socket';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Floored; 0 for times before 1970 and for symlinks, which no archive of ours keeps. */
  readonly mtimeSeconds: number;
  /** Regular files; else 0. */
  readonly size: number;
  /** Regular files: hex digest of the content, or `unreadable`; directories `unreadable` or ''; else ''. */
  readonly sha256: string;
  readonly linkname: string;
  /** Devices: the system's number; else 0. */
  readonly rdev: number;
}

export interface WalkEntry {
  readonly path: string;
  /** Where system calls find it; valid until the next entry is asked for. */
  readonly location: Buffer;
  readonly stats: BigIntStats;
  /** A directory that we may not list. */
  readonly closed: boolean;
}

/** Depth-first, in the order of comparePaths, sockets included; a directory comes before its content. */
export function* walkTree(dir: string | Buffer, path = ''): Generator<WalkEntry, void, undefined> {
  const location = Buffer.from(dir);
  const stats = lstatSync(location, { bigint: true });
  if (!stats.isDirectory()) {
    yield { path, location, stats, closed: false };
    return;
  }
  const fd = openDirectory(location);
  yield { path, location, stats, closed: fd === undefined };
  if (fd === undefined) return;
  try {
    const here = `/proc/self/fd/${fd}/`;
    for (const name of readdirSync(here, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const child = pathOf(name);
      yield* walkTree(Buffer.concat([Buffer.from(here), name]), path === '' ? child : `${path}/${child}`);
    }
  } finally {
    closeSync(fd);
  }
}

function openDirectory(location: Buffer): number | undefined {
  try {
    return openSync(location, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemCode(error) === 'EACCES') return undefined;
    throw error;
  }
}

/** Every entry below and including `dir`, in the order of comparePaths. Sockets are left out: no archive keeps them. */
export function snapshotTree(dir: string): SnapshotEntry[] {
  const entries: SnapshotEntry[] = [];
  for (const found of walkTree(dir)) {
    const { stats } = found;
    const type = typeOf(stats);
    if (type === 'socket') continue;
    entries.push({
      path: found.path,
      type,
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mtimeSeconds: type === 'symlink' ? 0 : Math.max(0, mtimeSecondsOf(stats)),
      size: type === 'file' ? Number(stats.size) : 0,
      sha256: type === 'file' ? digestOf(found.location) : found.closed ? 'unreadable' : '',
      linkname: type === 'symlink' ? pathOf(readlinkSync(found.location, { encoding: 'buffer' })) : '',
      rdev: type === 'chardev' || type === 'blockdev' ? Number(stats.rdev) : 0,
    });
  }
  return entries;
}

/** Floored whole seconds; from nanoseconds, because `mtimeMs` rounds .999999999 up into the next second. */
export function mtimeSecondsOf(stats: BigIntStats): number {
  const second = 1_000_000_000n;
  const rest = ((stats.mtimeNs % second) + second) % second;
  return Number((stats.mtimeNs - rest) / second);
}

function typeOf(stats: BigIntStats): SnapshotEntry['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isCharacterDevice()) return 'chardev';
  return stats.isBlockDevice() ? 'blockdev' : 'socket';
}

const readSlab = Buffer.allocUnsafeSlow(256 * 1024);

function digestOf(location: Buffer): string {
  let fd: number;
  try {
    fd = openSync(location, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemCode(error) === 'EACCES') return 'unreadable';
    throw error;
  }
  try {
    const hash = createHash('sha256');
    for (let length = readSync(fd, readSlab); length > 0; length = readSync(fd, readSlab)) {
      hash.update(readSlab.subarray(0, length));
    }
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}

export interface CompareOptions {
  /** Fields that need not agree. */
  readonly ignore?: readonly (keyof SnapshotEntry)[];
  /** Entries that are passed over on both sides. */
  readonly without?: (entry: SnapshotEntry) => boolean;
}

const fields = ['type', 'mode', 'uid', 'gid', 'mtimeSeconds', 'size', 'linkname', 'rdev', 'sha256'] as const;

/** One printable line per path that is missing, unexpected or different; empty if the trees are the same. */
export function treeDifferences(
  actual: readonly SnapshotEntry[],
  expected: readonly SnapshotEntry[],
  { ignore = [], without = () => false }: CompareOptions = {},
): string[] {
  const compared = fields.filter(field => !ignore.includes(field));
  const left = actual.filter(entry => !without(entry));
  const right = expected.filter(entry => !without(entry));
  const differences: string[] = [];
  for (let i = 0, j = 0; i < left.length || j < right.length; ) {
    const a = left[i];
    const b = right[j];
    const order = a === undefined ? 1 : b === undefined ? -1 : comparePaths(a.path, b.path);
    if (order < 0) differences.push(`unexpected ${describe(a!)}`);
    else if (order > 0) differences.push(`missing ${describe(b!)}`);
    else {
      const told = compared.filter(field => a![field] !== b![field]);
      if (told.length > 0) {
        const list = told.map(field => `${field} ${show(field, a!)}, expected ${show(field, b!)}`);
        differences.push(`${displayPath(a!.path)}: ${list.join('; ')}`);
      }
    }
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return differences;
}

const SHOWN = 12;

/** Fails with the first differences, by path. */
export function assertSameTree(
  actual: readonly SnapshotEntry[],
  expected: readonly SnapshotEntry[],
  options: CompareOptions = {},
): void {
  const differences = treeDifferences(actual, expected, options);
  if (differences.length === 0) return;
  const more = differences.length - SHOWN;
  const lines = differences.slice(0, SHOWN).concat(more > 0 ? [`and ${more} more`] : []);
  throw new AssertionError({
    message: `the trees differ in ${differences.length} of ${expected.length} entries:\n  ${lines.join('\n  ')}`,
    stackStartFn: assertSameTree,
  });
}

function describe(entry: SnapshotEntry): string {
  return `${entry.type} ${displayPath(entry.path)} (${show('mode', entry)}, ${entry.size} bytes)`;
}

function show(field: (typeof fields)[number], entry: SnapshotEntry): string {
  if (field === 'mode') return entry.mode.toString(8).padStart(4, '0');
  if (field === 'linkname') return `'${displayPath(entry.linkname)}'`;
  return String(entry[field]).slice(0, 16);
}

/** A system path for an entry of a tree that lies at `dir`. */
export function locationOf(dir: string, path: string): Buffer {
  return path === '' ? Buffer.from(dir) : Buffer.concat([Buffer.from(`${dir}/`), bytesOf(path)]);
}
