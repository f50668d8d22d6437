/**
 * Full sets between us and the real duplicity: hostile trees in both directions, the golden vectors of the format, and
 * our signatures in the hands of duplicity and rdiff.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { expectStatus, runProgram } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree, walkTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needRoot, needTool } from '../support/tools.ts';
import { makeTree, setMtime } from '../support/trees.ts';

const MIB = 1024 * 1024;
const PASSPHRASE = 'pä ss';

for (const passphrase of [undefined, PASSPHRASE]) {
  const how = passphrase === undefined ? 'plain' : 'encrypted';

  for (const seed of [101, 102]) {
    test(`full of tree ${seed}, ${how}, is restored equal by duplicity and by us`, async t => {
      if (!needTool(t, 'duplicity', 'gpg')) return;
      const base = tempDir(t);
      const source = join(base, 'source');
      makeTree(source, seed);
      const archive = createTestArchive(base, passphrase === undefined ? {} : { passphrase });
      assert.equal(await archive.backup(source, { mode: 'full', volumeSize: MIB }), 0);
      assert.ok(readdirSync(archive.folder).filter(name => name.includes('.vol')).length > 1);
      const expected = snapshotTree(source);
      const options = passphrase === undefined ? {} : { passphrase };
      await createDuplicity(t).restore(archive.url, join(base, 'theirs'), options);
      assertSameTree(snapshotTree(join(base, 'theirs')), expected);
      assert.equal(await archive.restore(join(base, 'ours')), 0);
      assertSameTree(snapshotTree(join(base, 'ours')), expected);
    });
  }

  test(`restore of duplicity's full of a hostile tree, ${how}, gives it back equal`, async t => {
    if (!needTool(t, 'duplicity', 'gpg')) return;
    const base = tempDir(t);
    const source = join(base, 'source');
    makeTree(source, 103);
    const archive = createTestArchive(base, passphrase === undefined ? {} : { passphrase });
    await createDuplicity(t, '').full(source, archive.url, {
      ...(passphrase !== undefined && { passphrase }),
      args: ['--volsize', '1'],
    });
    assert.equal(await archive.restore(join(base, 'ours')), 0, JSON.stringify(archive.host.reports));
    assertSameTree(snapshotTree(join(base, 'ours')), snapshotTree(source));
  });
}

test('full without compression, and of a single file, is restored equal by duplicity', async t => {
  if (!needTool(t, 'duplicity')) return;
  const base = tempDir(t);
  const file = join(base, 'a file');
  writeFileSync(file, createRandom(7).bytes(200_000), { mode: 0o640 });
  setMtime(file, 1_234_567_890);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(file, { mode: 'full', compress: false }), 0);
  await createDuplicity(t).restore(archive.url, join(base, 'theirs'));
  assertSameTree(snapshotTree(join(base, 'theirs')), snapshotTree(file));
  assert.equal(await archive.restore(join(base, 'ours')), 0);
  assertSameTree(snapshotTree(join(base, 'ours')), snapshotTree(file));
});

test('full and restore keep paths that are longer than the 4096 bytes of one system call', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeTree(source, 104, { entries: 5, large: false, deep: true });
  const archive = createTestArchive(base, { passphrase: PASSPHRASE });
  assert.equal(await archive.backup(source, { mode: 'full' }), 0);
  assert.equal(await archive.restore(join(base, 'ours')), 0, JSON.stringify(archive.host.reports));
  const restored = snapshotTree(join(base, 'ours'));
  assert.ok(restored.some(({ path }) => path.length > 4096));
  assertSameTree(restored, snapshotTree(source));
});

test('full writes the golden vectors byte for byte, and incremental those after it', async t => {
  if (!needRoot(t, 'the golden vectors belong to root')) return;
  const program = createProgram(t);
  const base = program.home;
  makeGoldenTree(join(base, 'src'));
  const folder = join(base, 'B');
  const options = ['--no-encryption', '--no-compression', '--max-blocksize', '512']; // as duplicity has it for small files
  const run = async (action: string) =>
    expectStatus(await program.run([action, ...options, 'src', `file://${folder}`]));
  const sha1 = (name: string) =>
    createHash('sha1')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
  const stored = (pattern: RegExp) => readdirSync(folder).find(name => pattern.test(name))!;

  await run('full');
  assert.equal(
    sha1(stored(/^duplicity-full\..*\.vol1\.difftar$/)),
    'e6798487480d1641e877129401b31179bf37afdc',
  );
  assert.equal(
    sha1(stored(/^duplicity-full-signatures.*\.sigtar$/)),
    'd24e02671f5626fb7ba28f1df5695ac261bc8652',
  );
  assert.equal(
    readFileSync(join(folder, stored(/^duplicity-full\..*\.manifest$/)), 'latin1'),
    goldenManifest([
      ...['Volume 1:', '    StartingPath   .  ', '    EndingPath     zero64k  '],
      '    Hash SHA1 e6798487480d1641e877129401b31179bf37afdc',
      ...['Filelist 4', '    new      hello', '    new      "sub/a\\x20b"'],
      ...['    new      sub/\xc3\xa9', '    new      zero64k'],
    ]),
  );

  writeFileSync(join(base, 'src/hello'), 'hello world\n');
  rmSync(join(base, 'src/link'));
  expectStatus(await runProgram('chmod', ['600', join(base, 'src/sub/a b')], { env: program.env }));
  for (const path of ['hello', '']) setMtime(join(base, 'src', path), 1_700_000_100);
  await run('incremental');
  assert.equal(
    sha1(stored(/^duplicity-inc\..*\.vol1\.difftar$/)),
    '0aa7266b37d6773b7e570c5a00693c19eb5af9b2',
  );
  assert.equal(
    sha1(stored(/^duplicity-new-signatures.*\.sigtar$/)),
    'f01f969277e66e05dfe42d2ce59c91277ec36a5a',
  );
  assert.equal(
    readFileSync(join(folder, stored(/^duplicity-inc\..*\.manifest$/)), 'latin1'),
    goldenManifest([
      ...['Volume 1:', '    StartingPath   .  ', '    EndingPath     "sub/a\\x20b"  '],
      '    Hash SHA1 0aa7266b37d6773b7e570c5a00693c19eb5af9b2',
      ...['Filelist 2', '    changed  hello', '    changed  "sub/a\\x20b"'],
    ]),
  );
});

/** The tree of the golden vectors: made as root with umask 022. */
function makeGoldenTree(dir: string): void {
  const old = process.umask(0o022);
  try {
    mkdirSync(join(dir, 'sub'), { recursive: true });
    writeFileSync(join(dir, 'hello'), 'hello\n');
    symlinkSync('hello', join(dir, 'link'));
    writeFileSync(join(dir, 'sub/a b'), 'x');
    writeFileSync(join(dir, 'sub/\u00e9'), 'y');
    writeFileSync(join(dir, 'zero64k'), Buffer.alloc(65536));
  } finally {
    process.umask(old);
  }
  for (const path of ['hello', 'link', 'sub/a b', 'sub/\u00e9', 'zero64k', 'sub', '']) {
    setMtime(join(dir, path), 1_700_000_000);
  }
}

