import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  type BigIntStats,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bytesOf } from '../../src/bytes.ts';
import { createIdNames } from '../../src/files/ids.ts';
import { createTreeWriter, type WriteProblem } from '../../src/files/write.ts';
import { replaceCalls } from '../support/node-calls.ts';
import { needOrdinaryUser } from '../support/tools.ts';
import {
  anyTree,
  asOrdinaryUser,
  copyTree,
  countOpenFiles,
  entry,
  isRoot,
  needRoot,
  nobody,
  pathsOf,
  plant,
  plantDeep,
  removeTree,
  restore,
  scratch,
  snapshot,
} from './support.ts';

const root = entry('', {});

/** A folder that an ordinary user owns. */
function scratchOfUser(t: { after(work: () => void): void }): string {
  const folder = scratch(t);
  if (isRoot) chownSync(folder, nobody, nobody);
  return folder;
}

for (const [where, fdFolder] of [
  ['open folders', '/proc/self/fd'],
  ['plain paths', ''],
] as const) {
  test(`createTreeWriter() brings any tree back as it was, through ${where}`, t => {
    const folder = scratch(t);
    fc.assert(
      fc.property(anyTree, fc.integer({ min: 1, max: 120 }), (things, size) => {
        plant(`${folder}/tree`, things);
        try {
          assert.deepEqual(copyTree(`${folder}/tree`, `${folder}/back`, { size, fdFolder }), []);
          assert.deepEqual(snapshot(`${folder}/back`), snapshot(`${folder}/tree`));
        } finally {
          removeTree(`${folder}/tree`);
          removeTree(`${folder}/back`);
        }
      }),
      { numRuns: 30 },
    );
  });
}

test('createTreeWriter() does not care about the umask', t => {
  if (!needOrdinaryUser(t)) return;
  const folder = scratchOfUser(t);
  const entries = [root, entry('d', { mode: 0o775 }), entry('d/f', { text: 'abc', mode: 0o666 })];
  const before = process.umask(0o777);
  try {
    assert.deepEqual(
      asOrdinaryUser(() => restore(`${folder}/new`, entries)),
      [],
    );
  } finally {
    process.umask(before);
  }
  const modes = ['', 'd', 'd/f'].map(path => statSync(`${folder}/new/${path}`).mode & 0o7777);
  assert.deepEqual(modes, [0o755, 0o775, 0o666]);
});

test('createTreeWriter() gives each of many files its own owner and mode, whatever umask and folder make of new ones', t => {
  const folder = scratch(t);
  const owners = isRoot
    ? [
        [0, 0],
        [0, 0],
        [11, 0],
        [0, 22],
        [0, 0],
      ]
    : [[process.getuid!(), process.getgid!()]];
  const modes = [0o644, 0o755, 0o600, 0o400, 0o666, 0o4755, 0, 0o640];
  for (const umask of [0, 0o022, 0o777]) {
    const target = `${folder}/${umask}`;
    mkdirSync(`${target}/shared`, { recursive: true });
    if (isRoot) chownSync(`${target}/shared`, 0, 77);
    chmodSync(`${target}/shared`, 0o2770); // what is new in it gets its group
    const files = ['own', 'shared'].flatMap(place =>
      Array.from({ length: 40 }, (_, i) => {
        const [uid, gid] = owners[Math.floor(i / 8) % owners.length]!;
        return entry(`${place}/f${i + 10}`, {
          text: 'x',
          mode: modes[i % modes.length]!,
          uid: uid!,
          gid: gid!,
        });
      }),
    );
    const before = process.umask(umask);
    try {
      const entries = [root, entry('own', {}), ...files.slice(0, 40), entry('shared', { mode: 0o2770 })];
      assert.deepEqual(restore(target, [...entries, ...files.slice(40)]), []);
    } finally {
      process.umask(before);
    }
    for (const { path, mode, uid, gid } of files) {
      const found = statSync(`${target}/${path}`);
      assert.deepEqual([path, found.mode & 0o7777, found.uid, found.gid], [path, mode, uid, gid]);
    }
  }
});

