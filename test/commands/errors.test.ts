/** What stops a command, or keeps it from doing all: each case of README.md's table is tried with the real program. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { acquireRunLock } from '../../src/cache/lock.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram, type Program } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { needRoot } from '../support/tools.ts';
import { makeSource } from './sources.ts';
import { assertTold, assertToldOnly } from './troubles.ts';

const PLAIN = '--no-encryption';
const SECRET = { passphrase: 'right' };
const WRONG = { passphrase: 'wrong' };

/** A program with a source and a place for a target. */
function setUp(
  t: TestContext,
  uid?: number,
): { program: Program; base: string; source: string; url: string } {
  const program = createProgram(t, uid);
  const base = program.home;
  const source = join(base, 'source');
  makeSource(source);
  if (uid !== undefined) spawnSync('chown', ['-R', `${uid}:${uid}`, source]);
  return { program, base, source, url: `file://${join(base, 'target')}` };
}

test('a wrong passphrase is told before anything is stored, and opens nothing', async t => {
  const { program, base, source, url } = setUp(t);
  expectStatus(await program.run(['full', source, url], SECRET));
  const stored = readdirSync(join(base, 'target'));
  for (const action of ['full', 'incremental', 'backup']) {
    assertToldOnly(await program.run([action, source, url], WRONG), 'backup with a wrong passphrase');
  }
  assert.deepEqual(readdirSync(join(base, 'target')), stored);
  const out = join(base, 'out');
  assertToldOnly(await program.run(['restore', url, out], WRONG), 'restore with a wrong passphrase');
  assert.ok(!existsSync(join(out, 'a')));
  rmSync(join(base, '.cache'), { recursive: true });
  for (const words of [
    ['restore', url, out],
    ['verify', url, source],
    ['list-current-files', url],
  ]) {
    assertToldOnly(await program.run(words, WRONG), 'restore with a wrong passphrase');
  }
  assert.equal((await program.run(['collection-status', url], WRONG)).status, 0, 'status needs none');
});

test('no passphrase and no terminal is an error and no endless wait', async t => {
  const { program, base, source, url } = setUp(t);
  assertToldOnly(
    await program.run(['full', source, url], { timeoutMs: 20_000 }),
    'no passphrase, and no terminal to ask on',
  );
  assert.ok(!existsSync(join(base, 'target')));
  expectStatus(await program.run(['full', source, url], SECRET));
  const restore = program.run(['restore', url, join(base, 'out')], { timeoutMs: 20_000 });
  assertToldOnly(await restore, 'no passphrase, and no terminal to ask on');
});

test('a target that is not there is told by every command that reads, and not made', async t => {
  const { program, base, source, url } = setUp(t);
  for (const words of [
    ['restore', url, 'out'],
    ['verify', url, source],
    ['collection-status', url],
    ['list-current-files', url],
  ]) {
    assertToldOnly(await program.run(words, SECRET), 'the target is not there (a disk that is not mounted)');
  }
  assert.ok(!existsSync(join(base, 'target')));
  assert.ok(!existsSync(join(base, 'out')));
});

test('nothing to restore has its own exit status', async t => {
  const { program, base, source, url } = setUp(t);
  mkdirSync(join(base, 'target'));
  assertToldOnly(await program.run(['restore', url, 'out']), 'no backup at the target');
  assertToldOnly(await program.run(['list-current-files', url]), 'no backup at the target');
  assertToldOnly(
    await program.run(['incremental', PLAIN, source, url]),
    '`incremental` without anything to continue',
  );
  expectStatus(await program.run(['full', PLAIN, source, url]));
  assertToldOnly(
    await program.run(['restore', '-r', 'nope', url, 'out']),
    'a path that is not in the backup',
  );
  const typed = await program.run(['restore', '-r', 'cafe\u0301', url, 'out']);
  assert.match(expectStatus(typed, 10).stderr, /: no cafe\u0301 in .*: copy the name from there\n$/);
  assert.ok(!existsSync(join(base, 'out')));
});

