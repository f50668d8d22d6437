/**
 * Files that appear whole or not at all: written under a temporary name beside their place, synced, renamed, and the
 * folder synced. Shared by the folder storage and the archive cache, which differ only in what they tell the user:
 * each hands in `explain`, which turns the system's error into theirs. Errors of a source or a signal pass unchanged.
 */

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { bytesOf } from '../bytes.ts';
import { isSyncUnknown, systemCode } from '../errors.ts';
import type { Chunks } from '../streams.ts';
import { type GetOptions, TEMPORARY_PREFIX } from './storage.ts';

/** Turns a failure of the file system into the error to throw. */
export type Explain = (error: unknown) => Error;

const SLAB = 256 * 1024; // below this the cost of a call shows, above it only memory grows
/** Read at once, as each time wakes a thread of libuv: on a virtual machine that takes as long as the reading. */
const READ = 4 * SLAB;
/** So much is synced while more is written: the end does not wait for all of it, and a disk that fails is soon known. */
const SYNC_EVERY = 32 * 1024 * 1024;
const STALE_AFTER_MS = 24 * 60 * 60 * 1000; // an upload that wrote nothing for a day is dead

/** The promise, with its failure explained. */
export async function explained<T>(explain: Explain, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw explain(error);
  }
}

/** `name` in `folder`, as the system wants it; both are bytes as latin1 strings. */
export function inFolder(folder: string, name: string): Buffer {
  return bytesOf(folder.endsWith('/') ? folder + name : `${folder}/${name}`);
}

/**
 * Puts a file (mode 0600) into a folder, replacing one of that name, or leaves all as it was.
 * @param source chunks are lent
 * @param makeFolder called when the folder is not there
 * @param owner whose files `removeStaleFiles` may remove at once; of letters and digits
 * @param after what the file waits for before it appears; if this fails, it does not
 * @param taken what to throw where there is one of that name; it can't be seen where the file system has no links
 * @returns bytes written
 */
export async function writeWhole(
  folder: string,
  name: string,
  source: Chunks | Uint8Array,
  options: {
    explain: Explain;
    makeFolder: () => Promise<void>;
    owner?: string | undefined;
    signal?: AbortSignal | undefined;
    after?: Promise<unknown> | undefined;
    taken?: (() => Error) | undefined;
  },
): Promise<number> {
  const { explain, makeFolder, owner, signal, after, taken } = options;
  signal?.throwIfAborted();
  const temporary = inFolder(folder, temporaryPrefix(owner) + randomBytes(12).toString('hex'));
  const create = () => open(temporary, 'wx', 0o600);
  const file = await create().catch(async error => {
    if (systemCode(error) !== 'ENOENT') throw explain(error);
    await makeFolder();
    return explained(explain, create());
  });
  try {
    let size: number;
    try {
      size = await writeChunks(file, source instanceof Uint8Array ? [source] : source, explain, signal);
      await explained(explain, syncFile(file));
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    await explained(explain, file.close()); // network file systems report a full disk as late as here
    await after;
    signal?.throwIfAborted();
    const place = inFolder(folder, name);
    const isLinked = taken !== undefined && (await explained(explain, linkNew(temporary, place)));
    if (isLinked === 'taken') throw taken!();
    await explained(explain, isLinked ? unlink(temporary) : rename(temporary, place));
    await explained(explain, syncFolder(folder));
    return size;
  } catch (error) {
    await unlink(temporary).catch(() => {}); // the first failure is the one to tell; removeStale gets the rest
    throw error;
  }
}

/** @returns false where the file system has no links */
async function linkNew(from: Buffer, to: Buffer): Promise<boolean | 'taken'> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') return false;
    // A network file system may have done it and lost the answer.
    return (await stat(from)).nlink > 1 || 'taken';
  }
}

function temporaryPrefix(owner: string | undefined): string {
  return owner === undefined ? TEMPORARY_PREFIX : `${TEMPORARY_PREFIX}${owner}-`;
}

/** Writes at the file's position, in pieces of a slab or more whatever the source's chunks are. */
async function writeChunks(
  file: FileHandle,
  source: Chunks | Iterable<Uint8Array>,
  explain: Explain,
  signal?: AbortSignal,
): Promise<number> {
  let slab: Buffer | undefined;
  let filled = 0;
  let size = 0;
  let synced = 0;
  let syncing: Promise<void> | undefined;
  for await (const chunk of source) {
    signal?.throwIfAborted();
    size += chunk.length;
    let rest = chunk;
    while (rest.length > 0) {
      if (filled === 0 && rest.length >= SLAB) {
        await explained(explain, writeAll(file, rest));
        break;
      }
      slab ??= Buffer.allocUnsafeSlow(SLAB);
      const taken = rest.subarray(0, SLAB - filled);
      slab.set(taken, filled);
      filled += taken.length;
      rest = rest.subarray(taken.length);
      if (filled === SLAB) {
        await explained(explain, writeAll(file, slab));
        filled = 0;
      }
    }
    if (size - synced >= SYNC_EVERY) {
      await syncing; // of what it finds the system tells once only
      synced = size;
      syncing = explained(explain, syncFile(file));
      syncing.catch(() => {}); // it is reported when its turn comes
    }
  }
  if (slab && filled > 0) await explained(explain, writeAll(file, slab.subarray(0, filled)));
  await syncing;
  signal?.throwIfAborted();
  return size;
}