test('createTreeWriter() fills folders that nobody may write to, with their times', t => {
  if (!needOrdinaryUser(t)) return;
  const folder = scratchOfUser(t);
  const entries = [
    entry('', { mode: 0o555, mtimeSeconds: 1 }),
    entry('a', { mode: 0, mtimeSeconds: 2 }),
    entry('a/b', { mode: 0o500, mtimeSeconds: 0 }),
    entry('a/b/f', { text: 'x', mode: 0, mtimeSeconds: 8_000_000_000 }),
    entry('z', { text: '' }),
  ];
  const restoreAll = () => asOrdinaryUser(() => restore(`${folder}/new`, entries));
  assert.deepEqual(restoreAll(), []);
  assert.deepEqual(restoreAll(), [], 'once more over what is there and locked');
  chmodSync(`${folder}/new/a`, 0o700);
  const seen = ['', 'a/b', 'a/b/f'].map(path => statSync(`${folder}/new/${path}`));
  assert.deepEqual(
    seen.map(({ mode, mtimeMs }) => [mode & 0o7777, mtimeMs / 1000]),
    [
      [0o555, 1],
      [0o500, 0],
      [0, 8_000_000_000],
    ],
  );
  assert.equal(statSync(`${folder}/new/a`).mtimeMs, 2000);
  chmodSync(`${folder}/new`, 0o755);
});

test('createTreeWriter() writes below 4096 bytes of path, and leaves no file open', t => {
  const folder = scratch(t);
  mkdirSync(`${folder}/tree`);
  plantDeep(`${folder}/tree`, 9_000);
  const before = countOpenFiles();
  assert.deepEqual(copyTree(`${folder}/tree`, `${folder}/back`), []);
  assert.equal(countOpenFiles(), before);
  assert.deepEqual(pathsOf(`${folder}/back`), pathsOf(`${folder}/tree`));
  const problems = copyTree(`${folder}/tree`, `${folder}/plain`, { fdFolder: '' });
  assert.deepEqual([...new Set(problems.map(problem => problem.systemCode))], ['ENAMETOOLONG']);
});

test('createTreeWriter() takes data in pieces around its buffer size, and single pieces of any size', t => {
  const folder = scratch(t);
  const sizes = [0, 1, 262_143, 262_144, 262_145, 600_000, 5, 262_144];
  const pieces = sizes.map((size, i) => Buffer.alloc(size, i + 65));
  const target = `${folder}/target`;
  const onProblem = ({ message }: WriteProblem) => assert.fail(message);
  const writer = createTreeWriter(target, { onProblem, sync: true });
  writer.begin(root);
  assert.equal(writer.begin(entry('all', { text: '' })), true);
  for (const piece of pieces) writer.data(piece);
  writer.finish();
  for (const [i, piece] of pieces.entries()) {
    writer.begin(entry(`p${i}`, { text: '' }));
    writer.data(piece);
    writer.finish();
  }
  writer.close();
  assert.ok(readFileSync(`${target}/all`).equals(Buffer.concat(pieces)));
  for (const [i, piece] of pieces.entries()) assert.ok(readFileSync(`${target}/p${i}`).equals(piece));
});

test('createTreeWriter() restores a single thing to the target path itself', t => {
  const folder = scratch(t);
  mkdirSync(`${folder}/empty`);
  symlinkSync('elsewhere', `${folder}/link`);
  for (const target of ['x/y/file', 'empty/', 'link']) {
    assert.deepEqual(restore(`${folder}/${target}`, [entry('', { text: 'abc' })]), []);
    assert.equal(readFileSync(`${folder}/${target.replace(/\/$/, '')}`, 'utf8'), 'abc');
  }
  assert.equal(existsSync(`${folder}/elsewhere`), false);
  restore(`${folder}/l`, [entry('', { type: 'symlink', linkname: 'to' })]);
  assert.equal(readlinkSync(`${folder}/l`), 'to');
  assert.throws(() => restore(`${folder}/..`, [entry('', { text: '' })]), { code: 'local-io' });
});

