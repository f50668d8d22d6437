/**
 * What many entries of a tree have in common: type, mode, owner, device. Each such combination is stored once and has a
 * number, so that the rows of a catalog are half as wide: writing them takes two thirds of the time, reading half.
 */

import type { SqliteDatabase } from '../cache/sqlite.ts';
import type { Attributes } from '../entry.ts';
import { catalogDamaged } from './failure.ts';

export type Traits = Pick<
  Attributes,
  'type' | 'mode' | 'uid' | 'gid' | 'uname' | 'gname' | 'devMajor' | 'devMinor'
>;

export interface TraitStore {
  /** Stores what is new. */
  numberOf(traits: Traits): number;
  /** @throws BackupError `catalog-damaged` */
  at(number: number): Traits;
}

/** So many are kept in memory; a tree has a few dozen. */
const MOST_KEPT = 4096;

const fields = 'type, mode, uid, gid, uname, gname, major, minor';
const values = '(?, ?, ?, ?, ?, ?, ?, ?)';

export function createTraitStore(db: SqliteDatabase): TraitStore {
  const find = db.prepare(`SELECT id FROM traits WHERE (${fields}) = ${values}`).pluck();
  const insert = db.prepare(`INSERT INTO traits (${fields}) VALUES ${values}`);
  const read = db.prepare(
    'SELECT type, mode, uid, gid, uname, gname, major AS devMajor, minor AS devMinor FROM traits WHERE id = ?',
  );
  const numbers = new Map<string, number>();
  const known = new Map<number, Traits>();
  let last: { readonly traits: Traits; readonly number: number } | undefined;

  const lookUp = (traits: Traits): number => {
    const given = valuesOf(traits);
    const key = given.join('\0');
    const number =
      numbers.get(key) ??
      (find.get(...given) as number | undefined) ??
      Number(insert.run(...given).lastInsertRowid);
    keep(numbers, key, number);
    return number;
  };
  return {
    numberOf(traits) {
      if (!last || !areSame(last.traits, traits)) last = { traits, number: lookUp(traits) };
      return last.number;
    },
    at(number) {
      const kept = known.get(number);
      if (kept) return kept;
      const found = read.get(number) as Traits | undefined;
      if (!found) throw catalogDamaged(`the catalog has no traits ${number}`);
      keep(known, number, found);
      return found;
    },
  };
}

function keep<K, V>(map: Map<K, V>, key: K, value: V): void {
  if (map.size >= MOST_KEPT) map.clear();
  map.set(key, value);
}

function valuesOf({ type, mode, uid, gid, uname, gname, devMajor, devMinor }: Traits) {
  return [type, mode, uid, gid, uname, gname, devMajor, devMinor] as const;
}

function areSame(one: Traits, other: Traits): boolean {
  return (
    one.mode === other.mode &&
    one.type === other.type &&
    one.uid === other.uid &&
    one.gid === other.gid &&
    one.uname === other.uname &&
    one.gname === other.gname &&
    one.devMajor === other.devMajor &&
    one.devMinor === other.devMinor
  );
}
