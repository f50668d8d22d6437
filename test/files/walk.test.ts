import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bytesOf, comparePaths } from '../../src/bytes.ts';
import { type SourceEntry, walk } from '../../src/files/walk.ts';
import { needOrdinaryUser, needTool } from '../support/tools.ts';
import {
  anyTree,
  asOrdinaryUser,
  countOpenFiles,
  entriesOf,
  needRoot,
  pathsIn,
  pathsOf,
  plant,
  plantDeep,
  removeTree,
  scratch,
  walkAll,
} from './support.ts';

test('walk() gives every path of any tree once, in the order of archives', t => {
  const folder = scratch(t);
  fc.assert(
    fc.property(anyTree, things => {
      const root = `${folder}/tree`;
      plant(root, things);
      try {
        const paths = pathsOf(root);
        assert.deepEqual(paths, pathsIn(things));
        for (let i = 1; i < paths.length; i++) assert.ok(comparePaths(paths[i - 1]!, paths[i]!) < 0);
      } finally {
        removeTree(root);
      }
    }),
    { numRuns: 40 },
  );
});

test('walk() keeps names of every byte, and names of 250 bytes', t => {
  const root = scratch(t);
  const bytes = Array.from({ length: 255 }, (_, i) => String.fromCharCode(i + 1));
  const names = [...bytes.filter(char => !'/.'.includes(char)), '\xe9'.repeat(250)];
  for (const name of names) writeFileSync(bytesOf(`${root}/${name}`), name, 'latin1');
  assert.deepEqual(pathsOf(root), ['', ...names.sort()]);
});

test('walk() gives a folder of many names, as any other, in order and without an open file left', t => {
  const root = scratch(t);
  const files = countOpenFiles();
  const names = Array.from(
    { length: 6000 },
    (_, n) => `${String((n * 7919) % 6000).padStart(4, '0')}${'\xe9'.repeat(240)}`,
  );
  for (const name of names) writeFileSync(bytesOf(`${root}/${name}`), '');
  if (statSync(root).size <= 1024 * 1024) t.diagnostic('this file system calls that a small folder');
  assert.deepEqual(pathsOf(root), ['', ...names.sort()]);
  assert.equal(countOpenFiles(), files);
});

test('walk() goes below 4096 bytes of path, and leaves no file open', t => {
  const root = scratch(t);
  const deep = plantDeep(root, 13_000);
  writeFileSync(`${root}/z`, '');
  const before = countOpenFiles();
  const entries = entriesOf(root);
  assert.equal(countOpenFiles(), before);
  assert.deepEqual(
    entries.slice(-4).map(found => [found.path, found.type, found.linkname]),
    [
      [deep, 'directory', ''],
      [`${deep}/file`, 'file', ''],
      [`${deep}/link`, 'symlink', 'nowhere'],
      ['z', 'file', ''],
    ],
  );
  assert.equal(entries.length, deep.split('/').length + 4);
});

test('walk() tells types, sizes, modes, and link targets as bytes', t => {
  const root = scratch(t);
  writeFileSync(`${root}/file`, 'twelve bytes');
  chmodSync(`${root}/file`, 0o6751);
  linkSync(`${root}/file`, `${root}/hardlink`);
  mkdirSync(`${root}/folder`);
  chmodSync(`${root}/folder`, 0o1770);
  symlinkSync(bytesOf('to \xff'), `${root}/link`);
  execFileSync('mkfifo', ['-m', '640', `${root}/fifo`]);
  const seen = entriesOf(root).map(({ path, type, mode, size, linkname }) => [
    path,
    type,
    mode,
    size,
    linkname,
  ]);
  assert.deepEqual(seen.slice(1), [
    ['fifo', 'fifo', 0o640, 0, ''],
    ['file', 'file', 0o6751, 12, ''],
    ['folder', 'directory', 0o1770, 0, ''],
    ['hardlink', 'file', 0o6751, 12, ''],
    ['link', 'symlink', 0o777, 0, 'to \xff'],
  ]);
});

