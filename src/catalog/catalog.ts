/**
 * One chain's catalog, an SQLite file in the archive cache. All calls are synchronous; the packer's thread owns it
 * during a backup. Everything that a run writes belongs to its pending set, and a set that was never completed is
 * taken back when the catalog is opened: then the catalog says what the last complete set says.
 */

import { displayPath } from '../bytes.ts';
import type { SqliteDatabase } from '../cache/sqlite.ts';
import { catalogDamaged } from './failure.ts';
import { columns } from './schema.ts';
import { createTraitStore } from './traits.ts';
import { createTreeReader, folderOf, nameOf, ROOT_PARENT } from './tree-reader.ts';
import type { CatalogEntry, NewVersion, Piece, SignaturePlace, TreePlace } from './versions.ts';

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
  /**
   * Writing goes on at a place in the middle of the tree.
   * @returns the first on the way to it, and unless it is included itself, that is no folder as of the pending set
   */
  goOn(from: TreePlace): string | undefined;
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

/** @param db of this schema, without a pending set; given */
export function createCatalog(db: SqliteDatabase): Catalog {
  const all = columns.join(', ');
  const traits = createTraitStore(db);
  const tree = createTreeReader(db, traits);
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

  const parentOf = (path: string): number => {
    if (path === '') return ROOT_PARENT;
    const parent = folderOf(path);
    while (open.length > 0 && open.at(-1)!.path !== parent) open.pop();
    if (open.length === 0) open.push({ path: parent, folder: lookUp(parent) });
    return open.at(-1)!.folder;
  };
  /** What the content of a folder has as parent; undefined for anything else. */
  const folderAt = (parent: number, name: string): number | undefined =>
    (find.get(parent, name) as [number | null, number] | undefined)?.[0] ?? undefined;
  const lookUp = (path: string): number => {
    const parent = path === '' ? ROOT_PARENT : lookUp(folderOf(path));
    const folder = folderAt(parent, nameOf(path));
    if (folder === undefined) throw catalogDamaged(`the catalog has no folder ${displayPath(path)}`);
    return folder;
  };
  /** What comes below `path` next finds its parent, even if the folder itself has just been removed. */
  const openFolder = (path: string, folder: number | null | undefined) => {
    if (folder != null) open.push({ path, folder });
  };

  return {
    completeSets: () =>
      db.prepare('SELECT time FROM sets WHERE complete = 1 ORDER BY time').pluck().all() as number[],
    entries: from => tree.entries(set, from),
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
      const way = tree.wayTo(from.path, set);
      const folders = from.inclusive ? way.slice(0, -1) : way;
      open.length = 0;
      for (const { path, folder } of folders) openFolder(path, folder);
      return folders.find(({ parent, name }) => folderAt(parent, name) === undefined)?.path;
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
        traits.numberOf(version),
        version.mtimeSeconds,
        version.linkname === '' ? null : version.linkname,
        version.size ?? null,
        stat ?? null,
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
    size: () => (db.pragma('page_count') as number) * (db.pragma('page_size') as number),
    close() {
      db.close(); // which takes back what was not committed, also where the file is too broken for a ROLLBACK
    },
  };
}
