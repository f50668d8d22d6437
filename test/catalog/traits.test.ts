import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { loadSqlite } from '../../src/cache/sqlite.ts';
import { openCatalog } from '../../src/catalog/open-catalog.ts';
import { schema } from '../../src/catalog/schema.ts';
import { createTraitStore, type Traits } from '../../src/catalog/traits.ts';
import type { EntryType } from '../../src/entry.ts';
import { scratch } from '../files/support.ts';

const file: Traits = {
  ...{ type: 'file', mode: 0o644, uid: 1000, gid: 1000, uname: 'user', gname: 'group' },
  ...{ devMajor: 0, devMinor: 0 },
};

async function openStore(t: TestContext) {
  const db = (await loadSqlite())(join(scratch(t), 'traits'));
  t.after(() => db.close());
  db.exec(schema);
  return { db, store: createTraitStore(db) };
}

const number = fc.integer({ min: 0, max: 3 });
const anyTraits: fc.Arbitrary<Traits> = fc.record({
  type: fc.constantFrom<EntryType>('file', 'directory', 'symlink', 'chardev'),
  mode: fc.constantFrom(0o644, 0o4755),
  ...{ uid: number, gid: fc.constantFrom(0, 2 ** 32 - 2) },
  ...{ uname: fc.constantFrom('', 'u', 'caf\xe9'), gname: fc.constantFrom('', 'u') },
  ...{ devMajor: number, devMinor: number },
});

test('numberOf() tells traits apart by each of their fields, and at() gives them back', async t => {
  const { db, store } = await openStore(t);
  const later = createTraitStore(db);
  fc.assert(
    fc.property(anyTraits, anyTraits, (one, other) => {
      const [first, second] = [store.numberOf(one), store.numberOf({ ...other })];
      assert.equal(first === second, JSON.stringify(valuesOf(one)) === JSON.stringify(valuesOf(other)));
      for (const reading of [store, later]) {
        assert.deepEqual(reading.at(first), { ...one });
        assert.deepEqual(reading.at(second), { ...other });
        assert.equal(reading.numberOf(one), first);
      }
    }),
    { numRuns: 500 },
  );
});

const valuesOf = (traits: Traits) => Object.entries(traits).sort(([a], [b]) => (a < b ? -1 : 1));

test('a catalog of more kinds of things than are kept in memory knows them all', async t => {
  const catalog = await openCatalog(join(scratch(t), 'many'));
  t.after(() => catalog.close());
  catalog.beginSet(100);
  const things = 5000;
  const owner = (at: number) => ({ uid: at, gid: things - at });
  const put = (path: string, at: number, type: EntryType) =>
    catalog.put({ ...file, ...owner(at), path, type, mtimeSeconds: at, linkname: '' }, undefined, undefined);
  put('', 0, 'directory');
  for (let at = 1; at <= things; at++) put(String(at).padStart(5, '0'), at, 'file');
  catalog.completeSet();
  for (let time = 0; time < 2; time++) {
    let at = 0;
    for (const { uid, gid, uname, mtimeSeconds } of catalog.entries()) {
      assert.deepEqual([{ uid, gid }, uname, mtimeSeconds], [owner(at), 'user', at]);
      at++;
    }
    assert.equal(at, things + 1);
  }
});

test('at() calls a catalog damaged that lacks what its rows refer to', async t => {
  const { store } = await openStore(t);
  assert.throws(() => store.at(store.numberOf(file) + 1), { code: 'catalog-damaged' });
});