function goldenManifest(lines: readonly string[]): string {
  const all = [`Hostname ${hostname()}`, 'Localdir src', ...lines];
  const sum = createHash('sha256')
    .update(Buffer.from(`${all.join('\n')}\n`, 'latin1'))
    .digest('hex');
  const filelist = all.findIndex(line => line.startsWith('Filelist'));
  return `${all.toSpliced(filelist, 0, `    Checksum SHA256 ${sum}`).join('\n')}\n`;
}

test('sigtar of a full, put in place of the one that duplicity wrote, leaves its incremental nothing to store', async t => {
  if (!needTool(t, 'duplicity')) return;
  const base = tempDir(t);
  const source = join(base, 'source');
  makeTree(source, 105);
  const time = 1_650_000_000;
  const archive = createTestArchive(base, { now: time });
  assert.equal(await archive.backup(source, { mode: 'full', volumeSize: MIB }), 0);
  const duplicity = createDuplicity(t);
  const theirs = join(base, 'theirs');
  await duplicity.full(source, `file://${theirs}`, {
    args: ['--current-time', String(time), '--volsize', '1'],
  });
  const name = readdirSync(theirs).find(object => object.includes('full-signatures'))!;
  copyFileSync(join(archive.folder, name), join(theirs, name));
  rmSync(duplicity.archiveDir, { recursive: true }); // its own copy of the signatures is there
  mkdirSync(duplicity.archiveDir);
  const { stdout } = await duplicity.incremental(source, `file://${theirs}`);
  assert.match(stdout, /^DeltaEntries 0$/m);
});

test('rdiff delta accepts the signatures of a full, and its patch gives the new file', async t => {
  if (!needTool(t, 'rdiff') || !needTool(t, 'tar')) return;
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  const random = createRandom(9);
  const contents = new Map(
    [0, 1, 511, 65_536, 1_024_000, 2_048_000, 5_000_001].map(size => [`f${size}`, random.bytes(size)]),
  );
  for (const [name, content] of contents) writeFileSync(join(source, name), content);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source, { mode: 'full' }), 0);
  const sigtar = readdirSync(archive.folder).find(name => name.includes('signatures'))!;
  const tool = async (name: string, ...args: string[]) =>
    expectStatus(await runProgram(name, args, { env: { PATH: process.env.PATH! } }));
  await tool('tar', '-xzf', join(archive.folder, sigtar), '-C', base);
  for (const [name, content] of contents) {
    const half = content.length >> 1;
    const edited = Buffer.concat([
      content.subarray(0, half),
      Buffer.from('inserted'),
      content.subarray(half),
    ]);
    const at = (file: string) => join(base, file);
    writeFileSync(at('edited'), edited);
    await tool('rdiff', '--force', 'delta', join(base, 'signature', name), at('edited'), at('delta'));
    await tool('rdiff', '--force', 'patch', join(source, name), at('delta'), at('patched'));
    assert.ok(readFileSync(at('patched')).equals(edited), name);
    if (content.length > 60_000) assert.ok(readFileSync(at('delta')).length < content.length / 2, name);
  }
});

