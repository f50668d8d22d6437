/** Opens catalogs: a file that is made, known, or refused, and what an unfinished set has left in it taken back. */

import { closeSync, existsSync, openSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import { loadSqlite, type SqliteDatabase } from '../cache/sqlite.ts';
import { type Catalog, createCatalog } from './catalog.ts';
import { APPLICATION_ID, columns, SCHEMA_VERSION, schema } from './schema.ts';

/**
 * Opens a catalog or makes an empty one.
 * @throws anything for a file that is no catalog of ours, of another version, or broken: delete it and open again
 */
export async function openCatalog(file: string): Promise<Catalog> {
  const open = await loadSqlite();
  const isDoubtful = existsSync(bytesOf(`${file}-wal`)); // the last run did not come to its end
  closeSync(openSync(bytesOf(file), 'a', 0o600)); // SQLite would make it readable for everybody
  const db = open(bytesOf(file).toString('utf8')); // the lock has refused a folder whose name is not UTF-8
  try {
    prepare(db);
    if (isDoubtful && db.pragma('quick_check(1)') !== 'ok') throw new Error('a broken catalog');
    return createCatalog(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepare(db: SqliteDatabase): void {
  // Nobody else opens it. Else a WAL needs memory shared through a file, which some FUSE, 9P and network mounts lack.
  db.pragma('locking_mode = EXCLUSIVE');
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL'); // a run has few commits, and removes what they make superfluous
  db.pragma('cache_size = -2048');
  if (db.pragma('user_version') === 0 && db.pragma('schema_version') === 0) {
    db.exec(
      `BEGIN; ${schema} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`,
    );
    return;
  }
  if (db.pragma('application_id') !== APPLICATION_ID) throw new Error('not a catalog');
  if (db.pragma('user_version') !== SCHEMA_VERSION) throw new Error('a catalog of another version');
  takeBackPending(db);
}

/** What an unfinished set wrote goes, and what it superseded is current again. */
function takeBackPending(db: SqliteDatabase): void {
  const all = columns.join(', ');
  const pending = db.prepare('SELECT id FROM sets WHERE complete = 0').pluck().all() as number[];
  for (const set of pending) {
    db.transaction(() => {
      db.prepare('DELETE FROM current WHERE since = ?').run(set);
      db.prepare(`INSERT OR REPLACE INTO current (${all}) SELECT ${all} FROM history WHERE until = ?`).run(
        set,
      );
      db.prepare('DELETE FROM history WHERE until = ?').run(set);
      db.prepare('DELETE FROM pieces WHERE signature_set = ?').run(set);
      db.prepare('DELETE FROM sets WHERE id = ?').run(set);
    });
  }
}
