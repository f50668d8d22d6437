/** What is asked of, and told to, somebody whose last backup was interrupted. */

import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTestArchive, type TestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram, type Program, type ProgramOptions } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { createSleepingSource } from '../support/sleeping-source.ts';
import { assertSameTree, type SnapshotEntry, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { haveTool, needTool } from '../support/tools.ts';
import { assertTold } from './troubles.ts';

const options = { passphrase: 'right', timeoutMs: 60_000 };

function makeFiles(source: string, count: number, size = 1_000_000): void {
  const random = createRandom(71);
  mkdirSync(source, { recursive: true });
  for (let i = 10; i < 10 + count; i++) writeFileSync(join(source, `file ${i}`), random.bytes(size));
}

/** Options for a run that can't end by itself, however late it is killed: the last file of the source hangs. */
function hangingAtTheEnd(program: Program, source: string): ProgramOptions {
  const sleeping = createSleepingSource(program);
  sleeping.fail({ code: 'HANG', match: join(source, 'file 49'), calls: ['openSync'] });
  return { ...options, ...sleeping.options };
}

/** A full backup that was killed when three of its volumes were at the target. */
async function killedBackup(t: TestContext) {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  const folder = join(program.home, 'target');
  const url = `file://${folder}`;
  makeFiles(source, 40);
  const hanging = hangingAtTheEnd(program, source);
  const running = program.start(['full', '--volsize', '1', source, url], hanging);
  while (!existsSync(folder) || !readdirSync(folder).some(name => name.includes('.vol4.'))) {
    assert.equal(running.child.exitCode, null, 'it ended before it could be killed');
    await sleep(5);
  }
  running.kill('SIGKILL');
  await running.done;
  return { program, source, folder, url };
}

test('an interrupted backup is continued by who can, and nobody else', async t => {
  const { program, source, folder, url } = await killedBackup(t);
  const run = (args: readonly string[], passphrase = 'right') =>
    program.run(args, { ...options, passphrase });

  assertTold(await run([source, url], 'wrong'), 'the interrupted backup had another passphrase');
  const other = join(program.home, 'other');
  mkdirSync(other);
  assertTold(await run([other, url]), 'the interrupted backup is of another folder');
  const plain = await run(['--no-encryption', source, url]);
  assert.equal(plain.status, 2);
  assert.match(
    plain.stderr,
    /^Error: the interrupted full backup of \S+ is encrypted; go on in the same way/m,
  );

  renameSync(folder, `${folder} elsewhere`);
  mkdirSync(folder);
  assertTold(await run([source, url]), 'the target has lost the volumes of the interrupted backup');
  renameSync(folder, `${folder} empty`);
  renameSync(`${folder} elsewhere`, folder);

  assertTold(await run(['restore', url, 'out']), 'no backup at the target');
  assert.match((await run(['collection-status', url])).stdout, /^and 1 incomplete backup set\.$/m);

  const next = await run([source, url]);
  expectStatus(next);
  assertTold(next, 'a backup was interrupted, and the next one runs');
  expectStatus(await run(['restore', url, 'out']));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
});

test('cleanup --force takes an interrupted backup away, and the next one begins anew', async t => {
  const { program, source, folder, url } = await killedBackup(t);
  const seen = await program.run(['cleanup', url], options);
  assert.match(seen.stdout, /\.vol1\.difftar\.gpg$/m);
  assert.ok(readdirSync(folder).length > 0, 'without --force it only tells');
  expectStatus(await program.run(['cleanup', '--force', url], options));
  assert.deepEqual(readdirSync(folder), []);
  const next = await program.run([source, url], options);
  expectStatus(next);
  assert.doesNotMatch(next.stdout, /Continuing/);
});

test('a full backup is made where the chain of the interrupted set has lost a volume', async t => {
  const { program, source, folder, url } = await killedBackup(t);
  const run = (...words: string[]) => program.run([...words, '--volsize', '1', source, url], options);
  expectStatus(await run());
  makeFiles(source, 40, 1_100_000);
  const running = program.start(['--volsize', '1', source, url], hangingAtTheEnd(program, source));
  while (!readdirSync(folder).some(name => /-inc\..*\.vol4\./.test(name))) {
    assert.equal(running.child.exitCode, null, 'it ended before it could be killed');
    await sleep(5);
  }
  running.kill('SIGKILL');
  await running.done;
  const lost = readdirSync(folder).find(name => /-full\..*\.vol2\./.test(name))!;
  rmSync(join(folder, lost));

  assert.match(expectStatus(await run(), 5).stderr, /lacks volumes .* or make a full backup/);
  const { stdout } = expectStatus(await run('full'));
  assert.match(
    stdout,
    /^The incremental backup of .* can't be continued: the full backup of .* lacks volumes/m,
  );
  const out = join(program.home, 'out');
  expectStatus(await program.run(['restore', url, out], options));
  assertSameTree(snapshotTree(out), snapshotTree(source));
});

test('an interrupted set is given up when another program has made one since', async t => {
  if (!needTool(t, 'duplicity')) return;
  const { program, source, folder, url } = await killedBackup(t);
  await sleep(1100); // its set shall have another time
  await createDuplicity(t).full(source, url, { passphrase: 'right' });
  const next = await program.run([source, url], options);
  expectStatus(next);
  assert.match(
    next.stdout,
    /^The full backup of \S+ was interrupted and can't be continued: another backup was made since\. What there is of it is removed\.$/m,
  );
  const fulls = readdirSync(folder).filter(name => /^duplicity-full\..*\.manifest/.test(name));
  assert.equal(fulls.length, 1, 'the one of the other program is continued');
});

test('an interrupted set of another version of the program is removed, and made anew', async t => {
  const { program, source, folder, url } = await killedBackup(t);
  const left = readdirSync(folder);
  const caches = join(program.env.XDG_CACHE_HOME!, 'tsbackup');
  const partial = join(caches, readdirSync(caches)[0]!, 'tsbackup-partial');
  const name = readdirSync(partial).find(file => file.endsWith('.journal'))!;
  const journal = readFileSync(join(partial, name), 'utf8');
  writeFileSync(join(partial, name), journal.replaceAll(/ [0-9a-f]{8}$/gm, '')); // as the first versions wrote it
  await sleep(1100); // the next set shall have another time
  const { stdout } = expectStatus(await program.run([source, url], options));
  assert.match(
    stdout,
    /^The full backup of \S+ was interrupted and can't be continued: .* of another version of tsbackup\. What there is of it is removed\.$/m,
  );
  assert.doesNotMatch(stdout, /was not finished/);
  const remains = readdirSync(folder);
  assert.deepEqual(
    left.filter(file => remains.includes(file)),
    [],
  );
  expectStatus(await program.run(['restore', url, 'out'], options));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
});

test('an unfinished set that another archive cache knows of is told, and left alone', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeFiles(source, 4, 300_000);
  const one = createTestArchive(base);
  one.host.interruptAfter(2);
  await assert.rejects(one.backup(source, { volumeSize: 100_000 }));
  const elsewhere = join(base, 'elsewhere');
  mkdirSync(elsewhere);
  const other = createTestArchive(elsewhere, { url: one.url, now: 1_700_000_100 });
  const unfinished =
    /, only the full backup of 20231114T221320Z, which was not finished or has lost its manifest$/;
  await assert.rejects(other.restore(join(base, 'out')), unfinished);
  const before = readdirSync(one.folder);
  assert.equal(await other.backup(source), 0);
  const told = other.host.reports.find(({ code }) => code === 'unfinished-at-target')?.message ?? '';
  assert.match(told, /^The full backup of 20231114T221320Z at the target \(.*\) was not finished/);
  assert.ok(before.every(name => existsSync(join(one.folder, name))));
  assert.equal(await other.restore(join(base, 'out')), 0);
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source));
});