test('walk() tells the numbers of devices', t => {
  if (!needRoot(t)) return;
  const root = scratch(t);
  const made = spawnSync('sh', ['-c', 'mknod c c 1 3 && mknod b b 4000 1048575'], { cwd: root });
  if (made.status !== 0) return t.skip('mknod is not permitted here');
  assert.deepEqual(
    entriesOf(root).map(({ path, type, devMajor, devMinor }) => [path, type, devMajor, devMinor]),
    [
      ['', 'directory', 0, 0],
      ['b', 'blockdev', 4000, 1048575],
      ['c', 'chardev', 1, 3],
    ],
  );
});

test('walk() floors times to seconds and takes negative ones for 0, with the nanoseconds beside', t => {
  const root = scratch(t);
  for (const name of ['a', 'b', 'c']) writeFileSync(`${root}/${name}`, '');
  utimesSync(`${root}/a`, 5_000_000_000, 5_000_000_000);
  execFileSync('touch', ['-d', '2001-09-09 01:46:40.999999999 UTC', `${root}/b`]);
  execFileSync('touch', ['-d', '1969-12-31 23:59:58.25 UTC', `${root}/c`]);
  assert.deepEqual(
    entriesOf(root)
      .slice(1)
      .map(found => [found.mtimeSeconds, found.mtimeNs]),
    [
      [5_000_000_000, 5_000_000_000_000_000_000n],
      [1_000_000_000, 1_000_000_000_999_999_999n],
      [0, -1_750_000_000n],
    ],
  );
});

test('walk() tells dev, ino, ctime and owners as the system does', t => {
  const root = scratch(t);
  writeFileSync(`${root}/file`, '');
  const names = { uname: () => 'me', gname: () => 'us', uid: () => 0, gid: () => 0 };
  const [, found] = entriesOf(root, { names });
  const stats = lstatSync(`${root}/file`, { bigint: true });
  assert.deepEqual(
    [found?.dev, found?.ino, found?.ctimeNs, found?.uid, found?.gid, found?.uname, found?.gname],
    [stats.dev, stats.ino, stats.ctimeNs, Number(stats.uid), Number(stats.gid), 'me', 'us'],
  );
});

test('walk() names sockets as skipped', async t => {
  const root = scratch(t);
  writeFileSync(`${root}/a`, '');
  const server = createServer().listen(`${root}/socket`);
  await new Promise(resolve => server.once('listening', resolve));
  t.after(() => server.close());
  const items = walkAll(root);
  assert.deepEqual(pathsOf(root), ['', 'a']);
  assert.equal(items.at(-1)?.skipped?.path, 'socket');
});

test('walk() of a single file gives it as the root', t => {
  const root = scratch(t);
  writeFileSync(`${root}/file`, 'abc');
  assert.deepEqual(
    entriesOf(`${root}/file`).map(({ path, type, size }) => [path, type, size]),
    [['', 'file', 3]],
  );
});

test('walk() follows a root that is a link, and no other link', t => {
  const root = scratch(t);
  mkdirSync(`${root}/real`);
  writeFileSync(`${root}/real/file`, '');
  symlinkSync('real', `${root}/link`);
  assert.deepEqual(pathsOf(`${root}/link`), ['', 'file']);
  assert.deepEqual(pathsOf(`${root}/link/`), ['', 'file']);
  assert.deepEqual(pathsOf(root), ['', 'link', 'real', 'real/file']);
  const [found, ...rest] = entriesOf(`${root}/link`, { followRoot: false });
  assert.deepEqual([found?.type, found?.linkname, rest.length], ['symlink', 'real', 0]);
});

test('walk() takes the root as bytes, too', t => {
  const root = `${scratch(t)}/\xff`;
  mkdirSync(bytesOf(root));
  assert.equal([...walk(bytesOf(root))].flat().length, 1);
});

test('walk() throws when the root is not there or not readable', t => {
  if (!needOrdinaryUser(t)) return;
  const root = scratch(t);
  assert.throws(() => walkAll(`${root}/none`), { code: 'source-missing' });
  chmodSync(root, 0);
  asOrdinaryUser(() => assert.throws(() => walkAll(root), { code: 'source-unavailable' }));
});

