/**
 * One chain's catalog, an SQLite file in the archive cache. All calls are synchronous; the packer's thread owns it
 * during a backup. Everything that a run writes belongs to its pending set, and a set that was never completed is
 * taken back when the catalog is opened: then the catalog says what the last complete set says.
 */

import { closeSync, existsSync, openSync } from 'node:fs';
import type BetterSqlite3 from 'better-sqlite3';
import { bytesOf, displayPath } from '../bytes.ts';
import { loadSqlite } from '../cache/sqlite.ts';
import type { Attributes, EntryType } from '../entry.ts';
import { catalogDamaged } from './failure.ts';
import { APPLICATION_ID, columns, SCHEMA_VERSION, schema } from './schema.ts';

type Database = BetterSqlite3.Database;

/** A path's version in the chain, as `current` has it. */
export interface CatalogEntry extends Attributes {
  readonly path: string;
  /** Directories: the number that its content has as parent; else undefined. */
  readonly folder: number | undefined;
  readonly size: number | undefined;
  readonly stat: string | undefined;
  /** Files: where the signature is; undefined if the version has none. */
  readonly signature: SignaturePlace | undefined;
}

/** A catalog begins with the full set of its chain. */
export const FULL_SET = 1;

/** A member of a set's sigtar: `offset` in its tar bytes. */
export interface SignaturePlace {
  /** The number of the set: FULL_SET, or a later one. */
  readonly set: number;
  readonly offset: number;
}

/** What a run stores of one path. */
export interface NewVersion extends Attributes {
  readonly path: string;
  readonly size?: number | undefined;
}

/** An independent piece of a cached sigtar: where it begins in the tar bytes, and its bytes in the gzip file. */
export interface Piece {
  readonly plainOffset: number;
  readonly gzipOffset: number;
  readonly gzipEnd: number;
}

export interface Catalog {
  /** Times of the complete sets, ascending; empty for a new catalog. */
  completeSets(): number[];
  /**
   * The tree as of the last complete set, in walk order. The catalog may be written while it is read.
   * @param from where to begin, if all that comes before it was written in the pending set
   */
  entries(from?: TreePlace): Generator<CatalogEntry, void, undefined>;
  /** Begins a set (the only pending one). */
  beginSet(time: number): void;
  /** Writing goes on at a place in the middle of the tree. @returns what the path is as of the pending set */
  goOn(from: TreePlace): EntryType | undefined;
  /**
   * A new version of a path; its folder must have been put or entered before. Calls come in walk order.
   * @param stat fingerprint of what lstat said, if it is known
   * @param signatureOffset files: where the record begins in the set's sigtar
   */
  put(version: NewVersion, stat: string | undefined, signatureOffset: number | undefined): void;
  /** A directory that stays as it is: needed before what is below it is put. */
  enter(path: string, folder: number): void;
  /** The same version, of which lstat says something else now. */
  touch(path: string, size: number, stat: string): void;
  /** The path is gone; what is below it must be removed too. */
  remove(path: string): void;
  addPiece(piece: Piece): void;
  /** Makes what was written durable; the set stays pending. */
  flush(): void;
  completeSet(): void;
  /** The piece of a set's sigtar that holds a record; undefined if none is known. */
  pieceAt(place: SignaturePlace): Piece | undefined;
  timeOfSet(set: number): number;
  /** Where the pieces of a set's sigtar end in the gzip file; undefined if none are known. */
  endOfPieces(time: number): number | undefined;
  /** Bytes of the file. */
  size(): number;
  close(): void;
}

/** A path in walk order, itself included or only what comes behind it. */
export interface TreePlace {
  readonly path: string;
  readonly inclusive: boolean;
}

const ROOT_PARENT = 0;

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
    if (isDoubtful && db.pragma('quick_check(1)', { simple: true }) !== 'ok')
      throw new Error('a broken catalog');
    return createCatalog(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepare(db: Database): void {
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL'); // a run has few commits, and removes what they make superfluous
  db.pragma('cache_size = -2048');
  if (
    db.pragma('user_version', { simple: true }) === 0 &&
    db.pragma('schema_version', { simple: true }) === 0
  ) {
    db.exec(
      `BEGIN; ${schema} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`,
    );
    return;
  }
  if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) throw new Error('not a catalog');
  if (db.pragma('user_version', { simple: true }) !== SCHEMA_VERSION)
    throw new Error('a catalog of another version');
  takeBackPending(db);
}

/** What an unfinished set wrote goes, and what it superseded is current again. */
function takeBackPending(db: Database): void {
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
    })();
  }
}

type Row = [
  name: string,
  folder: number | null,
  type: EntryType,
  mode: number,
  uid: number,
  gid: number,
  uname: string,
  gname: string,
  mtime: number,
  linkname: string,
  major: number,
  minor: number,
  size: number | null,
  stat: string | null,
  signatureSet: number | null,
  signatureOffset: number | null,
];

