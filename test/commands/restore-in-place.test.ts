/** `restore --in-place`: what is the same stays untouched; with --delete the folder becomes what the backup is. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createTestArchive } from '../support/archive.ts';
import { mutateTree } from '../support/mutations.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';
import { makeTree } from '../support/trees.ts';

const both = { inPlace: true, deleteOthers: true };
const options = { entries: 30, large: false, negativeTimes: false };

for (let seed = 1; seed <= 6; seed++) {
  test(`any tree restored in place over any other becomes the one of the backup (${seed})`, async t => {
    const base = tempDir(t);
    const archive = createTestArchive(base);
    const source = join(base, 'source');
    const target = join(base, 'restored');
    makeTree(source, seed, options);
    makeTree(target, seed % 2 === 0 ? seed : seed + 100, options);
    for (let i = 0; i < 3; i++) mutateTree(target, seed * 10 + i);
    await archive.backup(source);
    mutateTree(source, seed);
    await archive.backup(source);
    assert.equal(await archive.restore(target, both), 0);
    assertSameTree(snapshotTree(target), snapshotTree(source));
  });
}

test('without --delete what is not in the backup stays', async t => {
  const base = tempDir(t);
  const archive = createTestArchive(base);
  const [source, target] = [join(base, 'source'), join(base, 'restored')];
  makeTree(source, 7, options);
  makeTree(target, 7, options);
  mkdirSync(join(target, 'mine'));
  writeFileSync(join(target, 'mine', 'own'), 'own');
  await archive.backup(source);
  mutateTree(target, 70, { changes: 5 });
  await archive.restore(target, { inPlace: true });
  assert.equal(readFileSync(join(target, 'mine', 'own'), 'utf8'), 'own');
  await archive.restore(target, both);
  assert.ok(!existsSync(join(target, 'mine')));
  assertSameTree(snapshotTree(target), snapshotTree(source));
});

function setUp(t: TestContext) {
  const base = tempDir(t);
  const archive = createTestArchive(base);
  const [source, target] = [join(base, 'source'), join(base, 'restored')];
  mkdirSync(join(source, 'folder'), { recursive: true });
  writeFileSync(join(source, 'folder', 'same'), 'x'.repeat(300_000));
  writeFileSync(join(source, 'folder', 'tail'), `${'y'.repeat(300_000)}old`);
  writeFileSync(join(source, 'folder', 'long'), 'z'.repeat(100_000));
  symlinkSync('there', join(source, 'link'));
  return { base, archive, source, target };
}

test('what is the same keeps inode and ctime, and nothing of it is written', async t => {
  const { archive, source, target } = setUp(t);
  await archive.backup(source);
  await archive.restore(target);
  const identity = (path: string) => {
    const { ino, ctimeNs } = lstatSync(join(target, path), { bigint: true });
    return `${ino} ${ctimeNs}`;
  };
  const same = ['folder/same', 'link'];
  const before = same.map(identity);
  const touched = statSync(join(target, 'folder/long'));
  utimesSync(join(target, 'folder/long'), 5, 5);
  writeFileSync(join(target, 'folder', 'tail'), `${'y'.repeat(300_000)}NEW and longer`);
  archive.host.clear();
  assert.equal(await archive.restore(target, { inPlace: true }), 0);
  assert.deepEqual(same.map(identity), before);
  const long = statSync(join(target, 'folder/long'));
  assert.deepEqual([long.ino, long.mtimeMs], [touched.ino, Math.floor(touched.mtimeMs / 1000) * 1000]);
  assertSameTree(snapshotTree(target), snapshotTree(source));
  const told = archive.host.reports.find(({ code }) => code === 'restored-in-place');
  assert.deepEqual(told?.facts, { written: 1, kept: 3, deleted: 0 });
  writeFileSync(join(target, 'folder', 'long'), 'z'.repeat(99_999));
  await archive.restore(target, { inPlace: true });
  assertSameTree(snapshotTree(target), snapshotTree(source));
});

test('nothing outside the folder is touched through a link in it', async t => {
  const { base, archive, source, target } = setUp(t);
  const outside = join(base, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'same'), 'precious');
  await archive.backup(source);
  await archive.restore(target);
  rmSync(join(target, 'folder'), { recursive: true });
  symlinkSync(outside, join(target, 'folder'));
  symlinkSync(outside, join(target, 'other'));
  await archive.restore(target, both);
  assert.deepEqual(readdirSync(outside), ['same']);
  assert.equal(readFileSync(join(outside, 'same'), 'utf8'), 'precious');
  assertSameTree(snapshotTree(target), snapshotTree(source));
});

test('nothing is deleted when a part of the backup is lost', async t => {
  const { base, archive, source, target } = setUp(t);
  await archive.backup(source);
  await archive.restore(target);
  writeFileSync(join(target, 'mine'), 'mine');
  const folder = join(base, 'target');

  renameSync(readVolume(folder)!, join(base, 'away'));
  assert.equal(await archive.restore(target, both), 1);
  assert.equal(readFileSync(join(target, 'mine'), 'utf8'), 'mine');
  assert.ok(archive.host.reports.some(({ code }) => code === 'not-deleted'));
});

test('a folder that a file of the backup takes the place of is not lost when a part of the backup is', async t => {
  const { base, archive, source, target } = setUp(t);
  writeFileSync(join(source, 'album'), 'a file');
  writeFileSync(join(source, 'large'), createRandom(5).bytes(3_000_000));
  await archive.backup(source, { compress: false });
  mkdirSync(join(target, 'album'), { recursive: true });
  writeFileSync(join(target, 'album', 'photo'), 'precious');
  const damaged = join(base, 'target', readdirSync(join(base, 'target')).find(name => /vol3/.test(name))!);
  const bytes = readFileSync(damaged);
  bytes[5000]! ^= 1;
  writeFileSync(damaged, bytes);
  assert.equal(await archive.restore(target, both), 1);
  assert.equal(readFileSync(join(target, 'album'), 'utf8'), 'a file');
  assert.ok(archive.host.reports.some(({ code }) => code === 'not-deleted'));
  const aside = archive.host.reports.find(({ code }) => code === 'set-aside')!.facts!.path as string;
  assert.equal(readFileSync(join(target, aside, 'photo'), 'utf8'), 'precious');

  bytes[5000]! ^= 1;
  writeFileSync(damaged, bytes);
  archive.host.clear();
  assert.equal(await archive.restore(target, both), 0);
  assertSameTree(snapshotTree(target), snapshotTree(source));
});

test('a folder never becomes the one file that is wanted', async t => {
  const { archive, source, target } = setUp(t);
  await archive.backup(source);
  mkdirSync(target);
  writeFileSync(join(target, 'mine'), 'mine');
  assert.equal(await archive.restore(target, { ...both, paths: ['folder/same'] }), 1);
  assert.deepEqual(readdirSync(target), ['mine']);
  const [told] = archive.host.reports.filter(({ code }) => code === 'not-restored');
  assert.match(told!.message, /a folder with content is in its place; name the file that it is to become/);
});

test('the archive cache stays where it lies in the folder', async t => {
  const base = tempDir(t);
  const archive = createTestArchive(base, { url: `file://${join(tempDir(t), 'target')}` });
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'a'), 'a');
  await archive.backup(source);
  assert.equal(await archive.restore(base, both), 0);
  assert.deepEqual(readdirSync(base).sort(), ['a', 'our cache']);
  assert.equal(await archive.restore(base, both), 0);
});

test('links that lead to the archive and to its cache stay', async t => {
  const base = tempDir(t);
  const disk = tempDir(t);
  const folder = join(base, 'folder');
  const archive = createTestArchive(disk, { url: `file://${join(folder, 'nas')}` });
  const source = join(base, 'source');
  for (const path of [source, folder, join(disk, 'objects'), join(disk, 'our cache')]) mkdirSync(path);
  symlinkSync(join(disk, 'objects'), join(folder, 'nas'));
  symlinkSync(join(disk, 'our cache'), join(folder, 'cache'));
  writeFileSync(join(source, 'a'), 'a');
  await archive.backup(source);
  assert.equal(await archive.restore(folder, { ...both, archiveDir: join(folder, 'cache') }), 0);
  assert.deepEqual(readdirSync(folder).sort(), ['a', 'cache', 'nas']);
});

test('what is mounted below the folder is not looked into', async t => {
  const { archive, source, target } = setUp(t);
  if (process.geteuid?.() !== 0 || !needTool(t, 'mount')) return;
  await archive.backup(source);
  const nas = join(target, 'folder of it', 'nas');
  mkdirSync(nas, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', 'none', nas]);
  if (mounted.status !== 0) return t.skip('nothing can be mounted here');
  try {
    writeFileSync(join(nas, 'only copy'), 'x');
    writeFileSync(join(target, 'other'), 'x');
    assert.equal(await archive.restore(target, both), 0);
    assert.ok(existsSync(join(nas, 'only copy')) && !existsSync(join(target, 'other')));
  } finally {
    spawnSync('umount', [nas]);
  }
  assert.ok(archive.host.reports.some(({ message }) => /nas: another file system is mounted/.test(message)));
});

test('names of one file do not get each other’s attributes', async t => {
  const { archive, source, target } = setUp(t);
  for (const [name, mode] of [
    ['a', 0o600],
    ['b', 0o755],
  ] as const) {
    writeFileSync(join(source, name), 'same', { mode });
    utimesSync(join(source, name), mode, mode);
  }
  await archive.backup(source);
  await archive.restore(target);
  rmSync(join(target, 'b'));
  linkSync(join(target, 'a'), join(target, 'b'));
  assert.equal(await archive.restore(target, { inPlace: true }), 0);
  assertSameTree(snapshotTree(target), snapshotTree(source));
});

function readVolume(folder: string): string | undefined {
  if (!statSync(folder).isDirectory()) return undefined;
  const name = readdirSync(folder).find(file => /vol1/.test(file));
  return name && join(folder, name);
}

test('a folder that holds the archive itself is not cleared', async t => {
  const { base, archive, source } = setUp(t);
  await archive.backup(source);
  await assert.rejects(archive.restore(base, both), /target.* lies in .*would be deleted/);
  await assert.rejects(archive.restore(join(base, 'target'), both), /would be deleted/);
  assert.ok(readVolume(join(base, 'target')));
});

test('of several paths only what lies below them is deleted', async t => {
  const { archive, source, target } = setUp(t);
  mkdirSync(join(source, 'other'));
  writeFileSync(join(source, 'other', 'a'), 'a');
  await archive.backup(source);
  await archive.restore(target);
  writeFileSync(join(target, 'mine'), '');
  writeFileSync(join(target, 'folder', 'mine'), '');
  assert.equal(await archive.restore(target, { ...both, paths: ['folder', 'other'] }), 0);
  assert.ok(existsSync(join(target, 'mine')) && !existsSync(join(target, 'folder', 'mine')));
  writeFileSync(join(target, 'mine'), '');
  assert.equal(await archive.restore(join(target, 'folder'), { ...both, paths: ['folder'] }), 0);
  assertSameTree(snapshotTree(join(target, 'folder')), snapshotTree(join(source, 'folder')));
});

test('the options do what they say from the command line', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  writeFileSync(join(program.home, 'source', 'a'), 'a');
  expectStatus(await program.run(['full', '--no-encryption', 'source', 'file://target']));
  mkdirSync(join(program.home, 'out'));
  writeFileSync(join(program.home, 'out', 'b'), 'b');
  const refused = await program.run(['restore', '--delete', 'file://target', 'out']);
  assert.match(expectStatus(refused, 2).stderr, /^Error: --delete goes with --in-place only\n$/);
  const both = ['restore', '--in-place', '--delete'];
  const selected = await program.run([...both, '--exclude', '**', 'file://target', 'out']);
  assert.match(expectStatus(selected, 2).stderr, /^Error: selection options mean nothing to a restore/);
  const planned = await program.run([...both, '--dry-run', 'file://target', 'out']);
  assert.match(expectStatus(planned).stdout, /Not in the backup, to be deleted:\n\tb\n$/);
  const items = expectStatus(await program.run([...both, '--dry-run', '--json', 'file://target', 'out']));
  assert.match(items.stdout, /\{"type":"deletion","path":"b"\}/);
  const done = await program.run(['restore', '--in-place', '--delete', 'file://target', 'out']);
  assert.match(
    expectStatus(done).stdout,
    /1 files and links were written, 0 were the same already, 1 were deleted/,
  );
  assert.deepEqual(readdirSync(join(program.home, 'out')), ['a']);
});

test('a date before 1970 is told once, kept as 1970, and left as it is in place', async t => {
  const { archive, source } = setUp(t);
  const old = join(source, 'old');
  writeFileSync(old, 'old');
  utimesSync(old, new Date(-3e11), new Date(-3e11));
  const told = () => archive.host.reports.filter(({ code }) => code === 'date-lost');
  assert.equal(await archive.backup(source), 0);
  assert.match(told()[0]!.message, /^old is older than 1970/);
  archive.host.clear();
  archive.host.set(1_700_001_000);
  assert.equal(await archive.backup(source), 0);
  assert.deepEqual(told(), []);
  assert.equal(await archive.restore(source, { inPlace: true }), 0);
  assert.equal(statSync(old).mtimeMs, -3e11);
});

/** A module that kills the program as it gives something its name. */
function killedAt(name: string): string {
  const preload = `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { renameSync } = fs;
    fs.renameSync = (from, to) => {
      if (String(to).endsWith('/${name}')) process.kill(process.pid, 'SIGKILL');
      return renameSync(from, to);
    };
    syncBuiltinESMExports();`;
  return `data:text/javascript,${encodeURIComponent(preload)}`;
}