test('createTreeWriter() restores into a folder through a link that the user named', t => {
  const folder = scratch(t);
  mkdirSync(`${folder}/real`);
  symlinkSync('real', `${folder}/link`);
  assert.deepEqual(restore(`${folder}/link`, [root, entry('f', { text: 'abc' })]), []);
  assert.equal(readFileSync(`${folder}/real/f`, 'utf8'), 'abc');
});

test('createTreeWriter() refuses names that lead out of the target', t => {
  const folder = scratch(t);
  const bad = ['..', '../x', '/x', 'a/../../x', 'a//x', './x', 'a/.', 'x/', 'a\0b', '/'];
  const entries = bad.map(path => entry(path, { text: 'evil' }));
  const folders = bad.map(path => entry(path, {}));
  const problems = restore(`${folder}/in/new`, [root, entry('a', {}), ...entries, ...folders]);
  assert.deepEqual(
    problems.map(({ path, systemCode, restored }) => [path, systemCode, restored]),
    [...bad, ...bad].map(path => [path, 'EINVAL', false]),
  );
  assert.deepEqual(pathsOf(folder), ['', 'in', 'in/new', 'in/new/a']);
});

test('createTreeWriter() follows no link that the archive planted', t => {
  const folder = scratch(t);
  mkdirSync(`${folder}/outside`);
  const link = { type: 'symlink' as const, linkname: `${folder}/outside` };
  const problems = restore(`${folder}/new`, [
    root,
    entry('l', link),
    entry('l/f', { text: 'evil' }),
    entry('l/d', {}),
    entry('l/d/f', { text: 'evil' }),
    entry('l/l2', link),
    entry('p', { text: 'plain' }),
    entry('p/f', { text: 'below a file' }),
  ]);
  assert.deepEqual(
    problems.map(({ path, systemCode, restored }) => [path, systemCode, restored]),
    ['l/f', 'l/d', 'l/d/f', 'l/l2', 'p/f'].map(path => [path, 'ENOTDIR', false]),
  );
  assert.deepEqual(readdirSync(`${folder}/outside`), []);
  // The same path again as a folder: the link gives way to a real one.
  assert.deepEqual(restore(`${folder}/new`, [root, entry('l', {}), entry('l/f', { text: 'x' })]), []);
  assert.deepEqual(readdirSync(`${folder}/outside`), []);
  assert.equal(readFileSync(`${folder}/new/l/f`, 'utf8'), 'x');
});

test('createTreeWriter() puts nothing below a root that is a link or a file', t => {
  const folder = scratch(t);
  mkdirSync(`${folder}/outside`);
  const link = entry('', { type: 'symlink', linkname: `${folder}/outside` });
  const evil = entry('f', { text: 'evil' });
  const problems = restore(`${folder}/new`, [link, evil, root, evil, entry('', { text: '' })]);
  assert.deepEqual(
    problems.map(({ path, systemCode }) => [path, systemCode]),
    [
      ['f', 'ENOTDIR'],
      ['', 'ENOTDIR'],
      ['f', 'ENOTDIR'],
    ],
  );
  assert.deepEqual(readdirSync(`${folder}/outside`), []);
  assert.deepEqual(
    restore(`${folder}/other`, [root, entry('f', { text: '' }), root, link]).map(
      problem => problem.systemCode,
    ),
    ['EEXIST', 'EISDIR'],
  );
});