function createCatalog(db: Database): Catalog {
  const all = columns.join(', ');
  const childrenOf = db
    .prepare(
      `SELECT name, folder, type, mode, uid, gid, uname, gname, mtime, linkname, major, minor, size, stat,
         signature_set, signature_offset FROM current WHERE parent = ? ORDER BY name`,
    )
    .raw();
  const supersede = db.prepare(
    `INSERT OR REPLACE INTO history (${all}, until) SELECT ${all}, ? FROM current
       WHERE parent = ? AND name = ?`,
  );
  const insert = db.prepare(
    `INSERT OR REPLACE INTO current (${all}) VALUES (${columns.map(() => '?').join(', ')})`,
  );
  const erase = db.prepare('DELETE FROM current WHERE parent = ? AND name = ?');
  const update = db.prepare('UPDATE current SET size = ?, stat = ? WHERE parent = ? AND name = ?');
  const addPiece = db.prepare('INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?)');
  const findPiece = db
    .prepare(
      `SELECT plain_offset, gzip_offset, gzip_end FROM pieces WHERE signature_set = ? AND plain_offset <= ?
         ORDER BY plain_offset DESC LIMIT 1`,
    )
    .raw();
  const find = db.prepare('SELECT folder, since FROM current WHERE parent = ? AND name = ?').raw();

  const folderNow = db.prepare('SELECT folder FROM current WHERE parent = ? AND name = ?').pluck();
  const folderBefore = db
    .prepare('SELECT folder FROM history WHERE parent = ? AND name = ? AND until = ?')
    .pluck();
  const typeOf = db.prepare('SELECT type FROM current WHERE parent = ? AND name = ?').pluck();

  const findTime = db.prepare('SELECT time FROM sets WHERE id = ?').pluck();
  const times = new Map<number, number>();

  let set = 0;
  /** Whether nothing is from before the set: then no path that is put has been there. */
  let isNew = false;
  let nextFolder = 0;
  let inTransaction = false;
  /** The folders on the way to where the writes are, outermost first. */
  const open: { path: string; folder: number }[] = [];

  const begin = () => {
    if (!inTransaction) db.exec('BEGIN');
    inTransaction = true;
  };
  const commit = () => {
    if (inTransaction) db.exec('COMMIT');
    inTransaction = false;
  };

  const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);
  const parentOf = (path: string): number => {
    if (path === '') return ROOT_PARENT;
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    while (open.length > 0 && open.at(-1)!.path !== parent) open.pop();
    if (open.length === 0) open.push({ path: parent, folder: lookUp(parent) });
    return open.at(-1)!.folder;
  };
  const lookUp = (path: string): number => {
    const parent = path === '' ? ROOT_PARENT : lookUp(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
    const found = find.get(parent, nameOf(path)) as [number | null, number] | undefined;
    if (found?.[0] == null) throw catalogDamaged(`the catalog has no folder ${displayPath(path)}`);
    return found[0];
  };
  /** What comes below `path` next finds its parent, even if the folder itself has just been removed. */
  const openFolder = (path: string, folder: number | null | undefined) => {
    if (folder != null) open.push({ path, folder });
  };

  /** A path's ancestors, outermost first, and itself: where each is and its folder, also one just removed. */
  const wayTo = (path: string) => {
    const way: { path: string; parent: number; name: string; folder: number | undefined }[] = [];
    let parent: number | undefined = ROOT_PARENT;
    for (const step of path === '' ? [''] : ['', ...ancestorsOf(path), path]) {
      if (parent === undefined) throw catalogDamaged(`the catalog has no way to ${displayPath(path)}`);
      const name = nameOf(step);
      const folder = (folderBefore.get(parent, name, set) ?? folderNow.get(parent, name) ?? undefined) as
        | number
        | undefined;
      way.push({ path: step, parent, name, folder });
      parent = folder;
    }
    return way;
  };
  const levelsFrom = ({ path, inclusive }: TreePlace) => {
    const way = wayTo(path);
    const prefixOf = (folder: string) => (folder === '' ? '' : `${folder}/`);
    const levels = way.map(({ parent, name }, index) => {
      const rows = childrenOf.all(parent) as Row[];
      const included = inclusive && index === way.length - 1;
      const next = rows.findIndex(row => (included ? row[0] >= name : row[0] > name));
      const prefix = index === 0 ? '' : prefixOf(way[index - 1]!.path);
      return { rows, next: next < 0 ? rows.length : next, prefix };
    });
    const { folder } = way.at(-1)!;
    if (!inclusive && folder !== undefined) {
      levels.push({ rows: childrenOf.all(folder) as Row[], next: 0, prefix: prefixOf(path) });
    }
    return levels;
  };

  return {
    completeSets: () =>
      db.prepare('SELECT time FROM sets WHERE complete = 1 ORDER BY time').pluck().all() as number[],
    *entries(from) {
      const levels: { rows: Row[]; next: number; prefix: string }[] = from
        ? levelsFrom(from)
        : [{ rows: childrenOf.all(ROOT_PARENT) as Row[], next: 0, prefix: '' }];
      while (levels.length > 0) {
        const level = levels.at(-1)!;
        const row = level.rows[level.next++];
        if (!row) {
          levels.pop();
          continue;
        }
        const path = level.prefix + row[0];
        yield entryOf(row, path);
        const folder = row[1];
        if ((folder !== null) !== (row[2] === 'directory')) {
          throw catalogDamaged(`the catalog contradicts itself at ${displayPath(path)}`);
        }
        if (folder !== null) {
          levels.push({
            rows: childrenOf.all(folder) as Row[],
            next: 0,
            prefix: path === '' ? '' : `${path}/`,
          });
        }
      }
    },
    beginSet(time) {
      commit();
      set = ((db.prepare('SELECT max(id) FROM sets').pluck().get() as number | null) ?? 0) + 1;
      db.prepare('INSERT INTO sets VALUES (?, ?, 0)').run(set, time);
      isNew = db.prepare('SELECT 1 FROM current LIMIT 1').get() === undefined;
      nextFolder = Math.max(
        (db.prepare('SELECT max(folder) FROM current').pluck().get() as number | null) ?? 0,
        (db.prepare('SELECT max(folder) FROM history').pluck().get() as number | null) ?? 0,
      );
      open.length = 0;
    },
    goOn(from) {
      const way = wayTo(from.path);
      const folders = from.inclusive ? way.slice(0, -1) : way;
      open.length = 0;
      for (const { path, folder } of folders) openFolder(path, folder);
      const { parent, name } = way.at(-1)!;
      return typeOf.get(parent, name) as EntryType | undefined;
    },
    put(version, stat, signatureOffset) {
      begin();
      const { path, type } = version;
      const parent = parentOf(path);
      const name = nameOf(path);
      const before = isNew ? undefined : (find.get(parent, name) as [number | null, number] | undefined);
      if (before && before[1] !== set) supersede.run(set, parent, name);
      const folder = type === 'directory' ? (before?.[0] ?? ++nextFolder) : null;
      insert.run(
        parent,
        name,
        set,
        folder,
        type,
        version.mode,
        version.uid,
        version.gid,
        version.uname,
        version.gname,
        version.mtimeSeconds,
        version.linkname,
        version.devMajor,
        version.devMinor,
        version.size ?? null,
        stat ?? null,
        signatureOffset === undefined ? null : set,
        signatureOffset ?? null,
      );
      openFolder(path, folder ?? before?.[0]);
    },
    enter(path, folder) {
      parentOf(path); // closes the folders that do not hold it
      openFolder(path, folder);
    },
    touch(path, size, stat) {
      begin();
      update.run(size, stat, parentOf(path), nameOf(path));
    },
    remove(path) {
      begin();
      const parent = parentOf(path);
      const name = nameOf(path);
      const before = find.get(parent, name) as [number | null, number] | undefined;
      if (before && before[1] !== set) supersede.run(set, parent, name);
      erase.run(parent, name);
      openFolder(path, before?.[0]);
    },
    addPiece({ plainOffset, gzipOffset, gzipEnd }) {
      begin();
      addPiece.run(set, plainOffset, gzipOffset, gzipEnd);
    },
    flush: commit,
    completeSet() {
      begin();
      db.prepare('UPDATE sets SET complete = 1 WHERE id = ?').run(set);
      commit();
    },
    pieceAt(place) {
      const row = findPiece.get(place.set, place.offset) as [number, number, number] | undefined;
      return row && { plainOffset: row[0], gzipOffset: row[1], gzipEnd: row[2] };
    },
    timeOfSet(id) {
      const time = times.get(id) ?? (findTime.get(id) as number);
      times.set(id, time);
      return time;
    },
    endOfPieces: time =>
      (db
        .prepare(
          'SELECT max(gzip_end) FROM pieces WHERE signature_set = (SELECT id FROM sets WHERE time = ?)',
        )
        .pluck()
        .get(time) as number | null) ?? undefined,
    size: () =>
      (db.pragma('page_count', { simple: true }) as number) *
      (db.pragma('page_size', { simple: true }) as number),
    close() {
      db.close(); // which takes back what was not committed, also where the file is too broken for a ROLLBACK
    },
  };
}

/** `a`, `a/b` for `a/b/c`. */
function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) ancestors.push(path.slice(0, at));
  return ancestors;
}

function entryOf(row: Row, path: string): CatalogEntry {
  return {
    path,
    folder: row[1] ?? undefined,
    type: row[2],
    mode: row[3],
    uid: row[4],
    gid: row[5],
    uname: row[6],
    gname: row[7],
    mtimeSeconds: row[8],
    linkname: row[9],
    devMajor: row[10],
    devMinor: row[11],
    size: row[12] ?? undefined,
    stat: row[13] ?? undefined,
    signature: row[14] === null ? undefined : { set: row[14], offset: row[15]! },
  };
}