test('walk() throws when the root vanishes or another file system comes there meanwhile', t => {
  const root = `${scratch(t)}/root`;
  mkdirSync(root);
  for (const name of ['a', 'b']) writeFileSync(`${root}/${name}`, '');
  const swap = (found: SourceEntry, replace: () => void) => {
    if (found.path === 'a') {
      renameSync(root, `${root}.old`);
      replace();
    }
    return 'take' as const;
  };
  assert.throws(() => walkAll(root, { select: found => swap(found, () => {}) }), {
    code: 'source-unmounted',
  });
  renameSync(`${root}.old`, root);
  const toProc = () => symlinkSync('/proc', root);
  assert.throws(() => walkAll(root, { select: found => swap(found, toProc) }), {
    code: 'source-unmounted',
  });
});

test('walk() lets errors of its hooks through', t => {
  const root = scratch(t);
  writeFileSync(`${root}/a`, '');
  const slip = () => {
    throw new TypeError('a slip');
  };
  assert.throws(() => walkAll(root, { select: slip }), TypeError);
});

test('walk() names what it may not read and goes on', t => {
  if (!needOrdinaryUser(t)) return;
  const root = scratch(t);
  chmodSync(root, 0o755);
  for (const name of ['closed', 'noentry']) {
    mkdirSync(`${root}/${name}`);
    writeFileSync(`${root}/${name}/file`, '');
  }
  writeFileSync(`${root}/z`, '');
  chmodSync(`${root}/closed`, 0);
  chmodSync(`${root}/noentry`, 0o444);
  const items = asOrdinaryUser(() => walkAll(root));
  assert.deepEqual(
    items.map(item => item.entry?.path ?? item.problem),
    [
      '',
      { path: 'closed', systemCode: 'EACCES', during: 'readdir', vanished: false },
      'noentry',
      { path: 'noentry/file', systemCode: 'EACCES', during: 'lstat', vanished: false },
      'z',
    ],
  );
});

test('walk() tells what vanished after it was listed', t => {
  const root = scratch(t);
  for (const name of ['a', 'b', 'c']) writeFileSync(`${root}/${name}`, '');
  mkdirSync(`${root}/d`);
  writeFileSync(`${root}/d/x`, '');
  const items = walkAll(root, {
    select(found) {
      if (found.path === 'a') unlinkSync(`${root}/b`);
      if (found.path === 'd') renameSync(`${root}/d`, `${root}/e`);
      return 'take';
    },
  });
  assert.deepEqual(
    items.map(item => item.entry?.path ?? item.problem),
    [
      '',
      'a',
      { path: 'b', systemCode: 'ENOENT', during: 'lstat', vanished: true },
      'c',
      { path: 'd', systemCode: 'ENOENT', during: 'readdir', vanished: true },
    ],
  );
});

test('walk() leaves out what select() skips, unread, and gives scanned folders only with content', t => {
  const root = scratch(t);
  for (const folder of ['no', 'scan', 'scan/empty', 'scan/full', 'scan/full/in'])
    mkdirSync(`${root}/${folder}`);
  for (const file of ['no/file', 'scan/a', 'scan/full/in/take', 'scan/full/z', 'take']) {
    writeFileSync(`${root}/${file}`, '');
  }
  const asked: string[] = [];
  const paths = pathsOf(root, {
    select({ path, type }) {
      asked.push(path);
      if (path === 'no') return 'skip';
      if (path.endsWith('take')) return 'take';
      return type === 'directory' ? 'scan' : 'skip';
    },
  });
  assert.deepEqual(paths, ['', 'scan', 'scan/full', 'scan/full/in', 'scan/full/in/take', 'take']);
  assert.ok(!asked.includes('no/file') && !asked.includes(''));
});

