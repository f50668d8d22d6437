import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bytesOf } from '../../src/bytes.ts';
import { createTreeComparer, type TreeComparerOptions } from '../../src/files/compare.ts';
import { needOrdinaryUser, needTool } from '../support/tools.ts';
import {
  anyTree,
  asOrdinaryUser,
  copyTree,
  countOpenFiles,
  entriesOf,
  entry,
  feed,
  isRoot,
  plant,
  plantDeep,
  removeTree,
  scratch,
} from './support.ts';

type Comparing = Partial<TreeComparerOptions> & { readonly size?: number };

/** Compares `local` with `archived`, a folder that stands for the archive. */
function compareTrees(archived: string, local: string, options: Comparing = {}) {
  return compareWith(local, options, comparer => feed(archived, comparer, options.size));
}

function compareWith(
  local: string,
  options: Comparing,
  work: (comparer: ReturnType<typeof createTreeComparer>) => void,
) {
  const texts: string[] = [];
  const problems: string[] = [];
  const comparer = createTreeComparer(local, {
    ...options,
    onDifference: text => texts.push(text),
    onProblem: problem => problems.push(`${problem.path} ${problem.systemCode}`),
  });
  try {
    work(comparer);
    const totals = comparer.end();
    assert.equal(totals.differences, texts.length);
    return { texts, problems, compared: totals.compared };
  } finally {
    comparer.close();
  }
}

/** A pair of folders: `was` for the archive, `is` for the local tree, planted alike and then changed by hand. */
function pair(
  t: { after(work: () => void): void },
  make: (folder: string) => void,
  change: (folder: string) => void,
) {
  const folder = scratch(t);
  const trees = { was: `${folder}/was`, is: `${folder}/is` };
  for (const tree of [trees.was, trees.is]) {
    mkdirSync(tree);
    make(tree);
  }
  change(trees.is);
  for (const tree of [trees.was, trees.is]) utimesSync(tree, 1e9, 1e9);
  return trees;
}

function put(path: string, text: string): void {
  writeFileSync(bytesOf(path), text);
  utimesSync(bytesOf(path), 1e9, 1e9);
}

test('createTreeComparer() finds nothing where nothing differs, however data is chunked', t => {
  const folder = scratch(t);
  fc.assert(
    fc.property(anyTree, fc.integer({ min: 1, max: 120 }), (things, size) => {
      plant(`${folder}/tree`, things);
      plant(`${folder}/same`, things);
      utimesSync(`${folder}/tree`, 5, 5);
      utimesSync(`${folder}/same`, 5, 5);
      try {
        const entries = entriesOf(`${folder}/tree`);
        const { texts, problems, compared } = compareTrees(`${folder}/tree`, `${folder}/same`, { size });
        assert.deepEqual([texts, problems, compared], [[], [], entries.length]);
      } finally {
        removeTree(`${folder}/tree`);
        removeTree(`${folder}/same`);
      }
    }),
    { numRuns: 25 },
  );
});

test('createTreeComparer() finds one changed byte, one missing and one more, at any place', t => {
  const folder = scratch(t);
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
  const change = fc.constantFrom('flip', 'cut', 'append');
  fc.assert(
    fc.property(bytes, fc.nat(), fc.integer({ min: 1, max: 99 }), change, (content, where, size, how) => {
      const at = where % content.length;
      const changed = Buffer.from(content);
      if (how === 'flip') changed[at] = changed[at]! ^ 1;
      const local = {
        flip: changed,
        cut: changed.subarray(0, at),
        append: Buffer.concat([changed, content]),
      }[how];
      writeFileSync(`${folder}/file`, local);
      const archived = { ...entriesOf(`${folder}/file`)[0]!, path: '' };
      const { texts } = compareWith(`${folder}/file`, {}, comparer => {
        comparer.begin(archived);
        for (let i = 0; i < content.length; i += size) comparer.data(content.subarray(i, i + size));
        comparer.finish();
      });
      assert.deepEqual(texts, ['Data for file . is different']);
    }),
  );
});

test('createTreeComparer() counts all paths of both trees, whichever ends first', t => {
  const make = (folder: string) => {
    mkdirSync(`${folder}/m`);
    put(`${folder}/m/x`, '');
    utimesSync(`${folder}/m`, 1e9, 1e9);
  };
  for (const [mine, theirs] of [
    ['a', 'z'],
    ['z', 'a'],
    ['m!', 'm/y'],
  ] as const) {
    const { was, is } = pair(t, make, folder => put(`${folder}/${mine}`, ''));
    put(`${was}/${theirs}`, '');
    for (const tree of [was, is]) {
      utimesSync(tree, 1e9, 1e9);
      utimesSync(`${tree}/m`, 1e9, 1e9);
    }
    const { texts, compared } = compareTrees(was, is);
    assert.deepEqual(texts.sort(), [`File ${theirs} is missing`, `New file ${mine}`]);
    assert.equal(compared, 5);
  }
});

