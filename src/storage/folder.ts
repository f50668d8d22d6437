/**
 * Objects as files of one folder: a disk, a network mount. The folder is made at the first put, not by looking, so
 * that a missing one is noticed at restore. Temporary files carry a foreign prefix: duplicity takes everything that
 * begins like its own names for its own. Links to files are read as what they point to; folders are no objects, nor are
 * links that lead nowhere.
 */

import { lstat, stat, unlink } from 'node:fs/promises';
import { bytesOf, displayPath } from '../bytes.ts';
import { BackupError, type ErrorCode, reasonOf, systemCode } from '../errors.ts';
import { mapOrdered } from '../streams.ts';
import {
  explained,
  inFolder,
  makeFolders,
  readFileChunks,
  readFolder,
  removeStaleFiles,
  writeWhole,
} from './durable-file.ts';
import { checkName, type Storage, TEMPORARY_PREFIX, takenError } from './storage.ts';

/** What takes no right to write. */
const LOOKING = new Set(['look for objects', 'look at', 'read', 'list objects']);
const STATS_AT_ONCE = 16; // hides the round trips of a network mount

export interface FolderStorageOptions {
  readonly now?: () => number;
  readonly owner?: (() => Promise<string>) | undefined;
}

export interface FolderStorage extends Storage {
  localPath(name: string): Buffer;
}

/**
 * @param folder bytes as a latin1 string; need not exist
 * @param now milliseconds since 1970, for the age of what crashed runs left
 * @param owner whose runs these are, asked when something is put or cleared up; see Storage.removeStale
 */
export function createFolderStorage(
  folder: string,
  { now = Date.now, owner }: FolderStorageOptions = {},
): FolderStorage {
  const description = displayPath(folder);

  const explain =
    (doing: string, object = '') =>
    (error: unknown): BackupError => {
      const reason = systemCode(error) ?? '';
      const [code, remedy] = meaningOf(reason);
      const isKeptFromUs = LOOKING.has(doing) && (reason === 'EACCES' || reason === 'EPERM');
      const advice = isKeptFromUs ? 'Make it readable for this user, or run as its owner.' : remedy;
      const what = object === '' ? doing : `${doing} ${displayPath(object)}`;
      return new BackupError(
        code,
        `Can't ${what} in ${description}: ${reasonOf(error)}. ${advice}`,
        { object, target: description, reason },
        { cause: error },
      );
    };

  async function exists(): Promise<boolean> {
    try {
      return (await stat(bytesOf(folder))).isDirectory();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return false;
      throw explain('look for objects')(error);
    }
  }

  /** The size of a file, or undefined where there is none of that name. */
  async function sizeOf(name: string): Promise<number | undefined> {
    try {
      const found = await stat(inFolder(folder, name));
      return found.isFile() ? found.size : undefined;
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || (await leadsNowhere(name, error))) return undefined;
      throw explain('look at', name)(error);
    }
  }

  /** Whether an error is of the place that a link points to, not of the folder. */
  async function leadsNowhere(name: string, error: unknown): Promise<boolean> {
    if (!['ELOOP', 'ENOTDIR', 'EACCES'].includes(systemCode(error) ?? '')) return false;
    const found = await lstat(inFolder(folder, name)).catch(() => undefined);
    return found?.isSymbolicLink() ?? false;
  }

  return {
    description,
    exists,

    async put(name, source, { signal, isNew, after } = {}) {
      checkName(name);
      const size = await writeWhole(folder, name, source, {
        explain: explain('store', name),
        makeFolder: () => explained(explain('make the folder to store', name), makeFolders(folder)),
        owner: await owner?.(),
        ...{ signal, after, taken: isNew ? () => takenError(name, description) : undefined },
      });
      return { size };
    },

    async *get(name, options) {
      checkName(name);
      try {
        yield* readFileChunks(inFolder(folder, name), explain('read', name), options);
      } catch (error) {
        if (!(error instanceof BackupError && error.facts.reason === 'ENOENT')) throw error;
        if (!(await exists())) throw error;
        throw new BackupError(
          'object-missing',
          `${displayPath(name)} is not in ${description}. Was it deleted or moved? "check" tells what can still be restored.`,
          { object: name, target: description },
          { cause: error },
        );
      }
    },

    async stat(name) {
      checkName(name);
      const size = await sizeOf(name);
      return size === undefined ? undefined : { size };
    },

    async *list() {
      const names = await readFolder(folder, explain('list objects'));
      const found = mapOrdered(names, STATS_AT_ONCE, async name => ({
        name,
        size: name.startsWith(TEMPORARY_PREFIX) ? undefined : await sizeOf(name),
      }));
      for await (const { name, size } of found) {
        if (size !== undefined) yield { name, size };
      }
    },

    async delete(name) {
      checkName(name);
      try {
        await unlink(inFolder(folder, name));
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw explain('delete', name)(error);
      }
    },

    removeStale: async () => removeStaleFiles(folder, explain('clear up'), now(), await owner?.()),

    localPath(name) {
      checkName(name);
      return inFolder(folder, name);
    },

    async close() {},
  };
}

/** What an error of the file system (its name) means for a target, and what to do about it. */
export function meaningOf(reason: string): [ErrorCode, string] {
  switch (reason) {
    case 'ENOSPC':
    case 'EDQUOT':
      return ['target-full', 'Make room there, for example by removing old backups, then run again.'];
    case 'EFBIG': // FAT's limit of 4 GiB, or ulimit -f
      return ['target-full', 'The file system takes no file of that size: use a smaller --volsize.'];
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return ['target-denied', 'Make the folder writable for this user, or check how it is mounted.'];
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
    case 'EINVAL':
    case 'EILSEQ':
      return [
        'target-denied',
        'The place or the name does not suit: check the target and the file prefix options.',
      ];
    case 'EMFILE':
    case 'ENFILE':
      return ['local-io', 'Raise the limit of open files (ulimit -n).'];
    default: // ESTALE, EIO, ENOTCONN, EHOSTDOWN, ETIMEDOUT …; ENOENT where the folder itself is gone
      return ['target-unreachable', 'Is the drive or network share mounted and reachable? Then run again.'];
  }
}
