/** What `--progress` is told by commands: it goes on within one file too, never back, and ends where all is done. */

import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { replicate } from '../../src/commands/replicate.ts';
import type { Progress } from '../../src/report.ts';
import { createTestArchive, type TestArchive } from '../support/archive.ts';
import { tempDir } from '../support/temp-dir.ts';

function listen({ host }: TestArchive): Progress[] {
  const told: Progress[] = [];
  host.reporter.progress = progress => void told.push(progress);
  return told;
}

function assertOnward(told: readonly Progress[]): void {
  for (const [index, { bytesDone }] of told.entries())
    assert.ok(bytesDone >= (told[index - 1]?.bytesDone ?? 0));
}

for (const cores of [1, 2]) {
  test(`a backup tells how far it is within one large file that has changed (cores: ${cores})`, async t => {
    const base = tempDir(t);
    const source = join(base, 'source');
    mkdirSync(source);
    const large = join(source, 'large');
    const size = 40 * 1024 * 1024;
    writeFileSync(large, '');
    truncateSync(large, size);
    const archive = createTestArchive(base, { cores });
    assert.equal(await archive.backup(source, { mode: 'full' }), 0);
    const file = openSync(large, 'r+');
    writeSync(file, 'changed', size / 2);
    closeSync(file);
    const told = listen(archive);
    archive.host.set(1_700_001_000);
    assert.equal(await archive.backup(source, { mode: 'incremental', progress: true }), 0);
    assertOnward(told);
    const within = new Set(told.filter(({ path }) => path === 'large').map(({ bytesDone }) => bytesDone));
    assert.ok(within.size >= 5, `told ${[...within]}`);
    const all = size + statSync(source).size;
    assert.deepEqual([told.at(-1)!.bytesDone, told.at(-1)!.bytesTotal], [all, all]);
  });
}

test('replicate tells what is copied of what is to be copied', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'a'), 'content');
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source, { mode: 'full' }), 0);
  const told = listen(archive);
  const request = { ...archive.common, url: archive.url, to: `file://${join(base, 'copy')}`, dryRun: false };
  assert.equal(await replicate(request, archive.host), 0);
  assertOnward(told);
  const { bytesDone, bytesTotal, stage, entriesDone } = told.at(-1)!;
  assert.deepEqual([stage, entriesDone, bytesDone], ['copying', 3, bytesTotal]);
  assert.ok(bytesDone > 0);
  told.length = 0;
  assert.equal(await replicate(request, archive.host), 0);
  assert.deepEqual(told, [], 'all is there');
});
