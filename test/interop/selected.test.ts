/** Selections on the command line: what is stored is what the real duplicity stores, whoever makes the next set. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createSelection } from '../../src/files/select.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { needTool } from '../support/tools.ts';
import { setMtime } from '../support/trees.ts';

const passphrase = 'chosen';

function setUp(t: TestContext) {
  const program = createProgram(t);
  const source = join(program.home, 's');
  for (const folder of ['cache', 'docs', 'docs/old', 'pics', 'tagged']) {
    mkdirSync(join(source, folder), { recursive: true });
  }
  const files = ['a.txt', 'b.TMP', 'cache/x', 'docs/1.txt', 'docs/1.tmp', 'docs/old/2.txt', 'pics/p.jpg'];
  for (const file of [...files, 'tagged/CACHEDIR.TAG', 'tagged/y', 'é ü.txt']) {
    writeFileSync(join(source, file), file);
    setMtime(join(source, file), 1_500_000_000);
  }
  writeFileSync(join(source, 'list'), '# what to keep\n+ **.txt\n\n- **\n');
  return { program, source };
}

const selections: readonly (readonly string[])[] = [
  ['--exclude', '**/cache', '--exclude', 'ignorecase:**.tmp'],
  ['--include', '**/docs/old', '--exclude', '**/docs', '--exclude-if-present', 'CACHEDIR.TAG'],
  ['--include', '**.txt', '--exclude', '**'],
  ['--include-filelist', 'LIST', '--exclude', '**'],
  ['--exclude-regexp', '\\.(jpg|tmp)$', '--exclude-device-files', '--exclude-other-filesystems'],
  ['--exclude', '**/d?cs/[0-9].*', '--include', '**/docs', '--exclude', '**/*s'],
];

for (const selection of selections) {
  test(`backup ${selection.join(' ')} stores what duplicity stores`, async t => {
    if (!needTool(t, 'duplicity', 'gpg')) return;
    const { program, source } = setUp(t);
    const options = selection.map(word => (word === 'LIST' ? join(source, 'list') : word));
    const duplicity = createDuplicity(t);
    const ours = `file://${join(program.home, 'ours')}`;
    const theirs = `file://${join(program.home, 'theirs')}`;
    const run = async (...args: string[]) => expectStatus(await program.run(args, { passphrase }));
    await run('full', ...options, source, ours);
    await duplicity.full(source, theirs, { passphrase, args: options });
    const out = join(program.home, 'out');
    await run('restore', ours, join(out, '1'));
    await duplicity.restore(theirs, join(out, '2'), { passphrase });
    const stored = snapshotTree(join(out, '1'));
    assertSameTree(stored, snapshotTree(join(out, '2')));
    assert.ok(stored.length > 1 && stored.length < snapshotTree(source).length);

    // The chain goes on with either program, and finds nothing to do.
    const next = await duplicity.incremental(source, ours, { passphrase, args: options });
    assert.match(next.stdout, /^DeltaEntries 0$/m);
    assert.match((await run('incremental', ...options, source, theirs)).stdout, /^DeltaEntries 0$/m);
    const verified = await run('verify', '--compare-data', ...options, ours, source);
    assert.match(verified.stdout, / 0 differences found\.$/m);
  });
}

test('what a selection leaves out of the next set is gone from it, and comes back with it', async t => {
  const { program, source } = setUp(t);
  const url = `file://${join(program.home, 'target')}`;
  const run = async (...args: string[]) => expectStatus(await program.run(args, { passphrase }));
  await run('full', source, url);
  await run('incremental', '--exclude', `${source}/pics`, source, url);
  await run('restore', url, 'without');
  assert.deepEqual(
    snapshotTree(join(program.home, 'without')).filter(({ path }) => path.startsWith('pics')),
    [],
  );
  await run('incremental', source, url);
  await run('restore', url, 'with');
  assertSameTree(snapshotTree(join(program.home, 'with')), snapshotTree(source));
});

test('a target in the source may be left out by an --exclude', async t => {
  const { program, source } = setUp(t);
  const url = `file://${join(source, 'backups', 'here')}`;
  const refused = await program.run(['full', source, url], { passphrase });
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /would back up itself; leave it out with --exclude$/m);
  expectStatus(await program.run(['full', '--exclude', `${source}/backups`, source, url], { passphrase }));
  expectStatus(await program.run(['restore', url, 'out'], { passphrase }));
  const paths = snapshotTree(join(program.home, 'out')).map(({ path }) => path);
  assert.ok(paths.includes('docs/1.txt') && !paths.includes('backups'), paths.join());
});

for (const [options, message] of [
  [
    ['--exclude', 'elsewhere'],
    /^Error: The pattern 'elsewhere' can't match anything in '(.*)': begin it with '\1\/' or '\*\*'\.$/m,
  ],
  [['--include', '**.txt'], /^Error: The last selection includes '\*\*\.txt', which changes nothing/m],
  [['--exclude-filelist', 'nowhere'], /^Error: cannot read the list nowhere: ENOENT/m],
  [['--exclude-regexp', '('], /^Error: The regular expression '\(' can't be used/m],
  [['--exclude-older-than', 'yesterday'], /^Error: .*yesterday/m],
] as const) {
  test(`backup ${options.join(' ')} is refused before anything is touched`, async t => {
    const { program, source } = setUp(t);
    const url = `file://${join(program.home, 'target')}`;
    const result = await program.run(['full', ...options, source, url], { passphrase });
    assert.equal(result.status, 2);
    assert.match(result.stderr, message);
  });
}

test('a pattern that begins with a ./ of the source is told what would work', () => {
  for (const [source, pattern, beginning] of [
    ['./pos', './pos/empty', 'pos/'],
    ['/a/./b', '/a/./b/c', '/a/b/'],
  ] as const) {
    const selected = (pattern: string) =>
      createSelection([{ kind: 'pattern', include: false, pattern }], source);
    assert.throws(() => selected(pattern), {
      message: new RegExp(`: begin it with '${beginning}' or '\\*\\*'\\.$`),
    });
    selected(`${beginning}c`);
  }
});

const slips: readonly (readonly string[])[] = [
  ['--exclude', '/elsewhere/x'],
  ['--exclude', 's//x'],
  ['--include', 's/a'],
  ['--exclude-regexp', '('],
];

test('a selection that is a slip ends as duplicity does with --duplicity-exit-codes', async t => {
  if (!needTool(t, 'duplicity')) return;
  const { program } = setUp(t);
  const duplicity = createDuplicity(t);
  for (const slip of slips) {
    const words = ['full', '--no-encryption', ...slip, 's', `file://${join(program.home, 'target')}`];
    const theirs = await duplicity.run(words, { cwd: program.home });
    assert.ok([14, 15, 16, 30].includes(theirs.status!), slip.join(' '));
    expectStatus(await program.run(['--duplicity-exit-codes', ...words]), theirs.status!);
    expectStatus(await program.run(words), 2);
  }
});