/** Writes all of `bytes` (lent until done) at the file's position, however few the system takes at a time. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}

/** Bytes of a file in lent chunks; links are followed. What is no regular file counts as absent (ENOENT). */
export async function* readFileChunks(
  path: Buffer,
  explain: Explain,
  { offset = 0, length = Number.POSITIVE_INFINITY, chunk = SLAB, signal }: GetOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  signal?.throwIfAborted();
  // Without O_NONBLOCK a fifo of that name would hang us for ever.
  const file = await explained(explain, open(path, constants.O_RDONLY | constants.O_NONBLOCK));
  let ahead: Promise<Buffer> | undefined;
  try {
    const stat = await explained(explain, file.stat());
    if (!stat.isFile()) throw explain(Object.assign(new Error('not a regular file'), { code: 'ENOENT' }));
    const end = offset + length;
    const isAhead = chunk >= SLAB; // who wants little at once does without what is read ahead
    const size = Math.max(1, Math.min(isAhead ? READ : chunk, length, stat.size - offset));
    const slabs: Buffer[] = [];
    const most = isAhead ? 2 : 1;
    /** By turns into one of the slabs. */
    const read = async (position: number) => {
      const slab = slabs.length < most ? Buffer.allocUnsafeSlow(size) : slabs.shift()!;
      slabs.push(slab);
      const { bytesRead } = await file.read(slab, 0, Math.min(size, end - position), position);
      return slab.subarray(0, bytesRead);
    };
    for (let position = offset; position < end; ) {
      const bytes = await explained(explain, ahead ?? read(position));
      ahead = undefined;
      signal?.throwIfAborted();
      if (bytes.length === 0) return;
      position += bytes.length;
      if (isAhead && position < Math.min(end, stat.size)) {
        ahead = read(position); // while these are being used
        ahead.catch(() => {});
      }
      for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
    }
  } finally {
    await ahead?.catch(() => {});
    await file.close();
  }
}

/** Makes a folder and the parents it lacks, mode 0700, so that they survive a power cut. */
export async function makeFolders(folder: string): Promise<void> {
  const parent = parentOf(folder);
  const make = () => mkdir(bytesOf(folder), 0o700);
  try {
    await make().catch(async error => {
      if (systemCode(error) !== 'ENOENT' || parent === folder) throw error;
      await makeFolders(parent);
      await make();
    });
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return;
    throw error;
  }
  await syncFolder(parent);
}

function parentOf(folder: string): string {
  const parent = folder.replace(/\/+$/, '').replace(/[^/]*$/, '');
  return parent === '' ? '.' : parent;
}

/** Makes renames in a folder survive a power cut, where the file system can. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(bytesOf(folder), 'r');
  } catch (error) {
    if (systemCode(error) === 'EACCES') return; // a drop box: we may write but not look
    throw error;
  }
  try {
    await syncFile(handle);
  } finally {
    await handle.close();
  }
}

/** fsync, where the file system has it. */
export async function syncFile(file: FileHandle): Promise<void> {
  try {
    await file.sync();
  } catch (error) {
    if (!isSyncUnknown(error)) throw error;
  }
}

/**
 * Byte-exact names in a folder, in no order; an absent folder has none. Not by `opendir`: where the file system tells no
 * types, Node looks at each entry for one, and then it fails for names in bytes, and at one that is gone by then.
 */
export async function readFolder(folder: string, explain: Explain): Promise<string[]> {
  try {
    return [...new Set(await readdir(bytesOf(folder), 'latin1'))]; // network file systems may list a name twice
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw explain(error);
  }
}

/**
 * Removes temporary files of crashed runs: nothing was written to them for a day, or they are `owner`'s, who is not at
 * work now.
 * @returns how many
 */
export async function removeStaleFiles(
  folder: string,
  explain: Explain,
  nowMs: number,
  owner?: string,
): Promise<number> {
  let removed = 0;
  for (const name of await readFolder(folder, explain)) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue;
    const path = inFolder(folder, name);
    try {
      const stat = await lstat(path);
      const isOwn = owner !== undefined && name.startsWith(temporaryPrefix(owner));
      if (!stat.isFile() || (!isOwn && nowMs - stat.mtimeMs < STALE_AFTER_MS)) continue;
      await unlink(path);
      removed++;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw explain(error); // else someone else clears up too
    }
  }
  return removed;
}
