/**
 * The run lock: one backup at a time changes an archive cache and its target. It has to vanish with the process, even
 * one that is killed, and to shut out duplicity, which takes a record lock (fcntl) on the whole of `lockfile`. Node has
 * no fcntl, but SQLite has: an exclusive transaction on the empty file holds record locks on some bytes far behind its
 * end. Nothing is ever written, so the file stays empty, and with the journal in memory none appears beside it.
 *
 * The file is left behind: removing it would let one who has it open lock a file that is gone. duplicity does remove
 * it, so after locking we look whether the path still leads to the file that we locked.
 */

import { readFile, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { bytesOf, displayPath } from '../bytes.ts';
import { BackupError, reasonOf, systemCode } from '../errors.ts';
import { LOCK_FILE } from './archive-cache.ts';
import { loadSqlite, type OpenDatabase, type SqliteDatabase } from './sqlite.ts';
import { sqliteObstacle } from './sqlite-obstacle.ts';

export interface RunLock {
  /** Idempotent. The lock also ends with the process, however that ends. */
  release(): void;
}

const TRIES = 5; // each one lost means that another run just ended

/**
 * Takes the lock of a cache folder, or fails at once.
 * @param folder bytes as a latin1 string; it exists
 * @throws BackupError 'locked' when another run has it, saying which where the system tells; 'local-io'
 */
export async function acquireRunLock(folder: string): Promise<RunLock> {
  const path = textPath(folder);
  const open = await openSqlite();
  for (let tries = 0; tries < TRIES; tries++) {
    let database: SqliteDatabase | undefined;
    try {
      await makeEmpty(path);
      const before = await identityOf(path);
      database = open(path, { timeout: 0 });
      database.pragma('journal_mode = MEMORY');
      database.pragma('locking_mode = EXCLUSIVE');
      database.exec('BEGIN EXCLUSIVE');
      if (before !== undefined && before === (await identityOf(path))) return holding(database, path);
      database.close();
    } catch (error) {
      database?.close();
      if ((error as { code?: unknown }).code === 'SQLITE_BUSY') throw await busy(folder, path);
      throw new BackupError(
        'local-io',
        `Can't lock ${displayPath(folder)}/${LOCK_FILE}: ${reasonOf(error)}. ` +
          'Check that the folder is writable, that its file system knows locks, and that the file is empty, ' +
          'or choose another place with --archive-dir.',
        { path: folder },
        { cause: error },
      );
    }
  }
  throw await busy(folder, path);
}

/** Made here rather than by SQLite for the sake of mode 0600. An existing file is not opened: see identityOf. */
async function makeEmpty(path: string): Promise<void> {
  await writeFile(path, '', { flag: 'wx', mode: 0o600 }).catch(error => {
    if (systemCode(error) !== 'EEXIST') throw error;
  });
}

const held = new Map<SqliteDatabase, string>();

/** Paths of the lock files that this process must not open: closing one again would drop the lock. */
export function heldLocks(): string[] {
  return [...held.values()];
}

/** One that its holder forgets is not released: databases are kept (sqlite.ts). */
function holding(database: SqliteDatabase, path: string): RunLock {
  held.set(database, path);
  return {
    release() {
      held.delete(database);
      database.close();
    },
  };
}

/** Which file a path leads to. Never by opening it: closing it again would drop this process's locks on it. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, birthtimeNs } = await stat(path, { bigint: true });
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return undefined;
  }
}

async function openSqlite(): Promise<OpenDatabase> {
  try {
    const open = await loadSqlite();
    open(':memory:').close(); // only this loads the native part
    return open;
  } catch (error) {
    throw new BackupError('local-io', sqliteObstacle(error), {}, { cause: error });
  }
}

/** SQLite wants text, and absolute, lest it take a name for one of its special ones. */
function textPath(folder: string): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytesOf(folder));
    return resolve(text, LOCK_FILE);
  } catch {
    throw new BackupError(
      'local-io',
      `The archive cache ${displayPath(folder)} can't be locked: its name is not UTF-8. Choose another place with --archive-dir.`,
      { path: folder },
    );
  }
}

async function busy(folder: string, path: string): Promise<BackupError> {
  const holder = await holderOf(path).catch(() => undefined); // without /proc we do not know
  const who = holder ? ` (process ${holder.pid}, running since ${holder.since})` : '';
  return new BackupError(
    'locked',
    `Another run${who} uses the archive cache ${displayPath(folder)}. Wait until it ends, or end it.`,
    { path: folder, ...holder },
  );
}

/** The process that locks a file, and since when it runs, as Linux tells: `1: POSIX ADVISORY WRITE pid major:minor:inode …`. */
async function holderOf(path: string): Promise<{ pid: number; since: string } | undefined> {
  const { ino } = await stat(path);
  const locks = await readFile('/proc/locks', 'latin1');
  const pid = Number(new RegExp(`POSIX +ADVISORY +WRITE +(\\d+) [^ ]+:${ino} `).exec(locks)?.[1] ?? 0);
  if (pid === 0) return undefined; // in another container or on another host
  // Field 22 of stat, 20th after the name in brackets: start in ticks of 1/100 s after boot.
  const fields = (await readFile(`/proc/${pid}/stat`, 'latin1')).replace(/^.*\) /s, '').split(' ');
  const boot = Number(/^btime (\d+)$/m.exec(await readFile('/proc/stat', 'latin1'))?.[1]);
  return { pid, since: new Date((boot + Number(fields[19]) / 100) * 1000).toISOString() };
}
