import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { openArchiveCache } from '../../src/cache/archive-cache.ts';
import { openChainCatalog } from '../../src/catalog/chain-catalog.ts';
import { createTestArchive } from '../support/archive.ts';
import { tempDir } from '../support/temp-dir.ts';

test('what a run leaves that is killed while it learns a set is cleared a day later', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  for (let i = 0; i < 100; i++) writeFileSync(join(source, `f${i}`), String(i));
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source), 0);
  const root = join(base, 'our cache');
  const cache = await openArchiveCache(root, readdirSync(root)[0]!);
  const fileOf = (kind: RegExp) =>
    join(cache.folder, readdirSync(cache.folder).find(name => kind.test(name))!);
  const set = { time: 1, file: fileOf(/sigtar/), manifest: fileOf(/manifest/) };

  const before = new Set(readdirSync(cache.folder));
  const seen = new Set<string>();
  let isUnderWay = true;
  const learnt = openChainCatalog(join(base, 'catalog'), [set]).finally(() => {
    isUnderWay = false;
  });
  for (; isUnderWay; await turn()) for (const name of readdirSync(cache.folder)) seen.add(name);
  (await learnt).close();

  const left = [...seen].filter(name => !before.has(name));
  assert.equal(left.length, 1, 'the signatures that are written anew');
  assert.deepEqual(readdirSync(cache.folder).sort(), [...before].sort());
  writeFileSync(join(cache.folder, left[0]!), '');
  const tomorrow = await openArchiveCache(root, readdirSync(root)[0]!, () => Date.now() + 25 * 3_600_000);
  assert.equal(await tomorrow.removeStale(), 1);
  assert.deepEqual(readdirSync(cache.folder).sort(), [...before].sort());
});
