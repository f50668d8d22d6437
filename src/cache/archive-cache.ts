/**
 * The archive cache of one target: local, readable copies of its manifests (`….manifest`, plain) and signatures
 * (`….sigtar.gz`), named and laid out as duplicity does, so that both may share it (FORMAT.md, "Archive cache").
 * What a running backup grows lies in a folder of its own until it is published: a `.part` file would make duplicity
 * take over our run. Everything here can be fetched again except those partial files.
 *
 * The folder holds file names and signatures in the clear: mode 0700, files 0600, and one that belongs to someone
 * else is refused. All names are bytes as latin1 strings; all errors of the disk are 'local-io'.
 */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, type FileHandle, lstat, open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { bytesOf, displayPath, pathFromText, pathOf } from '../bytes.ts';
import { BackupError, reasonOf, systemCode } from '../errors.ts';
import {
  explained,
  inFolder,
  makeFolders,
  readFileChunks,
  readFolder,
  removeStaleFiles,
  syncFile,
  syncFolder,
  writeAll,
  writeWhole,
} from '../storage/durable-file.ts';
import { checkName, type GetOptions } from '../storage/storage.ts';
import type { Chunks } from '../streams.ts';

/** duplicity locks this file; lock.ts too. Nothing else may open it: closing any handle of a process drops its locks. */
export const LOCK_FILE = 'lockfile';

const OUR_PREFIX = 'tsbackup-'; // of temporary files and of the folder of partial ones
const PARTIAL_FOLDER = `${OUR_PREFIX}partial`;
const IDENTITY_FILE = `${OUR_PREFIX}identity`;

/** What a file begins with: so many bytes, and their CRC-32. */
export interface Extent {
  readonly size: number;
  readonly crc: number;
}

/** A file that a running backup appends to. Not safe for overlapping calls. */
export interface PartialFile {
  /** Bytes so far. */
  readonly size: number;
  /** All that is there, if it was empty when it was opened or was cut back since. */
  readonly extent: Extent;
  /** @param bytes lent until the promise is done */
  append(bytes: Uint8Array): Promise<void>;
  /** Keeps only its beginning, for a run that is resumed from there. */
  cutBack(extent: Extent): Promise<void>;
  /** What was appended survives a power cut once this is done. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface ArchiveCache {
  /** Absolute or relative to the working directory, bytes as a latin1 string. */
  readonly folder: string;
  /** Names of finished files, sorted; also `.part` files of duplicity's, none of our partial ones. */
  list(): Promise<string[]>;
  has(name: string): Promise<boolean>;
  /** Raw bytes in lent chunks. @throws BackupError 'local-io' also when it is not there */
  read(name: string, options?: Pick<GetOptions, 'signal' | 'chunk'>): Chunks;
  /** Whole or not at all, replacing what was. @param source chunks are lent @returns bytes */
  write(name: string, source: Chunks | Uint8Array, options?: { signal?: AbortSignal }): Promise<number>;
  /** Removing what is not there is no error. */
  remove(name: string): Promise<void>;

  listPartial(): Promise<string[]>;
  readPartial(name: string, options?: { signal?: AbortSignal }): Chunks;
  /** Opens a partial file at its end; makes an empty one where there is none. The caller closes it. */
  openPartial(name: string): Promise<PartialFile>;
  removePartial(name: string): Promise<void>;
  /** Where a partial file is, for who reads it without us; a latin1 string. */
  partialPath(name: string): string;
  /** Syncs partial files (closed by now), then gives them their final names in this order. */
  publish(names: readonly (readonly [partial: string, final: string])[]): Promise<void>;

  /** Sixteen hex digits that no other cache has, chosen when they are first asked for. */
  identity(): Promise<string>;

  /** Clears temporary files that crashed runs left more than a day ago. @returns how many */
  removeStale(): Promise<number>;
}

/** `$XDG_CACHE_HOME/tsbackup`, else `~/.cache/tsbackup`, bytes as a latin1 string. */
export function defaultCacheRoot(
  env: Readonly<Record<string, string | undefined>> = process.env,
  home: string = homedir(),
): string {
  const base = env.XDG_CACHE_HOME;
  // The XDG specification wants a relative one ignored.
  return pathFromText(resolve(base?.startsWith('/') ? base : `${home}/.cache`, 'tsbackup'));
}

/**
 * Opens the cache of a target, making its folders where there are none.
 * @param root folder of all caches, bytes as a latin1 string
 * @param name folder in it: what `--name` says, else cacheNameFor(URL)
 * @throws BackupError 'usage' for a name that can't be a folder's; 'local-io'
 */