test('a set that the archive cache knows as finished is not told as unfinished, for cleanup to remove', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  const folder = join(program.home, 'target');
  const url = `file://${folder}`;
  makeFiles(source, 1);
  for (const time of ['1700000000', '1700000100'])
    expectStatus(await program.run(['full', '--current-time', time, source, url], options));
  rmSync(join(folder, 'duplicity-full.20231114T221320Z.manifest.gpg'));
  const { stdout, stderr } = expectStatus(await program.run([source, url], options));
  assert.match(stderr, /^Warning: the target lacks 1 manifests and signatures that the archive cache knows/m);
  assert.doesNotMatch(stdout, /was not finished/);
  const cleanup = expectStatus(await program.run(['cleanup', '--force', url], options));
  assert.match(cleanup.stdout, /^The full backup of 20231114T221320Z has lost its manifest .*: kept/m);
});

test('another machine tells of an unfinished set, and leaves alone what lies there of it', async t => {
  const { program, source, folder, url } = await killedBackup(t);
  const { XDG_CACHE_HOME: caches = '' } = program.env;
  const [name = ''] = readdirSync(join(caches, 'tsbackup'));
  const identity = readFileSync(join(caches, 'tsbackup', name, 'tsbackup-identity'), 'utf8');
  const half = join(folder, `tsbackup-tmp-${identity}-0`);
  writeFileSync(half, 'half');
  const elsewhere = { ...options, env: { XDG_CACHE_HOME: join(program.home, 'elsewhere') } };
  assertTold(await program.run([source, url], elsewhere), 'another machine left a backup unfinished');
  assert.ok(existsSync(half));
  expectStatus(await program.run([source, url], options));
  assert.ok(!existsSync(half), 'who left it clears it up');
});

