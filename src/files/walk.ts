/**
 * The source tree, in the order of archives: depth-first, a directory before its content, names sorted as bytes.
 * Synchronous, in batches, with one directory listing per open level in memory. What can't be read is left out and
 * *named*, so that the caller can keep what earlier backups hold of it.
 */

import {
  type BigIntStats,
  constants,
  lstatSync,
  opendirSync,
  readdirSync,
  readlinkSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { bytesOf, comparePaths, displayPath, isWithin, pathOf } from '../bytes.ts';
import type { Entry, EntryType } from '../entry.ts';
import { BackupError } from '../errors.ts';
import { createAnchors } from './anchors.ts';
import { fileSystemOf } from './file-system.ts';
import { createIdNames, type IdNames } from './ids.ts';
import { checkDevice, impatient, type Patience } from './patience.ts';
import { type SourceProblem, sourceProblem, systemName } from './problem.ts';

/** An entry with what only the source knows. */
export interface SourceEntry extends Entry {
  /** Bytes of a regular file's content; else 0. */
  readonly size: number;
  /** What lstat gives as its size, of whatever type: what statistics count. */
  readonly statSize: number;
  readonly dev: bigint;
  readonly ino: bigint;
  /** Nanoseconds since 1970; may be negative. */
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** What a path leads to, whatever its name: numbers of a stat with `bigint: true`. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** One of three: an entry, something that could not be read, or something that archives do not hold (a socket). */
export type WalkItem =
  | { readonly entry: SourceEntry; readonly problem?: undefined; readonly skipped?: undefined }
  | { readonly problem: SourceProblem; readonly entry?: undefined; readonly skipped?: undefined }
  | { readonly skipped: { readonly path: string }; readonly entry?: undefined; readonly problem?: undefined };

export interface WalkOptions {
  readonly names?: IdNames;
  /** With a source that is away for a while; default: none. */
  readonly patience?: Patience;
  /** Whether a root that is a symlink stands for what it leads to (default true). No other link is ever followed. */
  readonly followRoot?: boolean;
  /**
   * Asked for every entry but the root. `skip` leaves it out, a directory with all that is below and unread; `scan`
   * enters a directory and gives its entry only before the first entry taken, or thing that can't be read, below it.
   */
  select?(entry: SourceEntry): 'take' | 'skip' | 'scan';
  /** Left out, with all that is below, and never opened; but for the root. */
  readonly except?: readonly FileIdentity[] | undefined;
  /** Passes over what comes before; default: begins with the root. */
  readonly from?: WalkStart | undefined;
  /** Asked for every directory once it is listed (sorted names, lent): false leaves it out with all that is below. */
  enter?(directory: SourceEntry, names: readonly string[]): boolean;
}

/** A path in the order of the walk. What comes before it is not even looked at, but for the directories it lies in. */
export interface WalkStart {
  readonly path: string;
  /** Whether the path itself is given too. */
  readonly inclusive: boolean;
  /** If not: whether what lies in it is; else it is not even looked at, unless it is the root. */
  readonly enter: boolean;
}

/** What a batch holds is alive at once: more of them, and the young generation's collections copy it again and again. */
const batchSize = 32;
/** Looked at, whether or not it is in a batch: whoever selects one file among millions has other things to do meanwhile. */
const mostVisits = 64;

interface OpenFolder {
  readonly path: string;
  readonly names: readonly string[];
  next: number;
  /** A scanned directory that nothing was taken from yet. */
  pending: SourceEntry | undefined;
}

/**
 * @param root a directory or a single thing; latin1 string or raw bytes
 * @returns small batches of items, some perhaps empty; given
 * @throws {BackupError} `source-missing`, `source-unavailable` when the root itself can't be read; `source-unmounted`
 *   when it is gone or on another file system at the end: what seemed to vanish in between did not
 */
export function* walk(
  root: string | Uint8Array,
  options: WalkOptions = {},
): Generator<WalkItem[], void, undefined> {
  const rootPath = typeof root === 'string' ? root : pathOf(root);
  const anchors = createAnchors(rootPath);
  const names = options.names ?? createIdNames();
  const patience = options.patience ?? impatient;
  const asked = <T>(work: (place: Buffer) => T, path: string) =>
    patience.call(
      () => work(anchors.at(path)),
      () => anchors.close(),
    );
  const folders: OpenFolder[] = [];
  let batch: WalkItem[] = [];
  let visits = 0;
  let rootDevice: bigint | undefined;

  function give(item: WalkItem): void {
    for (const folder of folders) {
      if (folder.pending) batch.push({ entry: folder.pending });
      folder.pending = undefined;
    }
    batch.push(item);
  }

  const { from } = options;
  const isLeftOut = ({ dev, ino }: BigIntStats) =>
    options.except?.some(own => own.ino === ino && own.dev === dev) === true;
  const isPassed = (path: string) =>
    from !== undefined && comparePaths(path, from.path) < (from.inclusive ? 0 : 1);
  /** Of a directory's sorted names, how many come before the start. */
  function passedNames(path: string, names: readonly string[]): number {
    if (!from || !isWithin(from.path, path)) return 0;
    if (from.path === path) return from.inclusive || from.enter ? 0 : names.length;
    const start = path === '' ? 0 : path.length + 1;
    const slash = from.path.indexOf('/', start);
    const next = from.path.slice(start, slash < 0 ? undefined : slash);
    const isOver = slash < 0 && !from.inclusive && !from.enter;
    const index = names.findIndex(name => (isOver ? name > next : name >= next));
    return index < 0 ? names.length : index;
  }

  function visit(path: string): void {
    let during: SourceProblem['during'] = 'lstat';
    try {
      const stat = path === '' && options.followRoot !== false ? statSync : lstatSync;
      const stats = asked(place => stat(place, { bigint: true }), path);
      if (path !== '' && isLeftOut(stats)) return;
      const type = typeOf(Number(stats.mode));
      if (type === undefined) {
        batch.push({ skipped: { path } });
        return;
      }
      during = 'readlink';
      const linkname = type === 'symlink' ? asked(readLink, path) : '';
      const entry = entryOf(path, type, linkname, stats, names);
      const choice = path === '' ? 'take' : (options.select?.(entry) ?? 'take');
      if (choice === 'skip') return;
      const passed = isPassed(path);
      if (type !== 'directory') {
        if (choice === 'take' && !passed) give({ entry });
        return;
      }
      during = 'readdir';
      const isLarge = Number(stats.size) > LARGE_FOLDER;
      const listed = asked(isLarge ? listLargeFolder : listFolder, path);
      if (path === '') rootDevice = stats.dev;
      if (options.enter?.(entry, listed) === false) return;
      if (choice === 'take' && !passed) give({ entry });
      folders.push({
        path,
        names: listed,
        next: passed ? passedNames(path, listed) : 0,
        pending: choice === 'scan' && !passed ? entry : undefined,
      });
    } catch (error) {
      const problem = sourceProblem(path, during, error);
      if (path === '') throw rootError(rootPath, problem, error);
      if (problem.vanished) batch.push({ problem });
      else give({ problem }); // else what the chain has of it would be in folders that are gone
    }
  }

  try {
    visit('');
    for (let folder = folders.at(-1); folder; folder = folders.at(-1)) {
      const name = folder.names[folder.next++];
      if (name === undefined) folders.pop();
      else visit(folder.path === '' ? name : `${folder.path}/${name}`);
      if (batch.length >= batchSize || ++visits >= mostVisits) {
        yield batch;
        batch = [];
        visits = 0;
      }
    }
    if (rootDevice !== undefined) checkRoot(rootPath, rootDevice, patience);
    if (batch.length > 0) yield batch;
  } finally {
    anchors.close();
  }
}

/** The file system that a root is on, as statfs numbers its kind. @throws {BackupError} as walk does */
export function fileSystemTypeOf(root: string, patience: Patience = impatient): number {
  try {
    return patience.call(() => fileSystemOf(statfsSync(bytesOf(root), { bigint: true })));
  } catch (error) {
    throw rootError(root, sourceProblem('', 'lstat', error), error);
  }
}

/**
 * Whether the root is still on the device that it was on. The device alone: some network file systems give a folder
 * another inode number now and then.
 * @throws {BackupError} `source-unmounted`; `source-unavailable` when it can't be looked at
 */
export function checkRoot(root: string, device: bigint, patience: Patience): void {
  let now: bigint;
  try {
    now = patience.call(() => statSync(bytesOf(root), { bigint: true }).dev);
  } catch (error) {
    const problem = sourceProblem('', 'lstat', error);
    if (problem.vanished) now = -1n;
    else throw rootError(root, problem, error);
  }
  checkDevice(root, device, now);
}

/** Names in byte order: they are latin1 strings, which sort as their bytes do. */
function listFolder(place: Buffer): string[] {
  return onceEach(readdirSync(place, { encoding: 'latin1' }).sort());
}

/** Some file systems list a name twice when it comes or goes meanwhile. */
function onceEach(sorted: string[]): string[] {
  const isTwice = sorted.some((name, index) => name === sorted[index + 1]);
  return isTwice ? sorted.filter((name, index) => name !== sorted[index + 1]) : sorted;
}

/** What a folder's size means differs; it is never more than this where names are few. */
const LARGE_FOLDER = 1024 * 1024;

/** The same, slower, without the system's own list of all of them beside ours. */
function listLargeFolder(place: Buffer): string[] {
  const folder = opendirSync(place, { encoding: 'latin1', bufferSize: 1024 });
  try {
    const names: string[] = [];
    for (let found = folder.readSync(); found; found = folder.readSync()) names.push(found.name);
    return onceEach(names.sort());
  } catch (error) {
    if (systemName(error) !== undefined) throw error;
    return listFolder(place); // Node can't look, by bytes, at what the file system tells no type of
  } finally {
    folder.closeSync();
  }
}

function readLink(place: Buffer): string {
  return readlinkSync(place, { encoding: 'latin1' });
}

function typeOf(mode: number): EntryType | undefined {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFREG:
      return 'file';
    case constants.S_IFDIR:
      return 'directory';
    case constants.S_IFLNK:
      return 'symlink';
    case constants.S_IFIFO:
      return 'fifo';
    case constants.S_IFCHR:
      return 'chardev';
    case constants.S_IFBLK:
      return 'blockdev';
    default:
      return undefined;
  }
}

/** An entry of a file that was opened after the walk had passed it. @param stats what was opened; a regular file */
export function asOpened(entry: SourceEntry, stats: BigIntStats, names: IdNames): SourceEntry {
  const isSame =
    entry.ctimeNs === stats.ctimeNs &&
    entry.mtimeNs === stats.mtimeNs &&
    entry.ino === stats.ino &&
    entry.size === Number(stats.size);
  return isSame ? entry : entryOf(entry.path, 'file', '', stats, names);
}

function entryOf(
  path: string,
  type: EntryType,
  linkname: string,
  stats: BigIntStats,
  names: IdNames,
): SourceEntry {
  const uid = Number(stats.uid);
  const gid = Number(stats.gid);
  const device = type === 'chardev' || type === 'blockdev' ? deviceOf(stats.rdev) : noDevice;
  return {
    path,
    type,
    mode: Number(stats.mode) & 0o7777,
    uid,
    gid,
    uname: names.uname(uid),
    gname: names.gname(gid),
    mtimeSeconds: stats.mtimeNs > 0n ? Number(stats.mtimeNs / 1_000_000_000n) : 0,
    linkname,
    devMajor: device.major,
    devMinor: device.minor,
    size: type === 'file' ? Number(stats.size) : 0,
    statSize: Number(stats.size),
    dev: stats.dev,
    ino: stats.ino,
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
  };
}

const noDevice = { major: 0, minor: 0 };

/** Linux spreads both numbers over 64 bits (makedev(3)): MMMMM mmmmm MMM mm, each letter 4 bits. */
function deviceOf(device: bigint): typeof noDevice {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

function rootError(root: string, problem: SourceProblem, cause: unknown): BackupError {
  const facts = { path: displayPath(root), systemCode: problem.systemCode };
  return problem.vanished
    ? new BackupError(
        'source-missing',
        `There is no ${facts.path}: check the path, and whether its disk is mounted.`,
        facts,
        { cause },
      )
    : new BackupError('source-unavailable', `Can't read ${facts.path}: ${facts.systemCode}.`, facts, {
        cause,
      });
}
