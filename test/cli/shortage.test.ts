/** What a system that is out of something, or refuses something, makes of a run: one line, in the real program. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { assertTold, assertToldOnly } from '../commands/troubles.ts';
import { expectStatus, runProgram } from '../support/processes.ts';
import { cliPath, createProgram, type Program } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { createSleepingSource } from '../support/sleeping-source.ts';
import { needRoot } from '../support/tools.ts';

function setUp(t: TestContext): Program {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  for (let i = 0; i < 20; i++) writeFileSync(join(program.home, `source/file ${i}`), 'x'.repeat(i * 1000));
  return program;
}

/** Runs a line of a shell in which `tsbackup` is ours. */
function shell({ env, home }: Program, line: string) {
  const script = `tsbackup() { '${process.execPath}' '${cliPath}' "$@"; }; ${line}`;
  return runProgram('bash', ['-c', script], { env, cwd: home });
}

const full = 'tsbackup full --no-encryption --no-print-statistics source file://target';

test('a limit of open files that is too low is told, wherever a backup meets it', async t => {
  const program = setUp(t);
  let failed = 0;
  for (const limit of [21, 22, 24, 40, 50]) {
    const result = await shell(program, `ulimit -n ${limit}; ${full}`);
    if (result.status === 0) continue; // it depends on what is loaded at once
    assertTold(result, 'the limit of open files is too low');
    failed++;
  }
  assert.ok(failed > 0);
});

test('a source whose files can not be opened for want of handles stops the backup', async t => {
  const program = setUp(t);
  const { options, fail } = createSleepingSource(program);
  fail({ code: 'EMFILE', match: 'file 7', calls: ['openSync'] });
  const words = ['full', '--no-encryption', 'source', 'file://target'];
  assertTold(await program.run(words, options), 'the limit of open files is too low');
});

test('standard output that can not be written to is told', async t => {
  if (!existsSync('/dev/full')) return t.skip('no /dev/full here');
  const program = setUp(t);
  expectStatus(await shell(program, full));
  for (const words of [
    'list-current-files file://target',
    'collection-status file://target',
    'verify file://target source',
    'restore --json file://target out',
    'full --json --no-encryption source file://other',
    '--help',
    '--version',
  ]) {
    const result = await shell(program, `tsbackup ${words} > /dev/full`);
    assertToldOnly(
      result,
      'standard output can not be written to (listings, `check`, `verify`, `--json`, `--help`; a backup or restore goes on)',
    );
  }
  expectStatus(await shell(program, 'tsbackup verify file://other source'));
  const codes = await shell(
    program,
    'tsbackup verify --duplicity-exit-codes file://target source >/dev/full',
  );
  expectStatus(codes, 30);
  for (const silent of [
    'full --no-encryption source file://third > /dev/full',
    'verify file://third source >&-',
  ]) {
    const { stderr } = expectStatus(await shell(program, `tsbackup ${silent}`));
    assert.equal(stderr, '');
  }
  expectStatus(await shell(program, 'tsbackup list-current-files file://target >&-'));
});

test('a target that is mounted read-only is told', async t => {
  if (!needRoot(t, 'only root can mount a disk')) return;
  const program = setUp(t);
  const disk = mkdtempSync(join(tmpdir(), 'tsb-disk-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', disk]);
  t.after(() => {
    if (status === 0) spawnSync('umount', [disk]);
    rmdirSync(disk);
  });
  if (status !== 0) return t.skip('mounting is not allowed here');
  const result = await program.run(['full', '--no-encryption', 'source', `file://${disk}`]);
  assertToldOnly(result, 'the target is mounted read-only');
});

test('a quota that is used up, and a file system that takes no large files, are told', async t => {
  const program = setUp(t);
  const { options, fail } = createSleepingSource(program);
  mkdirSync(join(program.home, 'target'));
  const words = ['full', '--no-encryption', 'source', `file://${program.home}/target`];
  for (const [code, what] of [
    ['EDQUOT', 'the quota at the target is used up'],
    ['EFBIG', 'the target takes no file as large as a volume (FAT: 4 GiB)'],
  ] as const) {
    fail({ code, match: join(program.home, 'target'), calls: ['open'] });
    assertToldOnly(await program.run(words, options), what);
  }
});

test('--duplicity-exit-codes gives the statuses that scripts know', async t => {
  const program = setUp(t);
  const run = async (...words: string[]) => (await program.run([...words, '--duplicity-exit-codes'])).status;
  const plain = '--no-encryption';
  assert.equal(await run('incremental', plain, 'source', 'file://target'), 17);
  assert.equal(await run('full', plain, 'gone', 'file://target'), 13);
  assert.equal(await run('full', plain, 'source', 'file://target'), 0);
  assert.equal(await run('full', '--nonsense'), 2);
  assert.equal(await run('restore', 'file://target', 'source'), 11);
  assert.equal(await run('restore', '-r', 'nope', 'file://target', 'out'), 19);
  assert.equal(await run('restore', 'file://nowhere', 'out'), 50);
  mkdirSync(join(program.home, 'other'));
  assert.equal(await run('incremental', plain, 'other', 'file://target'), 42);
  writeFileSync(join(program.home, 'source/file 1'), 'changed');
  assert.equal(await run('verify', '--compare-data', 'file://target', 'source'), 1);
  assert.equal((await program.run(['verify', '--compare-data', 'file://target', 'source'])).status, 4);
});

test('scripts that ask whether there is a first backup are told that there is none, where no target is', async t => {
  const program = setUp(t);
  const ask = (...words: string[]) => program.run(['collection-status', 'file://target', ...words]);
  const { stdout, stderr } = expectStatus(await ask('--duplicity-exit-codes'));
  assert.match(stdout, /^No backup chains with active signatures found\nNo orphaned or incomplete/m);
  assert.match(stderr, /^Warning: the target target does not exist/);
  const ours = await ask();
  assert.equal(ours.status, 13);
  assert.equal(ours.stdout, '');
});

test('a limit of open files that is too low for the threads of a restore is told', async t => {
  const program = setUp(t);
  writeFileSync(join(program.home, 'source/large'), createRandom(7).bytes(6_000_000)); // worth a thread
  expectStatus(await shell(program, full));
  for (const limit of [20, 21, 22]) {
    const result = await shell(program, `ulimit -n ${limit}; tsbackup restore file://target out-${limit}`);
    const nodeFailed = [
      `open '${cliPath}'`,
      'Cannot load externalized builtin',
      'Cannot read package config',
    ]; // before our code began
    if (result.status === 0 || nodeFailed.some(text => result.stderr.includes(text))) continue;
    assertTold(result, 'the limit of open files is too low');
  }
  expectStatus(await shell(program, 'tsbackup restore file://target out'));
});