test('what duplicity left unfinished in a shared archive cache is removed before we go on', async t => {
  if (!needTool(t, 'duplicity')) return;
  const program = createProgram(t);
  const duplicity = createDuplicity(t);
  const source = join(program.home, 'source');
  const folder = join(program.home, 'target');
  const url = `file://${folder}`;
  makeFiles(source, 60);
  const shared = ['--archive-dir', duplicity.archiveDir, '--name', 'shared'];
  expectStatus(await program.run(['full', ...shared, source, url], options));
  makeFiles(join(source, 'more'), 60);
  const running = duplicity.start(
    ['incremental', '--volsize', '1', '--name', 'shared', source, url],
    options,
  );
  while (!readdirSync(folder).some(name => name.includes('.vol3.'))) {
    assert.equal(running.child.exitCode, null, 'it ended before it could be killed');
    await sleep(5);
  }
  running.kill('SIGKILL');
  await running.done;
  await sleep(1100); // a set of the same second would wait for the next
  const next = await program.run(['incremental', ...shared, source, url], options);
  expectStatus(next);
  assertTold(next, 'duplicity left a backup unfinished in a shared archive cache');
  const cached = readdirSync(join(duplicity.archiveDir, 'shared'));
  assert.deepEqual(
    cached.filter(name => name.includes('.part')),
    [],
  );
  const theirs = join(program.home, 'theirs');
  await duplicity.restore(url, theirs, options);
  assertSameTree(snapshotTree(theirs), snapshotTree(source));
});

const touches: Readonly<Record<string, (file: string) => void>> = {
  'has been written to': file => appendFileSync(file, 'more'),
  'has shrunk to within what is stored': file => truncateSync(file, 100_000),
  'has shrunk to what is not stored yet': file => truncateSync(file, 2_900_000),
  'is gone': file => rmSync(file),
  'is another one of the same length and time': file => {
    const { atime, mtime } = statSync(file);
    writeFileSync(`${file} new`, Buffer.alloc(3_000_000, 1));
    utimesSync(`${file} new`, atime, mtime);
    renameSync(`${file} new`, file);
  },
  'is a folder by now': file => {
    rmSync(file);
    makeFiles(file, 1, 1000);
  },
};