test("walk() gives scanned folders before what in them can't be read, not for what vanished", t => {
  if (!needOrdinaryUser(t)) return;
  const root = scratch(t);
  chmodSync(root, 0o755);
  for (const folder of ['scan', 'scan/closed', 'scan/full', 'z', 'z/gone']) mkdirSync(`${root}/${folder}`);
  writeFileSync(`${root}/scan/full/take`, '');
  chmodSync(`${root}/scan/closed`, 0);
  chmodSync(`${root}/z`, 0o777);
  const items = asOrdinaryUser(() =>
    walkAll(root, {
      select({ path }) {
        return path.endsWith('take') ? 'take' : 'scan';
      },
      enter({ path }) {
        if (path === 'z') rmdirSync(`${root}/z/gone`);
        return true;
      },
    }),
  );
  assert.deepEqual(
    items.map(({ entry, problem }) => entry?.path ?? problem?.path),
    ['', 'scan', 'scan/closed', 'scan/full', 'scan/full/take', 'z/gone'],
  );
});

test('walk() leaves out a folder when enter() says so', t => {
  const root = scratch(t);
  for (const folder of ['a', 'b']) mkdirSync(`${root}/${folder}`);
  for (const file of ['a/CACHEDIR.TAG', 'a/x', 'b/x']) writeFileSync(`${root}/${file}`, '');
  const paths = pathsOf(root, { enter: (_, names) => !names.includes('CACHEDIR.TAG') });
  assert.deepEqual(paths, ['', 'b', 'b/x']);
});

test('walk() begins at, in or behind any path, and does not look at what it passes over', t => {
  const root = scratch(t);
  for (const folder of ['a', 'b', 'b/in', 'c']) mkdirSync(`${root}/${folder}`);
  for (const file of ['a/x', 'b/in/x', 'b/y', 'c/x']) writeFileSync(`${root}/${file}`, '');
  const from = (path: string, inclusive: boolean, enter: boolean) => {
    const asked: string[] = [];
    const select = (entry: SourceEntry) => {
      asked.push(entry.path);
      return 'take' as const;
    };
    return { paths: pathsOf(root, { from: { path, inclusive, enter }, select }), asked };
  };
  const rest = ['b/y', 'c', 'c/x'];
  assert.deepEqual(from('b/in', true, true), {
    paths: ['b/in', 'b/in/x', ...rest],
    asked: ['b', 'b/in', 'b/in/x', ...rest],
  });
  assert.deepEqual(from('b/in', false, true), {
    paths: ['b/in/x', ...rest],
    asked: ['b', 'b/in', 'b/in/x', ...rest],
  });
  assert.deepEqual(from('b/in', false, false), { paths: rest, asked: ['b', ...rest] });
  assert.deepEqual(from('b', false, false), { paths: ['c', 'c/x'], asked: ['c', 'c/x'] });
  assert.deepEqual(from('', false, false), { paths: [], asked: [] });
});

test('walk() gives small batches, and lets go of everything when broken off', t => {
  const root = scratch(t);
  for (let i = 0; i < 600; i++) writeFileSync(`${root}/${i}`, '');
  assert.deepEqual(
    [...walk(root)].map(batch => batch.length),
    [...Array(18).fill(32), 25],
  );
  plantDeep(root, 9_000);
  const before = countOpenFiles();
  for (const batch of walk(root)) {
    if (batch.some(({ entry }) => entry && entry.path.length > 8_000)) break;
  }
  assert.equal(countOpenFiles(), before);
});

test('walk() sees what tar sees', t => {
  if (!needTool(t, 'tar')) return;
  const folder = scratch(t);
  fc.assert(
    fc.property(anyTree, things => {
      const root = `${folder}/tree`;
      plant(root, things);
      try {
        const tar = execFileSync('tar', ['-C', root, '--format=pax', '-cf', '-', '.']);
        const listed = execFileSync('tar', ['--quoting-style=escape', '-tf', '-'], { input: tar });
        assert.equal(listed.toString().trimEnd().split('\n').length, pathsOf(root).length);
      } finally {
        removeTree(root);
      }
    }),
    { numRuns: 10 },
  );
});
