/** What the real duplicity keeps of a hostile tree, which tells what our own tests may ask of it. */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createDuplicity } from './duplicity.ts';
import { mutateTree } from './mutations.ts';
import { assertSameTree, snapshotTree } from './snapshots.ts';
import { tempDir } from './temp-dir.ts';
import { needTool } from './tools.ts';
import { makeTree } from './trees.ts';

const HOUR = 3600;

test('createDuplicity() drives full, incremental, restore, verify, status and listing of a hostile tree', async t => {
  if (!needTool(t, 'duplicity', 'gpg')) return;
  const base = tempDir(t);
  const source = join(base, 'source');
  makeTree(source, 1);
  const server = createServer();
  await new Promise<void>(resolve => server.listen(join(source, 'f/socket'), resolve));
  t.after(() => server.close());

  const duplicity = createDuplicity(t);
  const url = `file://${base}/target`;
  const options = (hour: number) => ({
    passphrase: 'a passphrase',
    args: ['--volsize', '1', '--current-time', String(1_600_000_000 + hour * HOUR)],
  });
  const states = [snapshotTree(source)];
  await duplicity.full(source, url, options(0));
  mutateTree(source, 1, { changes: 60 });
  states.push(snapshotTree(source));
  await duplicity.incremental(source, url, options(1));

  for (const [hour, state] of states.entries()) {
    const restored = join(base, `restored-${hour}`);
    const time = String(1_600_000_000 + hour * HOUR);
    await duplicity.restore(url, restored, { passphrase: 'a passphrase', args: ['--time', time] });
    assertSameTree(snapshotTree(restored), state);
  }
  const verified = await duplicity.verify(url, source, {
    passphrase: 'a passphrase',
    args: ['--compare-data'],
  });
  assert.match(verified.stdout, / 0 difference(?:s|\(s\)) found/);
  const status = await duplicity.collectionStatus(url, { passphrase: 'a passphrase' });
  assert.match(status.stdout, /Number of contained backup sets: 2/);
  const listing = await duplicity.listCurrentFiles(url, { passphrase: 'a passphrase' });
  assert.ok(listing.stdoutBytes.includes(Buffer.from('caf\xe9 dir', 'latin1')));
});

test('createDuplicity() does not encrypt without a passphrase', async t => {
  if (!needTool(t, 'duplicity')) return;
  const base = tempDir(t);
  makeTree(join(base, 'source'), 2, { entries: 3, large: false });
  const duplicity = createDuplicity(t);
  await duplicity.full(join(base, 'source'), `file://${base}/target`);
  assert.deepEqual(
    readdirSync(join(base, 'target'))
      .map(name => name.replace(/\d{8}T\d{6}Z/, 'TIME'))
      .sort(),
    [
      'duplicity-full-signatures.TIME.sigtar.gz',
      'duplicity-full.TIME.manifest',
      'duplicity-full.TIME.vol1.difftar.gz',
    ],
  );
});

test('createDuplicity() tells the status of a wrong passphrase', async t => {
  if (!needTool(t, 'duplicity', 'gpg')) return;
  const base = tempDir(t);
  makeTree(join(base, 'source'), 2, { entries: 3, large: false });
  const url = `file://${base}/target`;
  await createDuplicity(t).full(join(base, 'source'), url, { passphrase: 'right' });
  const result = await createDuplicity(t).run(['restore', url, join(base, 'restored')], {
    passphrase: 'wrong',
  });
  assert.equal(result.status, 31);
});