/** One difference of each kind; only root can make all of them. */
function makeOriginal(folder: string): void {
  for (const name of ['data', 'longer', 'mode', 'mtime', 'gone', 'was-file', 'with space', 'same']) {
    put(`${folder}/${name}`, name);
  }
  symlinkSync('one', `${folder}/link`);
  symlinkSync('one', `${folder}/was-link`);
  execFileSync('mkfifo', ['-m', '644', `${folder}/fifo`]);
  for (const name of ['folder', 'was-folder', 'gone-folder']) mkdirSync(`${folder}/${name}`);
  put(`${folder}/gone-folder/in`, '');
  if (isRoot) {
    put(`${folder}/owner`, '');
    spawnSync('mknod', ['-m', '644', `${folder}/device`, 'c', '1', '3']);
    spawnSync('mknod', ['-m', '644', `${folder}/device-mode`, 'b', '1', '3']);
    spawnSync('mknod', ['-m', '644', `${folder}/was-device`, 'b', '1', '3']);
  }
  for (const name of ['folder', 'was-folder', 'gone-folder', 'fifo'])
    utimesSync(`${folder}/${name}`, 1e9, 1e9);
}

function changeAll(folder: string): void {
  put(`${folder}/data`, 'atad');
  put(`${folder}/longer`, 'longer and longer');
  for (const name of ['mode', 'with space']) chmodSync(`${folder}/${name}`, 0o4701);
  const local = new Date(2002, 1, 2, 3, 4, 5);
  utimesSync(`${folder}/mtime`, local, local);
  for (const name of ['gone', 'was-file', 'was-folder', 'was-link', 'link', 'gone-folder']) {
    rmSync(`${folder}/${name}`, { recursive: true });
  }
  mkdirSync(`${folder}/was-file`);
  put(`${folder}/was-file/in`, '');
  put(`${folder}/was-folder`, '');
  mkdirSync(`${folder}/was-link`);
  symlinkSync('two', `${folder}/link`);
  chmodSync(`${folder}/fifo`, 0o600);
  utimesSync(`${folder}/folder`, 5, 5);
  put(`${folder}/new`, '');
  if (!isRoot) return;
  chownSync(`${folder}/owner`, 1, 2);
  for (const name of ['device', 'device-mode', 'was-device']) rmSync(`${folder}/${name}`, { force: true });
  spawnSync('mknod', ['-m', '644', `${folder}/device`, 'c', '1', '5']);
  spawnSync('mknod', ['-m', '600', `${folder}/device-mode`, 'b', '1', '5']);
  put(`${folder}/was-device`, '');
}

test('createTreeComparer() finds what stands behind thousands that are left out', t => {
  const [archived, local] = [scratch(t), scratch(t)];
  writeFileSync(`${archived}/z`, 'same');
  copyTree(archived, local);
  for (let i = 0; i < 3000; i++) writeFileSync(`${local}/a${i}`, '');
  utimesSync(local, 1e9, 1e9);
  utimesSync(archived, 1e9, 1e9);
  const select = ({ path }: { readonly path: string }) => (path === 'z' ? 'take' : 'skip');
  assert.deepEqual(compareTrees(archived, local, { select }), { texts: [], problems: [], compared: 2 });
});

test('createTreeComparer() says the first difference of each path', t => {
  const { was, is } = pair(t, makeOriginal, changeAll);
  const me = `${process.getuid!()}:${process.getgid!()}`;
  const { texts } = compareTrees(was, is);
  const expected = [
    'Data for file data is different',
    `File fifo has permissions ${me} 600, expected ${me} 644`,
    'File gone is missing',
    'File gone-folder is missing',
    'File gone-folder/in is missing',
    'Symlink link points to two, expected one',
    'Data for file longer is different',
    `File mode has permissions ${me} 4701, expected ${me} 644`,
    'New file new',
    'File was-file has type dir, expected reg',
    'New file was-file/in',
    'File was-folder has type reg, expected dir',
    'File was-link has type dir, expected sym',
    `File with space has permissions ${me} 4701, expected ${me} 644`,
  ];
  const common = texts.filter(text => !/device|owner|mtime/.test(text));
  assert.deepEqual(common, expected);
  const [, ...times] = texts.filter(text => text.includes('has mtime'));
  assert.equal(times.length, 1);
  assert.match(times[0]!, /^File mtime has mtime Sat Feb {2}2 03:04:05 2002, expected \w+ Sep .* 2001$/);
});

test('createTreeComparer() says what duplicity says', t => {
  if (!needTool(t, 'duplicity')) return;
  const { was, is } = pair(t, makeOriginal, changeAll);
  const home = scratch(t);
  const duplicity = (...args: string[]) =>
    spawnSync('duplicity', ['--no-encryption', '--archive-dir', `${home}/cache`, ...args], {
      env: { ...process.env, HOME: home },
      encoding: 'utf8',
    });
  duplicity('full', was, `file://${home}/store`);
  const { stdout } = duplicity('verify', '--compare-data', `file://${home}/store`, is);
  const said = stdout.split('\n').flatMap(line => /^Difference found: (.*)$/.exec(line)?.[1] ?? []);
  const { texts, compared } = compareTrees(was, is);
  assert.deepEqual(
    texts,
    said.map(text => text.replace(/b'(\w+)'/g, '$1')),
  );
  assert.match(
    stdout,
    new RegExp(`Verify complete: ${compared} file.* compared, ${texts.length} difference`),
  );
  assert.ok(texts.length > 15);
});