for (const [what, touch] of Object.entries(touches)) {
  test(`a file cut by the interruption is stored anew if it ${what}`, async t => {
    const base = tempDir(t);
    const source = join(base, 'source');
    makeFiles(source, 3, 700_000);
    makeFiles(join(source, 'large'), 1, 3_000_000);
    const archive = createTestArchive(base);
    await sleep(50); // what was written just now could not be continued anyhow
    archive.host.interruptAfter(6);
    await assert.rejects(archive.backup(source, { volumeSize: 100_000 }));
    touch(join(source, 'large', 'file 10'));
    archive.host.interruptAfter(undefined);
    archive.host.clear();
    assert.equal(await archive.backup(source, { volumeSize: 100_000 }), 0);
    const codes = archive.host.reports.map(({ code }) => code);
    assert.ok(codes.includes('continuing') && codes.includes('cut-file-changed'), codes.join());
    assert.equal(await archive.restore(join(base, 'out')), 0);
    assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source), {
      without: ({ path }) => path === 'large', // its time is that of before the interruption
    });
  });
}

for (const what of ['gone', 'a file']) {
  test(`a folder that was ${what} when a run was interrupted, and is there again, is stored by the next run`, async t => {
    const base = tempDir(t);
    const source = join(base, 'source');
    const folder = join(source, 'folder');
    const archive = createTestArchive(base);
    mkdirSync(join(folder, 'in it'), { recursive: true });
    for (let i = 1000; i < 5000; i++) writeFileSync(join(folder, 'in it', `${i}`), '');
    writeFileSync(join(source, 'z'), '');
    assert.equal(await archive.backup(source), 0);

    rmSync(folder, { recursive: true });
    if (what === 'a file') writeFileSync(folder, 'text');
    const gone = snapshotTree(source);
    archive.host.interruptAfter(1);
    archive.host.set(archive.host.now() + 1000);
    await assert.rejects(archive.backup(source, { volumeSize: 1000 }), { code: 'interrupted' });
    archive.host.interruptAfter(undefined);

    rmSync(folder, { force: true });
    mkdirSync(join(folder, 'in it'), { recursive: true });
    for (const name of ['1000 new', '9999']) writeFileSync(join(folder, 'in it', name), name);
    assert.equal(await archive.backup(source), 0);
    assert.ok(archive.host.reports.some(({ code }) => code === 'continuing'));
    await restoreByBoth(t, archive, join(base, 'resumed'), gone);
    archive.host.set(archive.host.now() + 1000);
    assert.equal(await archive.backup(source), 0);
    await restoreByBoth(t, archive, join(base, 'next'), snapshotTree(source));
  });
}

async function restoreByBoth(
  t: TestContext,
  archive: TestArchive,
  at: string,
  tree: SnapshotEntry[],
): Promise<void> {
  const without = ({ path }: SnapshotEntry) => path === ''; // its time is that of another change
  assert.equal(await archive.restore(at), 0);
  assertSameTree(snapshotTree(at), tree, { without });
  if (!haveTool('duplicity')) return;
  await createDuplicity(t).restore(archive.url, `${at} by duplicity`);
  assertSameTree(snapshotTree(`${at} by duplicity`), tree, { without });
}

test('finished files are not read again', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeFiles(source, 12, 300_000);
  const archive = createTestArchive(base);
  archive.host.interruptAfter(3);
  await assert.rejects(archive.backup(source, { volumeSize: 100_000 }));
  // What is behind the last volume could not be read without an error now.
  const names = readdirSync(source).sort();
  for (const name of names.slice(0, 3)) {
    renameSync(join(source, name), join(base, name));
    mkdirSync(join(source, name));
  }
  archive.host.interruptAfter(undefined);
  assert.equal(await archive.backup(source, { volumeSize: 100_000 }), 0);
  for (const name of names.slice(0, 3)) {
    renameSync(join(source, name), join(base, `${name} folder`));
    renameSync(join(base, name), join(source, name));
  }
  assert.equal(await archive.restore(join(base, 'out')), 0);
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source), {
    without: ({ path }) => path === '',
  });
});