test('createTreeWriter() replaces links and files of the target, and writes through none', t => {
  const folder = scratch(t);
  mkdirSync(`${folder}/outside/deep`, { recursive: true });
  mkdirSync(`${folder}/new`);
  writeFileSync(`${folder}/outside/f`, 'precious');
  symlinkSync('../outside', `${folder}/new/folder`);
  symlinkSync('../outside/f', `${folder}/new/file`);
  symlinkSync('loop', `${folder}/new/loop`);
  linkSync(`${folder}/outside/f`, `${folder}/new/hard`);
  writeFileSync(`${folder}/new/plain`, 'was a file');
  const problems = restore(`${folder}/new`, [
    root,
    entry('file', { text: 'new' }),
    entry('folder', {}),
    entry('folder/f', { text: 'new' }),
    entry('hard', { text: 'new' }),
    entry('loop', {}),
    entry('plain', {}),
    entry('plain/f', { text: 'new' }),
  ]);
  assert.deepEqual(problems, []);
  assert.equal(readFileSync(`${folder}/outside/f`, 'utf8'), 'precious');
  assert.deepEqual(readdirSync(`${folder}/outside`), ['deep', 'f']);
  for (const path of ['file', 'folder/f', 'hard', 'plain/f']) {
    assert.equal(readFileSync(`${folder}/new/${path}`, 'utf8'), 'new');
  }
});

test('createTreeWriter() follows a foreign link neither where the archive lacks the folder', t => {
  const folder = scratch(t);
  mkdirSync(`${folder}/outside`);
  mkdirSync(`${folder}/new`);
  symlinkSync('../outside', `${folder}/new/d`);
  const problems = restore(`${folder}/new`, [root, entry('d/f', { text: 'x' })]);
  assert.deepEqual([problems.length, problems[0]?.systemCode], [1, 'ENOTDIR']);
  assert.deepEqual(readdirSync(`${folder}/outside`), []);
});

test('createTreeWriter() replaces an empty folder by a file, but none with content', t => {
  const folder = scratch(t);
  for (const path of ['empty', 'full', 'full/in', 'gone']) mkdirSync(`${folder}/${path}`);
  const entries = [
    root,
    entry('empty', { text: 'x' }),
    entry('full', { text: 'x' }),
    entry('gone', { type: 'symlink', linkname: 'y' }),
  ];
  const problems = restore(folder, entries);
  assert.deepEqual(
    problems.map(({ path, systemCode, restored }) => [path, systemCode, restored]),
    [['full', 'ENOTEMPTY', false]],
  );
  assert.deepEqual(pathsOf(folder), ['', 'empty', 'full', 'full/in', 'gone']);
  assert.equal(readFileSync(`${folder}/empty`, 'utf8'), 'x');
});

test('createTreeWriter() makes folders that the archive lacks, says so, and lets nobody else in', t => {
  const folder = scratch(t);
  const problems = restore(`${folder}/new`, [entry('a/b/f', { text: 'x' }), entry('a/c', { text: 'y' })]);
  assert.deepEqual(
    problems.map(({ path, systemCode, restored }) => [path, systemCode, restored]),
    ['', 'a', 'a/b'].map(path => [path, 'ENOENT', true]),
  );
  assert.deepEqual(pathsOf(`${folder}/new`), ['', 'a', 'a/b', 'a/b/f', 'a/c']);
  assert.equal(statSync(`${folder}/new/a/b`).mode & 0o777, 0o700);
});

test('createTreeWriter() keeps the old file until the new one is whole, and no leftovers', t => {
  const folder = scratch(t);
  writeFileSync(`${folder}/a`, 'old');
  const writer = createTreeWriter(folder, { onProblem: problem => assert.fail(problem.message) });
  writer.begin(root);
  for (const path of ['a', 'b', 'c']) {
    writer.begin(entry(path, { text: '' }));
    writer.data(Buffer.alloc(300_000));
    if (path === 'a') writer.abandon();
  }
  writer.close();
  assert.equal(readFileSync(`${folder}/a`, 'utf8'), 'old');
  assert.deepEqual(readdirSync(folder), ['a']);
});