test('what a killed restore was making is gone after the next one, wherever that goes', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  mkdirSync(join(source, 'folder'), { recursive: true });
  for (const name of ['first', 'folder/victim']) writeFileSync(join(source, name), name);
  const url = `file://${join(program.home, 'backups')}`;
  expectStatus(await program.run(['full', '--no-encryption', source, url]));
  const out = join(program.home, 'out');
  const restore = async (args: readonly string[], killed?: string) => {
    const nodeArgs = killed === undefined ? [] : ['--import', killedAt(killed)];
    const { status } = await program.run(['restore', ...args], { nodeArgs });
    if (killed === undefined) assert.equal(status, 0);
  };
  const leftIn = (folder: string) => readdirSync(folder).filter(name => name.startsWith('.tsbackup-')).length;

  await restore([url, out], 'folder');
  assert.equal(leftIn(out), 1);
  await restore(['--in-place', url, out]);
  assertSameTree(snapshotTree(out), snapshotTree(source));

  // A file of its own is made in the folder around it.
  const file = join(program.home, 'around', 'victim');
  await restore(['-r', 'folder/victim', url, file], 'victim');
  assert.equal(leftIn(join(program.home, 'around')), 1);
  await restore(['-r', 'folder/victim', url, file]);
  assert.deepEqual(readdirSync(join(program.home, 'around')), ['victim']);

  // A folder that has nothing else in it counts as empty.
  const empty = join(program.home, 'empty');
  await restore(['-r', 'folder', url, empty], 'victim');
  assert.equal(leftIn(empty), 1);
  await restore(['-r', 'folder', url, empty]);
  assert.deepEqual(readdirSync(empty), ['victim']);
});
