/** The keys of an archive's objects that are made of a passphrase. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyValues } from '../../src/cli/key-values.ts';
import { createTestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';

/** Of the passphrase packet that each object in `folder` begins with: salt and count, in hex. */
function packetsIn(folder: string): { salts: string[]; counts: Set<string> } {
  const heads = readdirSync(folder).map(name => readFileSync(join(folder, name)).subarray(0, 15));
  return {
    salts: heads.map(head => head.toString('hex', 6, 14)),
    counts: new Set(heads.map(head => head.toString('hex', 14))),
  };
}

test('each object has a salt and so a session key of its own; duplicity reads and continues them', async t => {
  if (!needTool(t, 'duplicity')) return;
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'large'), createRandom(1).bytes(3_500_000));
  const passphrase = { passphrase: 'secret' };
  const archive = createTestArchive(base, passphrase);
  const duplicity = createDuplicity(t);
  const backup = async (time: number, mode: 'full' | 'incremental') => {
    writeFileSync(join(source, 'changes'), String(time));
    archive.host.set(time);
    assert.equal(await archive.backup(source, { mode, keys: undefined }), 0);
  };
  await backup(1_600_000_000, 'full');
  await backup(1_600_001_000, 'incremental');
  const { salts, counts } = packetsIn(archive.folder);
  assert.equal(salts.length, 9);
  assert.equal(new Set(salts).size, 9);
  assert.deepEqual(counts, new Set(['ff']));

  writeFileSync(join(source, 'changes'), 'for duplicity');
  const args = ['--current-time', '1600003000', '--allow-source-mismatch'];
  await duplicity.incremental(source, archive.url, { ...passphrase, args });
  await backup(1_600_004_000, 'incremental');
  assert.equal(new Set(packetsIn(archive.folder).salts).size, 15);

  const restored = join(base, 'restored');
  await duplicity.restore(archive.url, restored, passphrase);
  assertSameTree(snapshotTree(restored), snapshotTree(source));
  assert.equal(await archive.restore(join(base, 'by us')), 0);
  assertSameTree(snapshotTree(join(base, 'by us')), snapshotTree(source));
});

test('--s2k-count among the options of gpg says how often a passphrase is hashed, rounded as gpg does', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'content');
  const archive = createTestArchive(base, { passphrase: 'secret' });
  const { choice, notices } = await keyValues({ 'gpg-options': ['--s2k-count 65537'] });
  assert.deepEqual(notices, []);
  assert.equal(await archive.backup(source, { keys: choice }), 0);
  assert.deepEqual(packetsIn(archive.folder).counts, new Set(['61']));
  assert.equal(await archive.restore(join(base, 'restored')), 0);
  assertSameTree(snapshotTree(join(base, 'restored')), snapshotTree(source));
});
