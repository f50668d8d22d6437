import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { loadSqlite } from '../../src/cache/sqlite.ts';
import { collectGarbage } from '../support/garbage.ts';

test('loadSqlite() keeps all that SQLite has made: newer versions of Node.js do not bear its collection', async () => {
  const open = await loadSqlite();
  const made = (): WeakRef<object>[] => {
    const database = open(':memory:');
    const statement = database.prepare('SELECT 1');
    database.close();
    return [new WeakRef(statement), new WeakRef(database.prepare)];
  };
  const [statement, ofOurs] = made();
  for (let n = 0; n < 3; n++) {
    await turn();
    collectGarbage();
  }
  assert.equal(ofOurs!.deref(), undefined, 'no garbage is collected here');
  assert.notEqual(statement!.deref(), undefined);
});

test('pragma() tells the first value, or sets one', async () => {
  const database = (await loadSqlite())(':memory:');
  assert.equal(database.pragma('user_version = 7'), undefined);
  assert.equal(database.pragma('user_version'), 7);
  assert.equal(database.pragma('journal_mode = MEMORY'), 'memory');
  assert.equal(database.pragma('foreign_key_list(absent)'), undefined);
  database.close();
});

test('transaction() keeps what its work did, or takes it back when it throws', async () => {
  const database = (await loadSqlite())(':memory:');
  database.exec('CREATE TABLE t (n)');
  const insert = database.prepare('INSERT INTO t VALUES (?)');
  database.transaction(() => void insert.run(1));
  const fail = () => {
    insert.run(2);
    throw new Error('no');
  };
  assert.throws(() => database.transaction(fail), /^Error: no$/);
  database.transaction(() => void insert.run(3));
  assert.deepEqual(database.prepare('SELECT n FROM t ORDER BY n').pluck().all(), [1, 3]);
  database.close();
});