test('createTreeWriter() goes on after trouble with one entry', t => {
  const folder = scratch(t);
  const problems = restore(folder, [
    root,
    entry('empty-link', { type: 'symlink', linkname: '' }),
    entry('n'.repeat(256), { text: 'x' }),
    entry('nul-link', { type: 'symlink', linkname: 'a\0b' }),
    entry('z', { text: 'fine' }),
  ]);
  assert.deepEqual(
    problems.map(({ systemCode, restored }) => [systemCode, restored]),
    [
      ['ENOENT', false],
      ['ENAMETOOLONG', false],
      ['EINVAL', false],
    ],
  );
  assert.deepEqual(readdirSync(folder), ['z']);
});

test('createTreeWriter() makes fifos, and devices as root, where links can be the names before', t => {
  const folder = scratch(t);
  symlinkSync('x', `${folder}/fifo`);
  const fifo = { type: 'fifo' as const, mode: 0o641 };
  const device = { type: 'chardev' as const, mode: 0o604, devMajor: 1, devMinor: 3 };
  const entries = [
    root,
    entry('\xff', {}),
    entry('\xff/dev', device),
    entry('\xff/fifo', fifo),
    entry('fifo', fifo),
  ];
  const problems = restore(
    folder,
    entries.sort((a, b) => (a.path < b.path ? -1 : 1)),
  );
  for (const path of ['fifo', '\xff/fifo']) {
    const stats = lstatSync(bytesOf(`${folder}/${path}`));
    assert.ok(stats.isFIFO());
    assert.deepEqual([stats.mode & 0o7777, stats.mtimeMs], [0o641, 1e12]);
  }
  if (problems.length > 0) {
    assert.deepEqual([problems.length, problems[0]?.path, problems[0]?.systemCode], [1, '\xff/dev', 'EPERM']);
    return t.diagnostic('devices are not permitted here');
  }
  const made = lstatSync(bytesOf(`${folder}/\xff/dev`));
  assert.ok(made.isCharacterDevice());
  assert.deepEqual([made.rdev, made.mode & 0o7777, made.mtimeMs], [0x103, 0o604, 1e12]);
});

test('createTreeWriter() tells of numbers of devices and owners that no system has in a line', t => {
  const folder = scratch(t);
  if (!needRoot(t)) return;
  const device = { type: 'chardev' as const, devMinor: 3 };
  const problems = restore(folder, [
    root,
    entry('d1', { ...device, devMajor: -2 }),
    entry('d2', { ...device, devMajor: 2 ** 50 }),
    entry('f', { text: '', uid: -2, uname: '' }),
    entry('g', { text: '', gid: 2 ** 32, gname: '' }),
  ]);
  assert.deepEqual(
    problems.map(({ path, systemCode }) => [path, systemCode]),
    ['d1', 'd2', 'f', 'g'].map(path => [path, 'EINVAL']),
  );
  for (const { message } of problems) assert.doesNotMatch(message, /\n|option|range/);
});

test('createTreeWriter() reports devices that it may not make', t => {
  if (!needOrdinaryUser(t)) return;
  const folder = scratchOfUser(t);
  const entries = [root, entry('dev', { type: 'blockdev', devMajor: 7 }), entry('f', { text: '' })];
  const problems = asOrdinaryUser(() => restore(`${folder}/new`, entries));
  assert.deepEqual(
    problems.map(({ path, systemCode, restored }) => [path, systemCode, restored]),
    [['dev', 'EPERM', false]],
  );
  assert.deepEqual(pathsOf(`${folder}/new`), ['', 'f']);
});

