/** `--pre-command` and `--post-command`. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';

function setUp(t: TestContext) {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  const words = (...options: string[]) => ['full', '--no-encryption', ...options, 'source', 'file://target'];
  const read = (name: string) => readFileSync(join(program.home, name), 'utf8');
  return { program, words, read };
}

test('the commands run before and after a backup, and know of what but no secret', async t => {
  const { program, words, read } = setUp(t);
  const pre = 'echo "$TSBACKUP_ACTION $TSBACKUP_SOURCE $TSBACKUP_URL" > pre; touch source/made; echo said';
  const post = 'echo "$TSBACKUP_STATUS $PASSPHRASE." > post';
  const options = ['--pre-command', pre, '--post-command', post, '-v', 'info'];
  const { stdout } = expectStatus(await program.run(words(...options), { passphrase: 'secret' }));
  assert.equal(read('pre'), 'full source file://target\n');
  assert.equal(read('post'), '0 .\n');
  assert.match(stdout, /^said$/m);
  const listed = await program.run(['list-current-files', 'file://target']);
  assert.match(listed.stdout, /made/, 'what the first one made is in the backup');
});

test('a command that fails before a backup stops it while nothing is stored', async t => {
  const { program, words } = setUp(t);
  const result = await program.run(words('--pre-command', 'exit 7', '--post-command', 'touch post'));
  assert.equal(expectStatus(result, 1).stderr, 'Error: the command of --pre-command ended with status 7\n');
  assert.ok(!existsSync(join(program.home, 'target')) && !existsSync(join(program.home, 'post')));
});

test('a command that fails after a backup is told, and seen in the exit status', async t => {
  const { program, words, read } = setUp(t);
  const result = await program.run(words('--post-command', 'exit 7'));
  assert.match(
    expectStatus(result, 1).stderr,
    /^Warning: the command of --post-command ended with status 7$/m,
  );
  expectStatus(await program.run(['verify', 'file://target', 'source']));
  const failing = [
    'full',
    '--no-encryption',
    '--post-command',
    'echo "$TSBACKUP_STATUS $TSBACKUP_ERROR" > post',
  ];
  expectStatus(await program.run([...failing, 'absent', 'file://target']), 75);
  assert.match(read('post'), /^75 .*absent/);
});

test('a signal ends the command too, with all that it has started', async t => {
  const { program, words, read } = setUp(t);
  const running = program.start(words('--pre-command', 'sleep 1000 & echo $! > new; mv new pid; wait'));
  while (!existsSync(join(program.home, 'pid'))) await sleep(10);
  running.kill('SIGTERM');
  assert.equal((await running.done).status, 143);
  const line = `/proc/${read('pid').trim()}/cmdline`;
  const isAlive = () => existsSync(line) && readFileSync(line, 'latin1') !== ''; // a zombie's is empty
  const pid = Number(read('pid'));
  t.after(() => isAlive() && process.kill(pid, 'SIGKILL'));
  for (let i = 0; isAlive() && i < 1000; i++) await sleep(10);
  assert.ok(!isAlive());
});

test('a command may leave something in the background, which is not waited for', async t => {
  const { program, words, read } = setUp(t);
  const pre = '(sleep 100; touch late) & echo $! > pid; echo mounted';
  const { stdout } = expectStatus(await program.run(words('--pre-command', pre, '-v', 'info')));
  assert.match(stdout, /^mounted$/m);
  process.kill(Number(read('pid')), 'SIGKILL'); // which throws if it has ended
});

test('the commands know of no secret that a profile takes from the environment', async t => {
  const { program, read } = setUp(t);
  const config = join(program.home, '.config', 'tsbackup');
  mkdirSync(config, { recursive: true });
  writeFileSync(
    join(config, 'p.toml'),
    `source = "${program.home}/source"\ntarget = "file://${program.home}/target"\npassphrase-env = "MINE"\n
[options]\npre-command = "cd '${program.home}'; echo \\"<$MINE>\\" > pre"\n`,
  );
  expectStatus(await program.run(['run', 'p'], { env: { MINE: 'topsecret' } }));
  assert.equal(read('pre'), '<>\n');
});