export async function openArchiveCache(
  root: string,
  name: string,
  now: () => number = Date.now,
): Promise<ArchiveCache> {
  checkName(name);
  const folder = pathOf(inFolder(root, name));
  const partialFolder = pathOf(inFolder(folder, PARTIAL_FOLDER));
  await makePrivate(folder);

  async function* readIn(place: string, file: string, options?: Pick<GetOptions, 'signal' | 'chunk'>) {
    check(file);
    yield* readFileChunks(inFolder(place, file), explainAt(place, file), options);
  }

  async function namesIn(place: string): Promise<string[]> {
    const names: string[] = [];
    for (const name of await readFolder(place, explainAt(place))) {
      if (name === LOCK_FILE || name.startsWith(OUR_PREFIX)) continue;
      const found = await lstat(inFolder(place, name)).catch(() => undefined);
      if (!found?.isDirectory()) names.push(name);
    }
    return names.sort();
  }

  async function removeFrom(place: string, file: string): Promise<void> {
    check(file);
    await unlink(inFolder(place, file)).catch(error => {
      if (systemCode(error) !== 'ENOENT') throw explainAt(place, file)(error);
    });
  }

  async function findIdentity(): Promise<string> {
    const path = inFolder(folder, IDENTITY_FILE);
    const known = await readFile(path, 'latin1').catch(() => ''); // that of a lost one only names what ages
    if (/^[0-9a-f]{16}$/.test(known)) return known;
    const made = randomBytes(8).toString('hex');
    const makeFolder = () => makePrivate(folder);
    const explain = explainAt(folder, IDENTITY_FILE);
    await writeWhole(folder, IDENTITY_FILE, Buffer.from(made), { explain, makeFolder });
    return made;
  }
  let identity: Promise<string> | undefined;

  return {
    folder,
    identity: () => (identity ??= findIdentity()),
    list: () => namesIn(folder),
    async has(file) {
      check(file);
      const found = stat(inFolder(folder, file)).catch(error => {
        if (systemCode(error) !== 'ENOENT') throw explainAt(folder, file)(error);
      });
      return (await found)?.isFile() === true;
    },
    read: (file, options) => readIn(folder, file, options),
    async write(file, source, { signal } = {}) {
      check(file);
      const makeFolder = () => makePrivate(folder);
      return writeWhole(folder, file, source, { explain: explainAt(folder, file), makeFolder, signal });
    },
    remove: file => removeFrom(folder, file),

    listPartial: () => namesIn(partialFolder),
    readPartial: (file, options) => readIn(partialFolder, file, options),
    async openPartial(file) {
      check(file);
      await makePrivate(partialFolder);
      const explain = explainAt(partialFolder, file);
      return openAppending(
        await explained(explain, open(inFolder(partialFolder, file), 'a', 0o600)),
        explain,
      );
    },
    partialPath: file => pathOf(inFolder(partialFolder, file)),
    removePartial: file => removeFrom(partialFolder, file),
    async publish(names) {
      for (const name of names.flat()) check(name);
      const sync = async (name: string) => {
        const file = await open(inFolder(partialFolder, name), 'r+');
        try {
          await syncFile(file);
        } finally {
          await file.close();
        }
      };
      await Promise.all(names.map(([partial, final]) => explained(explainAt(folder, final), sync(partial))));
      for (const [partial, final] of names) {
        const renamed = rename(inFolder(partialFolder, partial), inFolder(folder, final));
        await explained(explainAt(folder, final), renamed);
      }
      await explained(
        explainAt(folder),
        Promise.all([folder, partialFolder].map(changed => syncFolder(changed))),
      );
    },

    removeStale: () => removeStaleFiles(folder, explainAt(folder), now()),
  };
}

async function openAppending(file: FileHandle, explain: (error: unknown) => Error): Promise<PartialFile> {
  let size = (await explained(explain, file.stat())).size;
  let crc = 0;
  return {
    get size() {
      return size;
    },
    get extent() {
      return { size, crc };
    },
    async append(bytes) {
      await explained(explain, writeAll(file, bytes));
      size += bytes.length;
      crc = crc32(bytes, crc);
    },
    async cutBack(extent) {
      await explained(explain, file.truncate(extent.size));
      ({ size, crc } = extent);
    },
    sync: () => explained(explain, syncFile(file)),
    close: () => explained(explain, file.close()),
  };
}

/** Makes a folder where there is none, and sees to it that it is ours alone. */
async function makePrivate(folder: string): Promise<void> {
  const path = bytesOf(folder);
  const explain = explainAt(folder);
  await explained(explain, makeFolders(folder));
  const target = await explained(explain, stat(path));
  if (!target.isDirectory()) throw explain(new Error('not a folder'));
  // The link itself is looked at too: in a public place someone may have laid one to a folder of ours.
  const owners = [target.uid, (await explained(explain, lstat(path))).uid];
  const us = process.geteuid?.();
  if (us !== undefined && owners.some(owner => owner !== us)) {
    throw new BackupError(
      'local-io',
      `The archive cache ${displayPath(folder)} belongs to another user, who could change what we restore. ` +
        'Choose another place with --archive-dir, or run as its owner.',
      { path: folder },
    );
  }
  if ((target.mode & 0o077) !== 0) await explained(explain, chmod(path, 0o700));
}

/** A name of ours to use: never the lock's, which a mere read would release. */
function check(name: string): void {
  checkName(name);
  assert.notEqual(name, LOCK_FILE);
}

function explainAt(folder: string, name?: string): (error: unknown) => BackupError {
  const path = name === undefined ? folder : `${folder}/${name}`;
  return error => {
    const remedy = remedyFor(systemCode(error));
    return new BackupError(
      'local-io',
      `The archive cache fails at ${displayPath(path)}: ${reasonOf(error)}. ${remedy} with --archive-dir.`,
      { path, reason: systemCode(error) ?? '' },
      { cause: error },
    );
  };
}

function remedyFor(reason: string | undefined): string {
  switch (reason) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'Make room there or choose another place';
    case 'EFBIG':
      return 'The file system takes no file of that size: choose another place';
    default:
      return 'Check the place or choose another one';
  }
}
