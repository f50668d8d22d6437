/** What the program writes where: modes of files, names with blanks, streams that are closed, how much it says. */

import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertTold } from '../commands/troubles.ts';
import { expectStatus, runProgram } from '../support/processes.ts';
import { cliPath, createProgram } from '../support/program.ts';
import { assertSameTree, snapshotTree, walkTree } from '../support/snapshots.ts';
import { makeTree } from '../support/trees.ts';

test('a reader that closes standard output early is no error', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  for (let i = 0; i < 5000; i++)
    writeFileSync(join(program.home, 'source', `file with a long name ${i}`), '');
  expectStatus(await program.run(['full', '--no-encryption', 'source', 'file://target']));
  const pipe = async (reader: string) => {
    const line = `set -o pipefail; '${process.execPath}' '${cliPath}' list-current-files file://target | ${reader}`;
    return expectStatus(await runProgram('bash', ['-c', line], { env: program.env, cwd: program.home }));
  };
  for (const reader of ['head -1', 'true', 'head -100']) {
    const { stdout, stderr } = await pipe(reader);
    assert.equal(stderr, '');
    if (reader === 'head -1') assert.match(stdout, /^[^\n]* \.\n$/);
  }
});

test('a backup goes on when nobody listens to it any more, and a restore too', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  for (let i = 0; i < 100; i++) writeFileSync(join(program.home, `source/file ${i}`), 'x'.repeat(i * 1000));
  const pipe = async (words: string) => {
    const line = `set -o pipefail; '${process.execPath}' '${cliPath}' ${words} 2>&1 | true`;
    expectStatus(await runProgram('bash', ['-c', line], { env: program.env, cwd: program.home }));
  };
  await pipe('full -v debug --no-encryption source file://target');
  await pipe('restore -v debug file://target out');
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(join(program.home, 'source')));
});

test('what is written is open to its owner alone, whatever the umask', async t => {
  const program = createProgram(t);
  makeTree(join(program.home, 'source'), 301, { entries: 5 });
  const line = [
    'umask 0',
    `run() { '${process.execPath}' '${cliPath}' "$@"; }`,
    'run full --volsize 1 source file://new/target',
    'touch source/changed',
    'run source file://new/target',
    'rm -r .cache',
    'run list-current-files file://new/target',
    'run source file://new/target',
  ].join(' && ');
  const env = { ...program.env, PASSPHRASE: 'x' };
  expectStatus(await runProgram('bash', ['-c', line], { env, cwd: program.home }));
  let files = 0;
  for (const folder of ['new/target', '.cache']) {
    for (const { path, stats } of walkTree(join(program.home, folder))) {
      const mode = Number(stats.mode) & 0o777;
      assert.equal(mode, stats.isDirectory() ? 0o700 : 0o600, `${folder}/${path}`);
      files++;
    }
  }
  assert.ok(files > 12);
  assert.equal(lstatSync(join(program.home, 'new')).mode & 0o777, 0o700);
});

test('every path may hold blanks and quotes, and a file URL may be relative', async t => {
  const program = createProgram(t);
  const odd = 'a folder\'s "name" \u00e4';
  mkdirSync(join(program.home, odd));
  makeTree(join(program.home, odd, 'my source'), 302, { entries: 5, large: false });
  const options = {
    cwd: join(program.home, odd),
    passphrase: ' two  words ',
    env: { XDG_CACHE_HOME: join(program.home, odd, 'the cache'), TMPDIR: join(program.home, odd) },
  };
  const url = 'file://the target/of it';
  const run = async (...words: string[]) => expectStatus(await program.run(words, options));
  await run('full', 'my source', url);
  await run('my source/', url);
  await run('restore', url, 'new/the result');
  await run('restore', '-r', 'with space', url, 'one file');
  assert.match((await run('collection-status', url)).stdout, /Number of contained backup sets: 2/);
  const base = join(program.home, odd);
  assertSameTree(snapshotTree(join(base, 'new/the result')), snapshotTree(join(base, 'my source')));
  assert.deepEqual(readdirSync(program.home).sort(), [odd]); // nothing strays into a home of blanks
});

test('verify says what it has looked at, and a difference has its own exit status', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  writeFileSync(join(program.home, 'source/file'), 'content');
  const url = 'file://target';
  expectStatus(await program.run(['full', '--no-encryption', 'source', url]));
  writeFileSync(join(program.home, 'source/file'), 'changed');
  const verify = (...words: string[]) => program.run(['verify', ...words.slice(0, -1), url, words.at(-1)!]);
  assertTold(await verify('source'), '`verify` finds all well, DIR was not looked at');
  const differs = await verify('--compare-data', 'source');
  assertTold(differs, '`verify --compare-data` finds a difference');
  assert.match(differs.stdout, /^Difference found: .*file/m);
  assertTold(
    await verify('--compare-data', '-r', 'file', 'source/file'),
    '`verify --compare-data` finds a difference',
  );
});

test('only -v debug shows where an error comes from', async t => {
  const program = createProgram(t);
  const words = ['restore', 'file://absent', 'out'];
  const plain = await program.run(words);
  assert.equal(plain.status, 13);
  assert.ok(!plain.stderr.includes('    at '));
  const debug = await program.run([...words, '-v', 'debug']);
  assert.equal(debug.status, 13);
  assert.match(debug.stderr, /^ {4}at /m);
  const silent = await program.run([...words, '-v', '0']);
  assert.equal(silent.stderr, plain.stderr, 'errors are always told');
});

test('collection-status ends as that of duplicity: programs count its lines from the end', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  expectStatus(await program.run(['full', '--no-encryption', 'source', 'file://target']));
  const { stdout } = expectStatus(await program.run(['collection-status', 'file://target']));
  assert.match(stdout, /^Archive dir: .*\nCatalog: tsbackup-catalog-/m);
  const [set = '', , last] = stdout.trimEnd().split('\n').slice(-3);
  assert.match(set, /^ +Full .* 1$/);
  assert.equal(last, 'No orphaned or incomplete backup sets found.');
});

test('called as duplicity, verify and removals are as silent as it is below the verbosity of notices', async t => {
  const { home, env, run } = createProgram(t);
  const link = join(home, 'duplicity');
  symlinkSync(cliPath, link);
  mkdirSync(join(home, 'source'));
  for (const time of ['1600000000', '1700000000']) {
    const backup = ['full', '--no-encryption', '--current-time', time, 'source', 'file://target'];
    expectStatus(await run(backup));
  }
  for (const words of [
    ['verify', 'file://target', 'source'],
    ['cleanup', '--force', 'file://target'],
    ['remove-older-than', '1D', '--force', 'file://target'],
    ['remove-all-but-n-full', '1', '--force', 'file://target'],
  ]) {
    const as = (name: string) =>
      runProgram(process.execPath, [name, '-v', 'warning', ...words], { env, cwd: home });
    assert.notEqual((await as(cliPath)).stdout, '', words.join(' '));
    const { stdout, stderr } = expectStatus(await as(link));
    assert.equal(stdout + stderr, '', words.join(' '));
  }
});