/** The folder of a disk of some KiB, for as long as the test lasts; undefined where there can be none. */
function mountSmallDisk(t: TestContext, kib: number): string | undefined {
  if (!needRoot(t, 'only root can mount a small disk to fill')) return undefined;
  const dir = mkdtempSync(join(tmpdir(), 'tsb-disk-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'none', dir]);
  t.after(() => {
    if (status === 0) spawnSync('umount', [dir]);
    rmdirSync(dir);
  });
  if (status === 0) return dir;
  t.skip('mounting is not allowed here');
  return undefined;
}

test('a full target keeps whole volumes only, and the next backup works', async t => {
  const { program, base, source } = setUp(t);
  const disk = mountSmallDisk(t, 2048);
  if (disk === undefined) return;
  const url = `file://${disk}/target`;
  const first = await program.run(['full', PLAIN, '--volsize', '1', source, url]);
  assertTold(first, 'the target is full');
  for (const name of readdirSync(join(disk, 'target')))
    assert.match(name, /^duplicity-full\..*\.vol\d+\.difftar\.gz$/);
  assert.match((await program.run(['collection-status', url])).stdout, /1 incomplete backup set/);
  spawnSync('mount', ['-o', 'remount,size=20m', disk]);
  expectStatus(await program.run(['full', PLAIN, '--volsize', '1', source, url]));
  expectStatus(await program.run(['restore', url, 'out']));
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source));
});

test('a full disk under the archive cache stops a backup', async t => {
  const { program, base, url } = setUp(t);
  const source = join(base, 'signatures');
  mkdirSync(source);
  writeFileSync(join(source, 'large'), createRandom(3).bytes(20_000_000));
  const disk = mountSmallDisk(t, 100);
  if (disk === undefined) return;
  const words = ['full', PLAIN, '--archive-dir', join(disk, 'cache')];
  assertToldOnly(await program.run([...words, source, url]), 'the disk of the archive cache is full');
  assert.deepEqual(
    readdirSync(join(base, 'target')).filter(name => name.includes('manifest')),
    [],
  );
  spawnSync('mount', ['-o', 'remount,size=20m', disk]);
  expectStatus(await program.run([...words, source, url]));
});

test('a full disk stops a restore', async t => {
  const { program, source, url } = setUp(t);
  const disk = mountSmallDisk(t, 1024);
  if (disk === undefined) return;
  expectStatus(await program.run(['full', PLAIN, source, url]));
  assertToldOnly(await program.run(['restore', url, join(disk, 'out')]), 'no space for what is restored');
  assert.deepEqual(readdirSync(join(disk, 'out')), ['a']); // nothing in part, nothing under a temporary name
});

test('a full temporary folder stops a restore that has deltas to apply', async t => {
  const { program, base, source, url } = setUp(t);
  const disk = mountSmallDisk(t, 128);
  if (disk === undefined) return;
  expectStatus(await program.run(['full', PLAIN, source, url]));
  appendFileSync(join(source, 'b'), 'one line more');
  expectStatus(await program.run([PLAIN, source, url]));
  const words = ['restore', url, join(base, 'out')];
  assertToldOnly(await program.run([...words, '--tempdir', disk]), 'the temporary folder is full');
  expectStatus(await program.run([...words, '--force']));
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source));
});

test('a target that must not be written to is told', async t => {
  if (!needRoot(t, 'only root can become another user')) return;
  const { program, base, source } = setUp(t, 12345);
  const foreign = join(base, 'foreign');
  mkdirSync(foreign);
  assertToldOnly(
    await program.run(['full', PLAIN, source, `file://${foreign}`]),
    'the target may not be written to',
  );
});

test('sources that can not be read are named and counted, and keep their previous version', async t => {
  if (!needRoot(t, 'only root can become another user')) return;
  const { program, base, source, url } = setUp(t, 12345);
  const close = (path: string) => {
    writeFileSync(join(source, path), 'new content that nobody can read');
    chmodSync(join(source, path), 0);
  };
  expectStatus(await program.run(['full', PLAIN, source, url]));
  const before = snapshotTree(source);
  close('a');
  chmodSync(join(source, 'd'), 0);
  writeFileSync(join(source, 'e'), 'changed');
  const after = snapshotTree(source);

  const incremental = await program.run([PLAIN, source, url]);
  assertTold(incremental, 'a file or folder that can not be read');
  assert.equal(
    incremental.stderr,
    [
      "Warning: a can't be read (EACCES); the backup keeps its previous version\n",
      "Warning: d can't be read (EACCES); the backup keeps its previous version\n",
    ].join(''),
  );
  assert.match(incremental.stdout, /^Errors 2$/m);
  assert.match(incremental.stdout, /^DeletedFiles 0$/m);
  expectStatus(await program.run(['restore', url, 'out']));
  const expected = [
    ...before.filter(({ path }) => /^(a|d|d\/.*)$/.test(path)),
    ...after.filter(({ path }) => !/^(a|d|d\/.*)$/.test(path)),
  ].sort((x, y) => (x.path < y.path ? -1 : 1));
  assertSameTree(snapshotTree(join(base, 'out')), expected);

  const lenient = await program.run(['--source-errors-ok', PLAIN, source, url]);
  assert.equal(lenient.status, 0);
  assert.match(lenient.stdout, /^Errors 2$/m);

  const full = await program.run(['full', PLAIN, source, url]);
  assert.equal(full.status, 3);
  assert.equal(
    full.stderr,
    [
      "Warning: a can't be read (EACCES); it is not in this backup\n",
      "Warning: d can't be read (EACCES); it is not in this backup\n",
    ].join(''),
  );
  chmodSync(join(source, 'd'), 0o755);
  chmodSync(join(source, 'a'), 0o600);
  expectStatus(await program.run([PLAIN, source, url]));
  expectStatus(await program.run(['restore', url, 'out again']));
  assertSameTree(snapshotTree(join(base, 'out again')), snapshotTree(source));
});

