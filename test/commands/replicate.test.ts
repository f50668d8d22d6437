/** `replicate`: a copy that works as the archive does, whenever it is broken off. */

import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { replicate } from '../../src/commands/replicate.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { createTestHost } from '../support/host.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { needTool } from '../support/tools.ts';

const passphrase = 'secret';

async function setUp(t: TestContext) {
  const program = createProgram(t);
  const at = (...parts: string[]) => join(program.home, ...parts);
  mkdirSync(at('source'));
  for (const [index, text] of ['one', 'two', 'three'].entries()) {
    writeFileSync(at('source', 'a'), text);
    const words = ['backup', '--current-time', String(1_600_000_000 + 1000 * index)];
    expectStatus(await program.run([...words, at('source'), `file://${at('archive')}`], { passphrase }));
  }
  const copy = (...words: string[]) => program.run(['replicate', 'file://archive', 'file://copy', ...words]);
  return { program, at, copy };
}

test('a copy holds the same objects, without a passphrase, and the real duplicity restores it', async t => {
  if (!needTool(t, 'duplicity')) return;
  const { program, at, copy } = await setUp(t);
  const tried = expectStatus(await copy('--dry-run')).stdout;
  assert.match(tried, /^The full backup of 20200913T122640Z would be copied: 3 objects/);
  assert.throws(() => readdirSync(at('copy')), 'nothing is stored');
  const { stdout } = expectStatus(await copy());
  assert.equal(stdout, tried.replaceAll('would be copied', 'is copied'));
  assert.match(stdout, /^The full backup of 20200913T122640Z is copied: 3 objects/);
  assert.deepEqual(readdirSync(at('copy')).sort(), readdirSync(at('archive')).sort());
  for (const name of readdirSync(at('copy'))) {
    assert.deepEqual(readFileSync(at('copy', name)), readFileSync(at('archive', name)));
  }
  const duplicity = createDuplicity(t);
  expectStatus(await duplicity.run(['restore', `file://${at('copy')}`, at('out')], { passphrase }));
  assertSameTree(snapshotTree(at('out')), snapshotTree(at('source')));
  assert.match(expectStatus(await copy()).stdout, /^(The .* is there already\.\n){3}$/);
  assert.match((await program.run(['check', 'file://copy'], { passphrase })).stdout, /no fault found/);
});

test('an archive is no copy of itself, however the second URL is written', async t => {
  const { program, at } = await setUp(t);
  symlinkSync('archive', at('link'));
  for (const second of ['file://archive', 'file://archive/', `file://${at('archive')}`, 'file://link']) {
    const { stderr } = expectStatus(await program.run(['replicate', 'file://archive', second]), 2);
    assert.match(stderr, /^Error: the two URLs are the same\n$/, second);
  }
  const s3 = await program.run(['replicate', 's3://bucket/x', 'boto3+s3://bucket/x/']);
  assert.match(expectStatus(s3, 2).stderr, /the two URLs are the same/);
});

test('a copy that was broken off is continued, and looks unfinished until then', async t => {
  const { program, at, copy } = await setUp(t);
  expectStatus(await copy('--time', '2020-09-13T12:26:41Z'));
  assert.equal(readdirSync(at('copy')).length, 3, 'only the full set is that old');
  const rest = readdirSync(at('archive')).filter(name => /inc.*vol1/.test(name));
  copyFileSync(at('archive', rest[0]!), at('copy', rest[0]!));
  const listed = await program.run(['collection-status', 'file://copy']);
  assert.match(listed.stdout, /1 incomplete backup set/);
  writeFileSync(at('copy', rest[0]!), 'cut short');
  expectStatus(await copy());
  assert.match((await program.run(['check', 'file://copy'], { passphrase })).stdout, /no fault found/);
  rmSync(at('archive'), { recursive: true });
  assert.equal((await copy()).status, 13);
  assert.match(
    expectStatus(await program.run(['replicate', 'file://copy', 'file://copy']), 2).stderr,
    /the same/,
  );
});

test('what is not whole is told, copied as it is, and seen in the status', async t => {
  const { program, at, copy } = await setUp(t);
  const [manifest] = readdirSync(at('archive')).filter(name => /inc.*T122640Z.to.*manifest/.test(name));
  rmSync(at('archive', manifest!));
  const result = expectStatus(await copy(), 1);
  assert.match(result.stderr, /^Warning: The incremental backup of .* lacks its manifest or volumes/m);
  const restore = (from: string, to: string) =>
    program.run(['restore', '--archive-dir', at(to, '..', `cache of ${to}`), `file://${from}`, to], {
      passphrase,
    });
  expectStatus(await restore('archive', 'first'), 1);
  expectStatus(await restore('copy', 'second'), 1);
  assertSameTree(snapshotTree(at('second')), snapshotTree(at('first')));
});

test('a copy that was backed up to, and another archive, are left alone', async t => {
  const { program, at, copy } = await setUp(t);
  expectStatus(await copy());
  writeFileSync(at('source', 'a'), 'four');
  const backUp = (time: number, target: string) =>
    program.run(['backup', '--current-time', String(time), at('source'), `file://${at(target)}`], {
      passphrase,
    });
  expectStatus(await backUp(1_600_005_000, 'copy'));
  const before = readdirSync(at('copy')).sort();
  assert.match(
    expectStatus(await copy(), 5).stderr,
    /has the incremental backup of .*, which the archive has not/,
  );
  expectStatus(await backUp(1_600_009_000, 'archive'));
  expectStatus(await copy(), 5);
  assert.deepEqual(readdirSync(at('copy')).sort(), before);
});

test('a copy does not count of which something was removed while it was made', async t => {
  const { at, copy } = await setUp(t);
  const host = createTestHost();
  const { print } = host;
  const url = (name: string) => `file://${at(name)}`;
  host.print = async (...result) => {
    await print(...result);
    const volume = readdirSync(at('copy')).find(
      name => name.includes('duplicity-full') && name.includes('vol1'),
    );
    if (volume) rmSync(at('copy', volume));
  };
  const request = {
    ...{ url: url('archive'), to: url('copy') },
    archiveDir: at('caches'),
    tempdir: at(),
    dryRun: false,
  };
  await assert.rejects(replicate(request, host), {
    code: 'object-missing',
    message: /has not all of the full backup of 20200913T122640Z any more/,
  });
  expectStatus(await copy());
  assert.deepEqual(readdirSync(at('copy')).sort(), readdirSync(at('archive')).sort());
});