test('createTreeWriter() gives owners by name, else by number, to links too', t => {
  if (!needRoot(t)) return;
  const folder = scratch(t);
  writeFileSync(`${folder}/passwd`, 'known:x:4321:1::/:\n');
  writeFileSync(`${folder}/group`, 'known:x:5432:\n');
  const names = createIdNames({ passwd: `${folder}/passwd`, group: `${folder}/group`, getent: '' });
  const named = { uid: 11, gid: 22, uname: 'known', gname: 'known' };
  const entries = [
    root,
    entry('d', named),
    entry('f', { ...named, text: 'x', mode: 0o6755 }),
    entry('l', { ...named, type: 'symlink', linkname: 'f' }),
    entry('p', { ...named, type: 'fifo', mode: 0o600 }),
    entry('unknown', { ...named, uname: 'strange', gname: 'strange', text: '' }),
  ];
  const owners = (target: string, options: object) => {
    assert.deepEqual(restore(`${folder}/${target}`, entries, { names, ...options }), []);
    return ['d', 'f', 'l', 'p', 'unknown'].map(path => {
      const { uid, gid } = lstatSync(`${folder}/${target}/${path}`);
      return `${uid}:${gid}`;
    });
  };
  const byName = '4321:5432';
  assert.deepEqual(owners('a', {}), [byName, byName, byName, byName, '11:22']);
  assert.deepEqual(owners('b', { numericOwner: true }), Array(5).fill('11:22'));
  assert.equal(statSync(`${folder}/a/f`).mode & 0o7777, 0o6755);
});

test('createTreeWriter() lends no set-id bit to another owner', t => {
  const folder = scratch(t);
  const other = { uid: 11, gid: 22, mode: 0o6755, text: 'x' };
  const entries = [root, entry('f', other), entry('own', { mode: 0o6755, text: 'x' })];
  const problems = restore(`${folder}/new`, entries, { ownership: false });
  assert.deepEqual(
    problems.map(({ path, systemCode, restored }) => [path, systemCode, restored]),
    [['f', 'EPERM', true]],
  );
  const modes = ['f', 'own'].map(path => statSync(`${folder}/new/${path}`).mode & 0o7777);
  assert.deepEqual(modes, [0o755, 0o6755]);
});

test('createTreeWriter() gives what an ordinary user restores to the groups that the user is in', t => {
  if (!needRoot(t)) return;
  const folder = scratchOfUser(t);
  const [mine, foreign] = [nobody + 1, nobody + 2];
  const entries = [
    entry('', { gid: nobody }),
    entry('d', { gid: mine, mode: 0o2775 }),
    entry('d/f', { uid: nobody, gid: mine, mode: 0o2750, text: 'x' }),
    entry('f', { gid: mine, mode: 0o640, text: 'x' }),
    entry('g', { gid: foreign, text: 'x' }),
    entry('l', { gid: mine, type: 'symlink', linkname: 'f' }),
  ];
  const restoreAll = (inPlace: boolean) =>
    asOrdinaryUser(() => restore(`${folder}/new`, entries, { inPlace }), [mine]);
  const found = () =>
    ['', 'd', 'd/f', 'f', 'g', 'l'].map(path => lstatSync(`${folder}/new/${path}`, { bigint: true }));
  assert.deepEqual(restoreAll(false), []);
  const once = found();
  assert.deepEqual(
    once.map(({ uid, gid }) => [Number(uid), Number(gid)]),
    [nobody, mine, mine, mine, nobody, mine].map(gid => [nobody, gid]),
  );
  const modes = once.slice(1, 4).map(({ mode }) => Number(mode) & 0o7777);
  assert.deepEqual(modes, [0o2775, 0o2750, 0o640]);
  assert.deepEqual(restoreAll(true), []);
  const ctimes = (stats: readonly BigIntStats[]) => stats.slice(2, 6).map(({ ctimeNs }) => ctimeNs);
  assert.deepEqual(ctimes(found()), ctimes(once));
});

test('createTreeWriter() reports an owner that can not be', t => {
  if (!needRoot(t)) return;
  const folder = scratch(t);
  const problems = restore(folder, [root, entry('f', { uid: 0xffffffff, text: 'x', mode: 0o4644 })]);
  assert.deepEqual(
    problems.map(({ path, systemCode, restored }) => [path, systemCode, restored]),
    [
      ['f', 'EINVAL', true],
      ['f', 'EPERM', true],
    ],
  );
  assert.equal(statSync(`${folder}/f`).mode & 0o7777, 0o644);
});