test('restore as another user than root gives everything but owners, without a complaint', async t => {
  if (!needRoot(t, 'only root can become another user')) return;
  const uid = 12345;
  const base = tempDir(t);
  const source = join(base, 'source');
  makeTree(source, 106, { privileged: false });
  // Another owner's set-id bits are not given to whoever restores.
  for (const { location, stats } of walkTree(source)) {
    if (stats.isFile()) chmodSync(location, Number(stats.mode) & 0o1777);
  }
  const archive = createTestArchive(base, { passphrase: PASSPHRASE });
  assert.equal(await archive.backup(source, { mode: 'full', volumeSize: MIB }), 0);
  const program = createProgram(t, uid);
  giveTo(uid, base, archive.folder);
  const target = join(program.home, 'restored');
  const result = expectStatus(
    await program.run(['restore', archive.url, target], { passphrase: PASSPHRASE }),
  );
  assert.equal(result.stderr, '');
  const restored = snapshotTree(target);
  assertSameTree(restored, snapshotTree(source), { ignore: ['uid', 'gid'] });
  assert.ok(restored.every(entry => entry.uid === uid && entry.gid === uid));
});

function giveTo(uid: number, ...folders: string[]): void {
  for (const folder of folders) {
    chownSync(folder, uid, uid);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isFile()) chownSync(join(folder, entry.name), uid, uid);
    }
  }
}

test('list-current-files prints names as the bytes that they are', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeTree(source, 107, { entries: 10, large: false });
  const program = createProgram(t);
  const url = `file://${join(base, 'target')}`;
  expectStatus(await program.run(['full', '--no-encryption', source, url]));
  const { stdoutBytes } = expectStatus(await program.run(['list-current-files', url]));
  const date = '[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [0-9]{4,}';
  const listed = stdoutBytes.toString('latin1');
  assert.match(listed, new RegExp(`^${date} \\.\n`));
  const expected = snapshotTree(source)
    .map(({ path }) => (path === '' ? '.' : path))
    .join('\n');
  assert.equal(listed.replace(new RegExp(`^${date} `, 'gm'), ''), `${expected}\n`);
});

/** Three volumes and more, of incompressible files: which one a file lies in is known. */
function makePartsTree(source: string): void {
  const random = createRandom(11);
  for (const [path, size] of [
    ['a/small', 10],
    ['b/first', 900_000],
    ['b/m\u00fcnchen \u2603/inner', 300],
    ['c/over two volumes', 1_500_000],
    ['d/middle', 400_000],
    ['d/other', 1000],
    ['e/last', 700_000],
  ] as const) {
    mkdirSync(join(source, path, '..'), { recursive: true });
    writeFileSync(join(source, path), random.bytes(size));
  }
}

test('restore --path-to-restore gives a file, a folder, or several, from the volumes that hold them', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makePartsTree(source);
  const program = createProgram(t);
  const folder = join(base, 'target');
  const url = `file://${folder}`;
  expectStatus(await program.run(['full', '--no-encryption', '--volsize', '1', source, url]));
  assert.ok(readdirSync(folder).filter(name => name.includes('.vol')).length >= 4);
  const cases = [
    ['c/over two volumes'],
    ['/d/middle'],
    ['b/m\u00fcnchen \u2603'],
    ['./b/m\u00fcnchen \u2603/inner/'],
    ['d'],
    ['.'],
  ];
  for (const [index, [path]] of cases.entries()) {
    const target = join(base, `part ${index}`);
    expectStatus(await program.run(['restore', '--path-to-restore', path!, url, target]));
    assertSameTree(snapshotTree(target), snapshotTree(join(source, path!.replace(/\/$/, ''))));
  }
  const several = join(base, 'several');
  const paths = ['e', 'b/first', 'a/small'].flatMap(path => ['-r', path]);
  expectStatus(await program.run(['restore', ...paths, url, several]));
  assert.deepEqual(
    snapshotTree(several).flatMap(({ path, type }) => (type === 'file' ? [path] : [])),
    ['a/small', 'b/first', 'e/last'],
  );

  const half = await program.run(['restore', '-r', 'a', '-r', 'typo', url, join(base, 'half')]);
  assert.equal(half.status, 1);
  assert.equal(half.stderr, 'Error: there is no typo in the backup\n');
  assertSameTree(snapshotTree(join(base, 'half/a')), snapshotTree(join(source, 'a')));

  const absent = await program.run(['restore', '-r', 'b/fir', url, join(base, 'absent')]);
  assert.equal(absent.status, 10);
  assert.match(absent.stderr, /^Error: no b\/fir in the backup at .*\n$/);
});
