/** Where the passphrase comes from, as a user gives it: file, command, environment, terminal; and where it never goes. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { assertToldOnly } from '../commands/troubles.ts';
import { expectStatus, type RunResult, runProgram } from '../support/processes.ts';
import { cliPath, createProgram, type Program } from '../support/program.ts';
import { needTool } from '../support/tools.ts';

const SECRET = 'gr\u00fcner Wald, 17 B\u00e4ume';

function setUp(t: TestContext): { program: Program; url: string } {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  writeFileSync(join(program.home, 'source/file'), 'content');
  return { program, url: 'file://target' };
}

async function assertOpens(program: Program, url: string, passphrase: string): Promise<void> {
  const { stdout } = expectStatus(
    await program.run(['verify', '--compare-data', url, 'source'], { passphrase }),
  );
  assert.match(stdout, /2 files compared, 0 differences/);
}

test('what is too long to be a secret is refused before all of it is in memory', async t => {
  const { program, url } = setUp(t);
  const long = `${SECRET}\n${'x'.repeat(2 << 20)}`;
  writeFileSync(join(program.home, 'image'), long);
  const told = 'more than 1048576 bytes, which is no secret';
  const file = await program.run(['full', '--passphrase-file', 'image', 'source', url]);
  assert.equal(expectStatus(file, 2).stderr, `Error: cannot read the passphrase file: ${told}\n`);
  const command = await program.run(['full', '--passphrase-command', 'yes | head -c 3000000', 'source', url]);
  assert.equal(expectStatus(command, 2).stderr, `Error: the passphrase command: ${told}\n`);
});

test('--passphrase-file gives the first line of a file, whatever ends it', async t => {
  const { program, url } = setUp(t);
  const file = join(program.home, 'pass');
  writeFileSync(file, `${SECRET}\nnot this\n`);
  expectStatus(
    await program.run(['full', '--passphrase-file', 'pass', 'source', url], { passphrase: 'not this' }),
  );
  await assertOpens(program, url, SECRET);
  writeFileSync(file, SECRET);
  expectStatus(await program.run(['--passphrase-file', file, 'source', url]));
  await assertOpens(program, url, SECRET);
});

test('a passphrase that nobody could type begins no archive, but opens what there is', async t => {
  const { program, url } = setUp(t);
  const file = join(program.home, 'pass');
  const words = ['--passphrase-file', 'pass', 'source', url];
  for (const [text, told] of [
    ['sec\0ret\n', /has a NUL byte/],
    ['secret\r\n', /ends with a carriage return/],
    ['\ufeffsecret\n', /begins with a byte order mark/],
  ] as const) {
    writeFileSync(file, text);
    assert.match(expectStatus(await program.run(['full', ...words]), 2).stderr, told);
  }
  expectStatus(await program.run(['full', 'source', url], { passphrase: 'secret\r' }), 2);
  writeFileSync(file, 'secret\n');
  expectStatus(await program.run(['full', ...words]));
  writeFileSync(file, 'secret\r\n');
  expectStatus(await program.run(words), 12);
});

test('a key that is not there is told before anybody is asked for a passphrase', async t => {
  if (!needTool(t, 'gpg')) return;
  const { program, url } = setUp(t);
  const result = await program.run(['full', '--sign-key', 'nobody@example.org', 'source', url]);
  assert.equal(result.status, 2);
  assert.match(result.stderr, /^Error: gpg's keyring has no key nobody@example\.org/m);
});

test('--passphrase-command gives the first line that a shell command prints', async t => {
  const { program, url } = setUp(t);
  const command = 'printf \'%s\\nmore\\n\' "$HIDDEN"';
  const words = ['full', '--passphrase-command', command, 'source', url];
  expectStatus(await program.run(words, { env: { HIDDEN: SECRET }, passphrase: 'not this' }));
  await assertOpens(program, url, SECRET);
});

test('a PASSPHRASE that is not UTF-8 is refused, because Node does not give its bytes', async t => {
  const { program } = setUp(t);
  const line = `PASSPHRASE=$(printf 'gr\\374n') '${process.execPath}' '${cliPath}' full source file://target`;
  const result = await runProgram('bash', ['-c', line], { env: program.env, cwd: program.home });
  assert.equal(result.status, 2);
  assert.match(result.stderr, /^Error: .*PASSPHRASE is not UTF-8; use --passphrase-file.*\n$/);
  assert.ok(!readdirSync(program.home).includes('target'));
});

test('a passphrase file or command that gives none is told', async t => {
  const { program, url } = setUp(t);
  const run = (...words: string[]) => program.run([...words, 'source', url], { passphrase: 'not used' });
  writeFileSync(join(program.home, 'empty'), '\nsecond line\n');
  assertToldOnly(await run('full', '--passphrase-file', 'absent'), 'the passphrase file can not be read');
  assertToldOnly(await run('full', '--passphrase-file', 'empty'), 'the passphrase is empty');
  assertToldOnly(
    await run('full', '--passphrase-command', `echo ${SECRET}; exit 3`),
    'the passphrase command fails',
  );
  assertToldOnly(await run('full', '--passphrase-command', 'true'), 'the passphrase is empty');
  assert.ok(!readdirSync(program.home).includes('target'));
});

/** Runs our program on a terminal of its own, and types `answers`, one after each question. */
function runOnTerminal(
  program: Program,
  words: readonly string[],
  answers: readonly string[],
): Promise<RunResult> {
  const script = `
import os, pty, sys
answers = ${JSON.stringify(answers)}
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b''
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    while answers and (b'Passphrase of the backup: ' in seen or b'once more: ' in seen):
        sys.stdout.buffer.write(seen)
        seen = b''
        os.write(terminal, answers.pop(0).encode() + b'\\r')
sys.stdout.buffer.write(seen)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
  const args = ['-c', script, process.execPath, cliPath, ...words];
  return runProgram('python3', args, { env: program.env, cwd: program.home, timeoutMs: 30_000 });
}

test('a backup asks for the passphrase twice on the terminal, until both are the same, and shows none', async t => {
  if (!needTool(t, 'python3')) return;
  const { program, url } = setUp(t);
  const typed = [SECRET, 'a slip', '', SECRET, SECRET];
  const result = expectStatus(await runOnTerminal(program, ['full', 'source', url], typed));
  assert.equal(result.stdout.match(/Passphrase of the backup: /g)!.length, 3);
  assert.match(result.stdout, /The two differ; once more\./);
  assert.match(result.stdout, /An empty passphrase would protect nothing; once more\./);
  assert.ok(!result.stdout.includes('slip') && !result.stdout.includes('Wald'));
  await assertOpens(program, url, SECRET);
});

test('a restore, and a backup to a target with backups, ask once', async t => {
  if (!needTool(t, 'python3')) return;
  const { program, url } = setUp(t);
  expectStatus(await program.run(['full', 'source', url], { passphrase: SECRET }));
  for (const words of [
    ['restore', url, 'out'],
    ['source', url],
  ]) {
    const result = expectStatus(
      await runOnTerminal(program, words, [`wrong\u007f\u007f\u007f\u007f\u007f${SECRET}`]),
    );
    assert.equal(result.stdout.match(/Passphrase of the backup: /g)!.length, 1);
    assert.ok(!result.stdout.includes('once more'));
  }
  assert.equal(readFileSync(join(program.home, 'out/file'), 'latin1'), 'content');
  const wrong = await runOnTerminal(program, ['source', url], ['wrong']);
  assert.equal(wrong.status, 12);
  const given = await runOnTerminal(program, ['source', url], ['\u0004']);
  assert.equal(given.status, 12);
  assert.match(given.stdout, /Error: no passphrase was given/);
  const ended = await runOnTerminal(program, ['source', url], ['\u0003']);
  assert.equal(ended.status, 130);
  assert.match(ended.stdout, /Interrupted; earlier backups stay/);
});

test('the passphrase is in no output, no file and no command line', async t => {
  const { program, url } = setUp(t);
  const outputs: string[] = [];
  for (const words of [
    ['full', 'source', url],
    ['source', url],
    ['verify', url, 'source'],
    ['restore', url, 'out'],
    ['list-current-files', url],
    ['full', '--archive-dir', '/proc/none', 'source', url],
  ]) {
    const { stdout, stderr } = await program.run([...words, '-v', 'debug'], { passphrase: SECRET });
    outputs.push(stdout, stderr);
  }
  assert.ok(outputs.every(text => !text.includes('Wald')));
  const { status } = spawnSync('grep', ['-r', '-q', '-a', '-e', 'Wald', program.home]);
  assert.equal(status, 1, 'grep finds it nowhere');
});