test('createTreeWriter() ends the run when the disk is full, and cleans up', t => {
  if (!needRoot(t)) return;
  const folder = scratch(t);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]);
  if (mounted.status !== 0) return t.skip('mount is not permitted here');
  try {
    const before = countOpenFiles();
    const big = [root, entry('small', { text: 'x' }), entry('big', { text: 'y'.repeat(900_000) })];
    assert.throws(() => restore(folder, big), { code: 'local-io', message: /big.*ENOSPC/ });
    assert.deepEqual(readdirSync(folder), ['small']);
    assert.equal(countOpenFiles(), before);
  } finally {
    spawnSync('umount', [folder]);
  }
});

test('createTreeWriter() does not end well where its target was unmounted or moved away meanwhile', t => {
  if (!needRoot(t)) return;
  const folder = scratch(t);
  for (const [target, single] of [
    [`${folder}/disk`, false],
    [`${folder}/disk/below`, false],
    [`${folder}/disk/file`, true],
  ] as const) {
    mkdirSync(`${folder}/disk`, { recursive: true });
    const mounted = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', `${folder}/disk`]);
    if (mounted.status !== 0) return t.skip('mount is not permitted here');
    const writer = createTreeWriter(target, { onProblem: ({ message }) => assert.fail(message) });
    if (!single) writer.begin(root);
    writer.begin(entry(single ? '' : 'f', { text: '' }));
    writer.finish();
    spawnSync('umount', ['-l', `${folder}/disk`]);
    assert.throws(() => writer.close(), { code: 'local-io', message: /was unmounted or taken away/ });
    writer.close();
  }
});

test('createTreeWriter() says of a read-only file system that it is one, however deep the target would lie', t => {
  if (!needRoot(t)) return;
  const folder = scratch(t);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', folder]);
  if (mounted.status !== 0) return t.skip('mount is not permitted here');
  try {
    for (const target of ['new', 'new/in/it'])
      for (const tree of [[root], [entry('', { text: 'x' })]])
        assert.throws(() => restore(`${folder}/${target}`, tree), { code: 'local-io', message: /EROFS/ });
  } finally {
    spawnSync('umount', [folder]);
  }
});

test('createTreeWriter() makes the folders that its target lies in', t => {
  const folder = scratch(t);
  for (const target of ['a/b/c', 'a//d///e/', 'f/../g/h'])
    assert.deepEqual(restore(`${folder}/${target}`, [root, entry('f', { text: 'x' })]), []);
  assert.equal(readFileSync(`${folder}/a/d/e/f`, 'utf8'), 'x');
  assert.deepEqual(readdirSync(folder), ['a', 'f', 'g']);
});

test('createTreeWriter() throws when the target can not be made', t => {
  const folder = scratch(t);
  writeFileSync(`${folder}/file`, '');
  symlinkSync('nowhere', `${folder}/dangling`);
  for (const target of ['file/new', 'dangling']) {
    assert.throws(() => restore(`${folder}/${target}`, [root]), { code: 'local-io' });
  }
});

test('createTreeWriter() says of a folder and of what is in it that the file system does not take the name', t => {
  const target = scratch(t);
  replaceCalls(t, ['mkdirSync', 'openSync'], original => (...given) => {
    if (!String(given[0]).endsWith('12:30')) return original(...given);
    throw Object.assign(new Error('EINVAL: made by a test'), { code: 'EINVAL', syscall: 'mkdir' });
  });
  const problems = restore(`${target}/out`, [root, entry('12:30', {}), entry('12:30/x', { text: 'x' })]);
  assert.deepEqual(
    problems.map(({ path, message, restored }) => [path, message, restored]),
    ['12:30', '12:30/x'].map(path => [path, 'EINVAL: the file system there does not take this name', false]),
  );
});
