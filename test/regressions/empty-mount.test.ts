/** A known fault: a disk that is not mounted is an empty folder, and was stored as "everything is deleted". */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertTold, assertToldOnly } from '../commands/troubles.ts';
import { expectStatus, type Running } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { createSleepingSource } from '../support/sleeping-source.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { needRoot } from '../support/tools.ts';

test('an empty mount is not stored as "everything is deleted"', async t => {
  if (!needRoot(t, 'only root can mount a disk')) return;
  t.after(() => umount()); // before the folder is removed
  const program = createProgram(t);
  const source = join(program.home, 'photos');
  const target = join(program.home, 'target');
  const url = `file://${target}`;
  const secret = { passphrase: 'x' };
  const umount = () => spawnSync('umount', [source]);
  const mount = () => spawnSync('mount', ['-t', 'tmpfs', 'none', source]).status === 0;
  mkdirSync(source);
  if (!mount()) return t.skip('mounting is not allowed here');
  for (let i = 0; i < 10; i++) writeFileSync(join(source, `photo ${i}`), `${i}`);
  const before = snapshotTree(source);
  expectStatus(await program.run(['full', source, url], secret));
  const stored = readdirSync(target).sort();

  umount();
  for (const words of [['full'], ['incremental'], ['backup'], ['backup', '--full-if-older-than', '0s']]) {
    assertToldOnly(
      await program.run([...words, source, url], secret),
      'the source is not mounted, or has moved',
    );
  }
  // Somebody has put something there by mistake, and the archive cache is lost: still too much is gone.
  writeFileSync(join(source, 'stray'), '');
  assertToldOnly(await program.run([source, url], secret), 'the source is not mounted, or has moved');
  rmSync(join(source, 'stray'));
  rmSync(join(program.home, '.cache'), { recursive: true });
  assertToldOnly(await program.run([source, url], secret), 'most of the source is suddenly gone');
  assert.deepEqual(readdirSync(target).sort(), stored);
  expectStatus(await program.run(['restore', url, 'out'], secret));
  assertSameTree(snapshotTree(join(program.home, 'out')), before);
});

test('a disk that is unmounted in the middle of a backup is not stored as "everything is deleted" either', async t => {
  if (!needRoot(t, 'only root can mount a disk')) return;
  const umount = () => spawnSync('umount', ['-l', source]);
  t.after(() => {
    umount();
    spawnSync('umount', [disk]); // before the folder is removed
  });
  const program = createProgram(t);
  const [disk, source, target] = ['disk', 'photos', 'target'].map(name => join(program.home, name)) as [
    string,
    string,
    string,
  ];
  const url = `file://${target}`;
  const mount = () => spawnSync('mount', ['--bind', disk, source]).status === 0;
  for (const folder of [disk, source]) mkdirSync(folder);
  if (spawnSync('mount', ['-t', 'tmpfs', 'none', disk]).status !== 0 || !mount())
    return t.skip('mounting is not allowed here');
  const random = createRandom(5);
  for (let i = 100; i < 110; i++) writeFileSync(join(source, `photo ${i}`), `${i}`);
  expectStatus(await program.run(['full', '--no-encryption', source, url]));
  for (let i = 0; i < 40; i++) writeFileSync(join(source, `new ${i}`), random.bytes(1_000_000));

  const running = program.start(['--no-encryption', '--volsize', '1', source, url]);
  await volumeAt(target, '-inc', running);
  umount();
  assertTold(await running.done, 'the source is unmounted meanwhile');

  assertTold(await program.run(['--no-encryption', source, url]), 'the source is not mounted, or has moved');
  assert.ok(mount());
  const next = expectStatus(await program.run(['--no-encryption', '--volsize', '1', source, url]));
  assert.match(next.stdout, /^Continuing the incremental backup/m);
  assert.match(next.stdout, /^DeletedFiles 0$/m);
  expectStatus(await program.run(['verify', '--compare-data', url, source]));
});

test('the first backup, killed in its middle, is not continued from a disk that is not mounted by then', async t => {
  if (!needRoot(t, 'only root can mount a disk')) return;
  t.after(() => umount()); // before the folder is removed
  const program = createProgram(t);
  const [source, target] = [join(program.home, 'photos'), join(program.home, 'target')];
  const words = ['--no-encryption', '--volsize', '1', source, `file://${target}`];
  const umount = () => spawnSync('umount', ['-l', source]);
  for (const folder of [source, target]) mkdirSync(folder);
  if (spawnSync('mount', ['-t', 'tmpfs', 'none', source]).status !== 0)
    return t.skip('mounting is not allowed here');
  const random = createRandom(6);
  for (let i = 100; i < 140; i++) writeFileSync(join(source, `photo ${i}`), random.bytes(1_000_000));

  const { options, fail } = createSleepingSource(program);
  fail({ code: 'HANG', match: join(source, 'photo 139'), calls: ['openSync'] }); // the last one: it can't end by itself
  const running = program.start(words, options);
  await volumeAt(target, 'vol3', running);
  running.kill('SIGKILL');
  await running.done;
  umount();
  const stored = readdirSync(target);
  assertTold(await program.run(words), 'the source is not mounted, or has moved');
  assert.deepEqual(readdirSync(target), stored);
});

/** Waits for a volume with such a name. */
async function volumeAt(target: string, like: string, running: Running): Promise<void> {
  while (!readdirSync(target).some(name => name.includes('.vol') && name.includes(like))) {
    assert.equal(running.child.exitCode, null, 'it ended before its disk was unmounted');
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
