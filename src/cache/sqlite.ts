/**
 * SQLite by way of better-sqlite3. Its native part is named to it: to look for it in all places where it may have been
 * built takes as long as to load it, on each thread.
 */

import { createRequire } from 'node:module';
import type { Database, Options } from 'better-sqlite3';

export type OpenDatabase = (path: string, options?: Options) => Database;

/** @throws anything where it can't be loaded; its native part only when something is opened */
export async function loadSqlite(): Promise<OpenDatabase> {
  const { default: Sqlite } = await import('better-sqlite3');
  const nativeBinding = usualPlace();
  return (path, options) => new Sqlite(path, { ...options, ...(nativeBinding && { nativeBinding }) });
}

/** Of the native part; undefined where it is somewhere else, and has to be looked for. */
function usualPlace(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('better-sqlite3/build/Release/better_sqlite3.node');
  } catch {
    return undefined;
  }
}
