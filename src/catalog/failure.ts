/** What goes wrong with a catalog, for the user: it lies in the archive cache, and can be done without. */

import { displayPath } from '../bytes.ts';
import { BackupError, clauseOf, systemCode } from '../errors.ts';

/**
 * @param path of the catalog, or its folder
 * @returns errors of SQLite and of the system as `local-io`, or `catalog-damaged` where the file is at fault and not the
 * disk; others as they are
 */
export function catalogFailure(error: unknown, path: string): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  const isSqlite = typeof code === 'string' && code.startsWith('SQLITE_');
  if (error instanceof BackupError || !(isSqlite || systemCode(error))) return error;
  if (isSqlite && /^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return catalogDamaged(`${displayPath(path)} is damaged: ${clauseOf(error)}`, error);
  }
  return new BackupError(
    'local-io',
    `The catalog in the archive cache fails at ${displayPath(path)}: ${clauseOf(error)}. Make room there, or choose another place with --archive-dir.`,
    { path, reason: String(code) },
    { cause: error },
  );
}

/** @param what in words that may be followed by more */
export function catalogDamaged(what: string, cause?: unknown): BackupError {
  return new BackupError('catalog-damaged', what, {}, { cause });
}