test('createTreeComparer() shows names so that they forge no line', t => {
  const { was, is } = pair(
    t,
    () => {},
    folder => put(`${folder}/a\nNew file b\xff`, ''),
  );
  assert.deepEqual(compareTrees(was, is).texts, ['New file a\\x0aNew file b\\xff']);
});

test('createTreeComparer() counts what it can not read as different', t => {
  if (!needOrdinaryUser(t)) return;
  const { was, is } = pair(
    t,
    folder => {
      for (const name of ['closed', 'closed/in']) mkdirSync(`${folder}/${name}`);
      for (const name of ['closed/in/file', 'locked', 'z']) put(`${folder}/${name}`, '');
    },
    () => {},
  );
  const entries = entriesOf(was);
  chmodSync(`${is}/..`, 0o755);
  chmodSync(`${is}/closed`, 0);
  chmodSync(`${is}/locked`, 0);
  const seen = asOrdinaryUser(() =>
    compareWith(is, {}, comparer => {
      for (const found of entries) {
        comparer.begin(found.path === 'locked' ? { ...found, mode: 0 } : found);
        comparer.finish();
      }
    }),
  );
  assert.deepEqual(
    [seen.texts, seen.problems, seen.compared],
    [
      [
        "File closed can't be read: EACCES",
        "File closed/in can't be read: EACCES",
        "File closed/in/file can't be read: EACCES",
        "File locked can't be read: EACCES",
      ],
      ['closed EACCES', 'locked EACCES'],
      6,
    ],
  );
});

test('createTreeComparer() reads below 4096 bytes of path, and leaves no file open', t => {
  const folder = scratch(t);
  mkdirSync(`${folder}/was`);
  const deep = plantDeep(`${folder}/was`, 9_000);
  copyTree(`${folder}/was`, `${folder}/is`);
  const before = countOpenFiles();
  assert.deepEqual(compareTrees(`${folder}/was`, `${folder}/is`).texts, []);
  const { texts } = compareWith(`${folder}/is`, {}, comparer => {
    for (const found of entriesOf(`${folder}/was`)) {
      comparer.begin(found);
      comparer.data(Buffer.from(found.type === 'file' ? 'deep contents' : ''));
      comparer.finish();
    }
  });
  assert.deepEqual(texts, [`Data for file ${deep}/file is different`]);
  assert.equal(countOpenFiles(), before);
});

test('createTreeComparer() compares owners by name where the name exists here', t => {
  const folder = scratch(t);
  put(`${folder}/file`, '');
  const me = process.getuid!();
  const names = { uname: () => 'me', gname: () => '', uid: () => me, gid: () => undefined };
  const archived = entry('', {
    uname: 'me',
    uid: me + 1,
    text: '',
    mode: entriesOf(`${folder}/file`)[0]!.mode,
  });
  const run = (numericOwner: boolean) =>
    compareWith(`${folder}/file`, { names, numericOwner }, comparer => {
      comparer.begin(archived);
      comparer.finish();
    }).texts.length;
  assert.deepEqual([run(false), run(true)], [0, 1]);
});

test('createTreeComparer() compares a single link, and an empty archive, too', t => {
  const folder = scratch(t);
  mkdirSync(`${folder}/real`);
  symlinkSync('real', `${folder}/link`);
  assert.deepEqual(
    compareWith(`${folder}/link`, {}, comparer => {
      comparer.begin(entry('', { type: 'symlink', linkname: 'real' }));
      comparer.finish();
    }).texts,
    [],
  );
  assert.deepEqual(compareWith(`${folder}/link`, {}, () => {}).texts, ['New file .']);
});

test('createTreeComparer() takes a local file that vanishes for missing, and an abandoned one for no difference', t => {
  const folder = scratch(t);
  for (const name of ['a', 'b', 'c']) put(`${folder}/${name}`, 'x');
  const entries = entriesOf(folder);
  const { texts } = compareWith(folder, {}, comparer => {
    for (const found of entries) {
      if (found.path === 'a') unlinkSync(`${folder}/b`);
      comparer.begin(found);
      if (found.path === 'c') {
        comparer.data(readFileSync(`${folder}/c`));
        appendFileSync(`${folder}/c`, 'more');
        comparer.abandon();
      }
      if (found.type === 'file' && found.path !== 'c') comparer.data(Buffer.from('x'));
      comparer.finish();
    }
  });
  assert.deepEqual(texts, ['File b is missing']);
});

test('createTreeComparer() throws when the local folder is not there', t => {
  const folder = scratch(t);
  assert.throws(() => compareWith(`${folder}/none`, {}, () => {}), { code: 'source-missing' });
});