test('a source that is gone, or closed, is told before anything is stored', async t => {
  const { program, base, source, url } = setUp(t, process.getuid?.() === 0 ? 12345 : undefined);
  assertToldOnly(await program.run(['full', PLAIN, join(base, 'gone'), url]), 'the source is gone');
  chmodSync(source, 0);
  assertToldOnly(await program.run(['full', PLAIN, source, url]), 'the source can not be read');
  chmodSync(source, 0o755);
  assert.ok(!existsSync(join(base, 'target')));
});

test('a lock that another run holds ends a backup at once, and does not outlive it', async t => {
  const { program, base, source, url } = setUp(t);
  expectStatus(await program.run(['full', PLAIN, '--name', 'n', source, url]));
  const lock = await acquireRunLock(join(base, '.cache/tsbackup/n'));
  assertToldOnly(
    await program.run([PLAIN, '--name', 'n', source, url]),
    'another backup to the target is running',
  );
  expectStatus(await program.run(['restore', '--name', 'n', url, 'out'])); // reading needs no lock
  lock.release();
  expectStatus(await program.run([PLAIN, '--name', 'n', source, url]));
});

test('what another run stores in the same second is never written over', async t => {
  const { program, base, source, url } = setUp(t);
  const target = join(base, 'target');
  // It begins when we have seen what there is, in whatever second of this minute we get to it.
  const names = Array.from(
    { length: 60 },
    (_, i) => `duplicity-full.20231114T2213${10 + i}Z.vol1.difftar.gpg`,
  );
  const other = `mkdir -p '${target}'; cd '${target}'; for name in ${names.join(' ')}; do echo theirs > $name; done; echo secret`;
  const words = ['--current-time', '1700000000', '--passphrase-command', other];
  assertTold(
    await program.run(['full', ...words, source, url]),
    'another one with an archive cache of its own began in the same second',
  );
  for (const name of readdirSync(target)) assert.equal(readFileSync(join(target, name), 'utf8'), 'theirs\n');
});

test('a target in the source, and a source in the target, are refused', async t => {
  const { program, base, source } = setUp(t);
  const inside = join(source, 'new/target');
  assertToldOnly(
    await program.run(['full', PLAIN, source, `file://${inside}`]),
    'the target lies in the source',
  );
  writeFileSync(join(source, 'file'), '');
  assertToldOnly(
    await program.run(['full', PLAIN, source, `file://${source}/file/below`]),
    'the target lies in the source',
  );
  assertToldOnly(
    await program.run(['full', PLAIN, 'source', 'file://source']),
    'the target lies in the source',
  );
  assertToldOnly(
    await program.run(['full', PLAIN, source, `file://${base}`]),
    'the source lies in the target',
  );
  assert.ok(!existsSync(inside));
  assert.ok(!existsSync(join(base, '.cache')));
});

test('a folder that is not empty is restored to only when forced, and keeps what the backup does not have', async t => {
  const { program, base, source, url } = setUp(t);
  expectStatus(await program.run(['full', PLAIN, source, url]));
  const out = join(base, 'out');
  mkdirSync(out);
  writeFileSync(join(out, 'a'), 'old');
  writeFileSync(join(out, 'own'), 'mine');
  assertToldOnly(await program.run(['restore', url, out]), 'the folder to restore to is not empty');
  assert.equal(readFileSync(join(out, 'a'), 'latin1'), 'old');
  expectStatus(await program.run(['restore', '--force', url, out]));
  assert.equal(readFileSync(join(out, 'own'), 'latin1'), 'mine');
  assertSameTree(snapshotTree(out), snapshotTree(source), { without: ({ path }) => path === 'own' });
});

