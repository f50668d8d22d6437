/** Sources, targets and caches on file systems that list folders in ways of their own. */

import assert from 'node:assert/strict';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bytesOf } from '../../src/bytes.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';

const preload = fileURLToPath(new URL('../support/odd-listings.js', import.meta.url));

for (const [oddity, name] of [
  ['untyped', 'tells no types'],
  ['twice', 'lists names twice'],
] as const) {
  test(`a file system that ${name} is backed up, restored and a target`, async t => {
    const { home, run } = createProgram(t);
    const odd = {
      passphrase: 'x',
      nodeArgs: ['--import', preload],
      env: { ODD_LISTINGS: oddity },
    };
    const source = join(home, 'source');
    mkdirSync(join(source, 'folder'), { recursive: true });
    for (let i = 0; i < 5; i++) writeFileSync(bytesOf(`${source}/folder/caf\xe9 ${i}`), `${i}`);
    mkdirSync(join(source, 'later'));
    const url = `file://${home}/target`;
    expectStatus(await run(['full', source, url], odd));
    writeFileSync(join(source, 'later', 'file'), 'more');
    truncateSync(bytesOf(`${source}/folder/caf\xe9 1`));
    expectStatus(await run([source, url], odd));
    const before = snapshotTree(source);

    const verified = expectStatus(await run(['verify', '--compare-data', url, source], odd));
    assert.match(verified.stdout, /^Verify complete: 9 files compared, 0 differences found\.$/m);
    const listed = expectStatus(await run(['list-current-files', url], odd));
    assert.equal(listed.stdout.match(/ later\/file$/gm)?.length, 1);
    mkdirSync(join(home, 'out'));
    expectStatus(await run(['restore', url, join(home, 'out')], odd));
    assertSameTree(snapshotTree(join(home, 'out')), before);
    writeFileSync(join(home, 'out', 'folder', 'other'), '');
    expectStatus(await run(['restore', '--in-place', '--delete', url, join(home, 'out')], odd));
    assertSameTree(snapshotTree(join(home, 'out')), before);
  });
}
