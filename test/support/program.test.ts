/** Node's own -p stands in for the program, so that this holds whatever the program does. */

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';
import { runProgram } from './processes.ts';
import { cliPath, createProgram } from './program.ts';
import { tempDir } from './temp-dir.ts';

const shows = (expression: string) => ({ nodeArgs: ['-p', `JSON.stringify(${expression})`] });

test('createProgram() runs the compiled program in a home of its own, with the passphrase in its environment', async t => {
  const program = createProgram(t);
  const expression = '[process.argv.slice(1), process.env]';
  const { status, stdout } = await program.run(['full', 'a b'], {
    ...shows(expression),
    passphrase: 'secret',
  });
  const [args, env] = JSON.parse(stdout);
  assert.equal(status, 0);
  assert.deepEqual(args, [cliPath, 'full', 'a b']);
  assert.deepEqual([basename(dirname(dirname(cliPath))), basename(cliPath)], ['dist', 'cli.js']);
  assert.equal(env.PASSPHRASE, 'secret');
  assert.equal(env.HOME, program.home);
  assert.ok(env.XDG_CACHE_HOME.startsWith(program.home));
  assert.notEqual(env.HOME, process.env.HOME);
});

test('createProgram() runs it as another user, who owns the home', async t => {
  if (process.getuid?.() !== 0) return t.skip('needs root');
  const program = createProgram(t, 65534);
  const { stdout } = await program.run([], shows('[process.getuid(), process.getgid()]'));
  assert.deepEqual(JSON.parse(stdout), [65534, 65534]);
  assert.equal(statSync(program.home).uid, 65534);
});

test('createProgram() starts a run that can be killed on its way', async t => {
  const running = createProgram(t).start([], {
    nodeArgs: ['-e', 'setInterval(() => {}, 1000); console.log("up")'],
  });
  await new Promise(resolve => running.child.stdout!.once('data', resolve));
  running.kill('SIGKILL');
  const result = await running.done;
  assert.deepEqual([result.status, result.signal, result.stdout], [null, 'SIGKILL', 'up\n']);
});

test('runProgram() kills a program and its children after the timeout', async t => {
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin' };
  const options = { env, cwd: tempDir(t), timeoutMs: 200 };
  await assert.rejects(runProgram('sh', ['-c', 'sleep 30 & wait'], options), /took over 200 ms/);
  await assert.rejects(runProgram('sh', ['-c', 'sleep 30 &'], options), /took over 200 ms/);
});

test('runProgram() gives input and environment, and nothing else', async () => {
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', WORD: 'given' };
  const script = 'cat; echo $WORD $HOME; echo told >&2; exit 7';
  const result = await runProgram('sh', ['-c', script], { env, input: 'in\n' });
  assert.deepEqual([result.status, result.stdout, result.stderr], [7, 'in\ngiven\n', 'told\n']);
});
