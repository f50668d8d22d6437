/** Which objects of an archive share the key that is made of a passphrase. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';

test('a chain has one key, the next chain another; duplicity reads them, and its sets are continued', async t => {
  if (!needTool(t, 'duplicity')) return;
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'large'), createRandom(1).bytes(2_500_000));
  const passphrase = { passphrase: 'secret' };
  const archive = createTestArchive(base, passphrase);
  const duplicity = createDuplicity(t);
  const saltsOf = (pattern: RegExp) =>
    new Set(
      readdirSync(archive.folder)
        .filter(name => pattern.test(name))
        .map(name => readFileSync(join(archive.folder, name)).toString('hex', 6, 14)),
    );
  const backup = async (time: number, mode: 'full' | 'incremental') => {
    writeFileSync(join(source, 'changes'), String(time));
    archive.host.set(time);
    assert.equal(await archive.backup(source, { mode }), 0);
  };
  await backup(1_600_000_000, 'full');
  await backup(1_600_001_000, 'incremental');
  assert.equal(readdirSync(archive.folder).length, 8);
  assert.equal(saltsOf(/./).size, 1);

  await backup(1_600_002_000, 'full');
  const full = /\.20200913T130000Z\./;
  assert.equal(saltsOf(full).size, 1);
  assert.equal(saltsOf(/./).size, 2);

  writeFileSync(join(source, 'changes'), 'for duplicity');
  const args = ['--current-time', '1600003000', '--allow-source-mismatch'];
  await duplicity.incremental(source, archive.url, { ...passphrase, args });
  await backup(1_600_004_000, 'incremental');
  const ours = saltsOf(/to\.20200913T133320Z/);
  assert.equal(ours.size, 1, 'one again, though not that of the full set');
  assert.equal(saltsOf(full).has([...ours][0]!), false);

  const restored = join(base, 'restored');
  await duplicity.restore(archive.url, restored, passphrase);
  assertSameTree(snapshotTree(restored), snapshotTree(source));
  assert.equal(await archive.restore(join(base, 'by us')), 0);
  assertSameTree(snapshotTree(join(base, 'by us')), snapshotTree(source));
});
