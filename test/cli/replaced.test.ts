/** An installation that is replaced by another version while a run is under way. */

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectStatus, runProgram } from '../support/processes.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';

const project = fileURLToPath(new URL('../../..', import.meta.url));

/** The program in a place of its own, in which one file is another build's. */
function createMixture(t: TestContext, other: string) {
  const home = tempDir(t);
  const bin = join(home, 'dist/bin');
  cpSync(join(project, 'dist/bin'), bin, { recursive: true });
  cpSync(join(project, 'package.json'), join(home, 'package.json'));
  symlinkSync(join(project, 'node_modules'), join(home, 'node_modules'));
  const text = readFileSync(join(bin, other), 'latin1');
  const [, build = ''] = /\/\/([0-9a-f]{16})\n?$/.exec(text) ?? [];
  assert.ok(build);
  writeFileSync(join(bin, other), text.replaceAll(build, 'another build'), 'latin1');
  const source = join(home, 'source');
  mkdirSync(source);
  for (let i = 0; i < 3; i++) writeFileSync(join(source, `photo ${i}`), createRandom(i).bytes(1_000_000));
  const env = { PATH: process.env.PATH ?? '', HOME: home, PASSPHRASE: 'right' };
  const run = (...words: string[]) =>
    runProgram(process.execPath, [join(bin, 'cli.js'), ...words], { env, timeoutMs: 60_000 });
  return { home, source, run };
}

test('a backup does without a thread that is not of its build', async t => {
  const { home, source, run } = createMixture(t, 'seal-worker.cjs');
  const url = `file://${join(home, 'target')}`;
  const { stderr } = expectStatus(await run('full', source, url));
  assert.equal(stderr, '');
  expectStatus(await run('restore', url, join(home, 'out')));
  assertSameTree(snapshotTree(join(home, 'out')), snapshotTree(source));
});

for (const file of ['tsbackup.cjs', 'pack-worker.cjs', 'pack-worker.js']) {
  test(`nothing is run of a ${file} of another build`, async t => {
    const { home, source, run } = createMixture(t, file);
    const { stderr } = expectStatus(await run('full', source, `file://${join(home, 'target')}`), 1);
    assert.match(
      stderr,
      /^Error: the installed tsbackup was replaced by another version while it was running; run it again/m,
    );
  });
}
