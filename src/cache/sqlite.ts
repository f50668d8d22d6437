/**
 * SQLite by way of better-sqlite3. Its native part is named to it: to look for it in all places where it may have been
 * built takes as long as to load it, on each thread.
 *
 * Databases and statements are kept until the thread ends. Version 12 has to, for Node.js 20; but Node.js 24.19 and
 * later end the process when one of its objects is collected as garbage (`RemoveEnvironmentCleanupHook`).
 */

import { createRequire } from 'node:module';
import type { Database, Options, Statement } from 'better-sqlite3';

export interface SqliteDatabase {
  prepare(sql: string): Statement;
  exec(sql: string): void;
  /** @returns the first value that it tells, if it tells any */
  pragma(source: string): unknown;
  /** Takes back what the work did if it throws. */
  transaction(work: () => void): void;
  close(): void;
}

export type OpenDatabase = (path: string, options?: Options) => SqliteDatabase;

/** @throws anything where it can't be loaded; its native part only when something is opened */
export async function loadSqlite(): Promise<OpenDatabase> {
  const { default: Sqlite } = await import('better-sqlite3');
  const nativeBinding = usualPlace();
  return (path, options) =>
    keeping(new Sqlite(path, { ...options, ...(nativeBinding && { nativeBinding }) }));
}

/** Of the native part; undefined where it is somewhere else, and has to be looked for. */
function usualPlace(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('better-sqlite3/build/Release/better_sqlite3.node');
  } catch {
    return undefined;
  }
}

/** What must not be collected; global, for a module may be collected as well. */
const kept = Symbol.for('tsbackup: what SQLite has made');

function keep<T extends object>(made: T): T {
  const place = globalThis as unknown as Record<symbol, object[] | undefined>;
  place[kept] ??= [];
  place[kept].push(made);
  return made;
}

/** `pragma` and `transaction` of better-sqlite3 make statements that nobody gets hold of. */
function keeping(database: Database): SqliteDatabase {
  keep(database);
  const prepare = (sql: string) => keep(database.prepare(sql));
  return {
    prepare,
    exec: sql => void database.exec(sql),
    pragma(source) {
      const statement = prepare(`PRAGMA ${source}`);
      return statement.reader ? statement.pluck().get() : void statement.run();
    },
    transaction(work) {
      database.exec('BEGIN');
      try {
        work();
        database.exec('COMMIT');
      } catch (error) {
        if (database.inTransaction) database.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => void database.close(),
  };
}