test('a chain of another source is not continued unless asked for', async t => {
  const { program, base, source, url } = setUp(t);
  expectStatus(await program.run(['full', PLAIN, source, url]));
  const other = join(base, 'other');
  makeSource(other, 2);
  assertToldOnly(await program.run([PLAIN, other, url]), 'the chain is of another folder or host');
  expectStatus(await program.run([PLAIN, '--allow-source-mismatch', other, url]));
});

test('a target that has lost what the cache knows is an incident, and nothing local is deleted', async t => {
  const { program, base, source, url } = setUp(t);
  expectStatus(await program.run(['full', PLAIN, '--name', 'n', source, url]));
  const cached = readdirSync(join(base, '.cache/tsbackup/n'));
  rmSync(join(base, 'target'), { recursive: true });
  mkdirSync(join(base, 'target'));
  assertToldOnly(
    await program.run([PLAIN, '--name', 'n', source, url]),
    'the target has lost backups (or another disk is mounted there)',
  );
  assert.deepEqual(readdirSync(join(base, '.cache/tsbackup/n')), cached);
  assert.deepEqual(readdirSync(join(base, 'target')), []);
  const full = expectStatus(await program.run(['full', PLAIN, '--name', 'n', source, url]));
  assert.match(
    full.stderr,
    /^Warning: the target lacks 2 manifests and signatures that the archive cache knows/,
  );
});

test('a source that is suddenly empty stops a backup, and changes nothing', async t => {
  const { program, base, source, url } = setUp(t);
  expectStatus(await program.run(['full', PLAIN, source, url]));
  const stored = readdirSync(join(base, 'target'));
  rmSync(source, { recursive: true });
  mkdirSync(source);
  for (const action of ['backup', 'incremental', 'full']) {
    const result = await program.run([action, PLAIN, source, url]);
    assertToldOnly(result, 'the source is suddenly empty (a disk that is not mounted)');
  }
  rmSync(join(base, '.cache'), { recursive: true });
  assertToldOnly(await program.run([PLAIN, source, url]), 'most of the source is suddenly gone');
  assert.deepEqual(readdirSync(join(base, 'target')), stored);
  expectStatus(await program.run([PLAIN, '--allow-mass-delete', source, url]));
  expectStatus(await program.run([PLAIN, source, url]));
});

test('a source that lies on another file system stops a backup, and changes nothing', async t => {
  const { program, source, url } = setUp(t);
  const disk = mountSmallDisk(t, 8192);
  if (disk === undefined) return;
  expectStatus(await program.run(['full', PLAIN, source, url]));
  const mounted = join(disk, 'source');
  makeSource(mounted);
  rmSync(source, { recursive: true });
  symlinkSync(mounted, source);
  const result = await program.run([PLAIN, source, url]);
  assertToldOnly(result, 'the source lies on another file system');
  expectStatus(await program.run([PLAIN, '--allow-mass-delete', source, url]));
  expectStatus(await program.run([PLAIN, source, url]));
});

test('a chain that has lost a volume is not built upon', async t => {
  const { program, base, source, url } = setUp(t);
  expectStatus(await program.run(['full', PLAIN, '--volsize', '1', source, url]));
  const folder = join(base, 'target');
  rmSync(join(folder, readdirSync(folder).find(name => name.includes('.vol2.'))!));
  assertTold(await program.run([PLAIN, source, url]), 'the newest chain has lost volumes');
  expectStatus(await program.run(['full', PLAIN, source, url]));
});

test('a clock before the newest backup stops a backup', async t => {
  const { program, base, source, url } = setUp(t);
  expectStatus(await program.run(['full', PLAIN, source, url]));
  for (const name of readdirSync(join(base, 'target'))) {
    const later = name.replace(/\d{8}T\d{6}Z/, '20991231T000000Z');
    spawnSync('mv', [join(base, 'target', name), join(base, 'target', later)]);
  }
  rmSync(join(base, '.cache'), { recursive: true });
  assertToldOnly(await program.run([PLAIN, source, url]), 'the clock is wrong');
});

test('an archive cache that can not be used is told', async t => {
  if (!needRoot(t, 'only root can become another user')) return;
  const { program, base, source, url } = setUp(t, 12345);
  const foreign = join(base, 'foreign');
  mkdirSync(foreign, { mode: 0o755 });
  chownSync(foreign, 0, 0);
  const words = ['full', PLAIN, '--archive-dir', foreign];
  assertToldOnly(await program.run([...words, source, url]), 'the archive cache can not be used');
});
