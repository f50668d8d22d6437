/** Reads a catalog's tree in walk order, some rows of a folder at a time. */

import { displayPath } from '../bytes.ts';
import type { SqliteDatabase } from '../cache/sqlite.ts';
import { catalogDamaged } from './failure.ts';
import type { TraitStore, Traits } from './traits.ts';
import type { CatalogEntry, TreePlace } from './versions.ts';

/** The parent of the root. */
export const ROOT_PARENT = 0;

/** A path on the way to another one: where it is, and the number that its content has as parent. */
interface Step {
  readonly path: string;
  readonly parent: number;
  readonly name: string;
  readonly folder: number | undefined;
}

export interface TreeReader {
  /**
   * The tree before the pending set `set`, in walk order; up to what was given last it may be written meanwhile.
   * @param from where to begin, if all that comes before it was written in the pending set
   */
  entries(set: number, from?: TreePlace): Generator<CatalogEntry, void, undefined>;
  /** A path's ancestors, outermost first, and itself; folders also that the pending set `set` has removed. */
  wayTo(path: string, set: number): Step[];
}

/** So many rows of a folder are read at once; most have fewer. */
const PAGE = 256;

/** Some rows of a folder, the next one to give, and what stands in front of their names. */
interface Level {
  readonly parent: number;
  rows: Row[];
  next: number;
  readonly prefix: string;
  /** The name that was given last. */
  last: string;
}

type Row = [
  name: string,
  since: number,
  folder: number | null,
  traits: number,
  mtime: number,
  linkname: string | null,
  size: number | null,
  stat: string | null,
  signatureOffset: number | null,
];

export function createTreeReader(db: SqliteDatabase, traits: Pick<TraitStore, 'at'>): TreeReader {
  const children = (places: string) =>
    db
      .prepare(
        `SELECT name, since, folder, traits, mtime, linkname, size, stat, signature_offset FROM current
           WHERE parent = ? AND ${places} ORDER BY name LIMIT ${PAGE}`,
      )
      .raw();
  const [from, behind] = [children('name >= ?'), children('name > ?')];
  const folderNow = db.prepare('SELECT folder FROM current WHERE parent = ? AND name = ?').pluck();
  const folderBefore = db
    .prepare('SELECT folder FROM history WHERE parent = ? AND name = ? AND until = ?')
    .pluck();

  const wayTo = (path: string, set: number): Step[] => {
    const way: Step[] = [];
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
  const levelOf = (parent: number, prefix: string): Level => ({
    parent,
    rows: from.all(parent, '') as Row[],
    next: 0,
    prefix,
    last: '',
  });
  const nextRow = (level: Level): Row | undefined => {
    if (level.next === PAGE) {
      level.rows = behind.all(level.parent, level.rows.at(-1)![0]) as Row[];
      level.next = 0;
    }
    const row = level.rows[level.next++];
    if (row) {
      // SQLite takes an index as it is: one wrong bit in a name, and a set would say that what is there was deleted.
      const isInOrder = row[0] > level.last || level.parent === ROOT_PARENT;
      if (!isInOrder || row[0].includes('/')) {
        throw catalogDamaged(`the catalog is out of order at ${displayPath(level.prefix + row[0])}`);
      }
      level.last = row[0];
    }
    return row;
  };
  const levelsFrom = ({ path, inclusive }: TreePlace, set: number): Level[] => {
    const way = wayTo(path, set);
    const levels = way.map(({ parent, name }, index): Level => {
      const included = inclusive && index === way.length - 1;
      const rows = (included ? from : behind).all(parent, name) as Row[];
      return {
        parent,
        rows,
        next: 0,
        prefix: index === 0 ? '' : prefixOf(way[index - 1]!.path),
        last: included ? '' : name,
      };
    });
    const { folder } = way.at(-1)!;
    if (!inclusive && folder !== undefined) levels.push(levelOf(folder, prefixOf(path)));
    return levels;
  };

  return {
    wayTo,
    *entries(set, place) {
      const levels: Level[] = place ? levelsFrom(place, set) : [levelOf(ROOT_PARENT, '')];
      while (levels.length > 0) {
        const level = levels.at(-1)!;
        const row = nextRow(level);
        if (!row) {
          levels.pop();
          continue;
        }
        const path = level.prefix + row[0];
        const entry = entryOf(row, path, traits.at(row[3]));
        yield entry;
        const folder = row[2];
        if ((folder !== null) !== (entry.type === 'directory')) {
          throw catalogDamaged(`the catalog contradicts itself at ${displayPath(path)}`);
        }
        if (folder !== null) levels.push(levelOf(folder, prefixOf(path)));
      }
    },
  };
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** What is before it: '' for the root's children. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** What stands in front of the names in a folder. */
function prefixOf(folder: string): string {
  return folder === '' ? '' : `${folder}/`;
}

/** `a`, `a/b` for `a/b/c`. */
function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) ancestors.push(path.slice(0, at));
  return ancestors;
}

function entryOf(row: Row, path: string, traits: Traits): CatalogEntry {
  return {
    path,
    folder: row[2] ?? undefined,
    type: traits.type,
    mode: traits.mode,
    uid: traits.uid,
    gid: traits.gid,
    uname: traits.uname,
    gname: traits.gname,
    mtimeSeconds: row[4],
    linkname: row[5] ?? '',
    devMajor: traits.devMajor,
    devMinor: traits.devMinor,
    size: row[6] ?? undefined,
    stat: row[7] ?? undefined,
    signature: row[8] === null ? undefined : { set: row[1], offset: row[8] },
  };
}
