/** Runs that wait for what somebody else is to write: a signal ends them at once, and what they have started. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemCode } from '../../src/errors.ts';
import { expectStatus, type Running, startProgram } from '../support/processes.ts';
import { cliPath, createProgram, type Program } from '../support/program.ts';

function setUp(t: TestContext): { program: Program; fifo: string } {
  const program = createProgram(t);
  const fifo = join(program.home, 'fifo');
  mkdirSync(join(program.home, 'source'));
  execFileSync('mkfifo', [fifo]);
  return { program, fifo };
}

/** Its end for writing, when somebody waits at the other one. */
async function readerOf(fifo: string): Promise<number> {
  for (;;) {
    try {
      return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (systemCode(error) !== 'ENXIO') throw error;
      await sleep(10);
    }
  }
}

/** Where it does not, the program gives it up after seconds, and then the signal ends it instead of a status. */
async function assertEndsAtOnce(running: Running): Promise<void> {
  running.child.kill('SIGTERM');
  const { status, stderr } = await running.done;
  assert.equal(status, 143, stderr);
  assert.match(stderr, /^Interrupted/);
}

const options = { passphrase: 'x', timeoutMs: 60_000 };

test('a signal ends a run that waits for a passphrase file or a list', async t => {
  const { program, fifo } = setUp(t);
  expectStatus(await program.run(['full', 'source', 'file://there'], options));
  for (const words of [
    ['full', '--passphrase-file', fifo, 'source', 'file://target'],
    ['full', '--exclude-filelist', fifo, 'source', 'file://target'],
    ['restore', '--passphrase-file', fifo, 'file://there', 'out'],
  ]) {
    const running = program.start(words, options);
    const fd = await readerOf(fifo);
    await assertEndsAtOnce(running);
    closeSync(fd);
  }
  assert.ok(!existsSync(join(program.home, 'target')));
});

test('a signal ends a run that waits for a list on standard input', async t => {
  const { program, fifo } = setUp(t);
  const words = '--exclude-filelist fifo --exclude-filelist-stdin source file://target';
  const line = `exec '${process.execPath}' '${cliPath}' full ${words} 0<>silent`;
  execFileSync('mkfifo', [join(program.home, 'silent')]);
  const running = startProgram('bash', ['-c', line], {
    ...{ env: { ...program.env, PASSPHRASE: 'x' }, cwd: program.home, timeoutMs: options.timeoutMs },
  });
  closeSync(await readerOf(fifo));
  await sleep(200);
  await assertEndsAtOnce(running);
});

test('a signal ends a passphrase command, with all that it has started', async t => {
  const { program } = setUp(t);
  const command = 'sleep 47 & echo $! >pid; wait; echo never';
  const running = program.start(
    ['full', '--passphrase-command', command, 'source', 'file://target'],
    options,
  );
  const pid = join(program.home, 'pid');
  while (!existsSync(pid) || readFileSync(pid, 'latin1') === '') await sleep(10);
  await assertEndsAtOnce(running);
  const isAlive = () => {
    const line = `/proc/${readFileSync(pid, 'latin1').trim()}/cmdline`;
    return existsSync(line) && readFileSync(line, 'latin1') !== ''; // a zombie's is empty
  };
  for (let i = 0; isAlive() && i < 1000; i++) await sleep(10);
  assert.ok(!isAlive());
});

test('a pipe is read to its end, however late that comes', async t => {
  const { program, fifo } = setUp(t);
  const words = ['full', '--passphrase-file', fifo, 'source', 'file://target'];
  const running = program.start(words, { timeoutMs: options.timeoutMs });
  const fd = await readerOf(fifo);
  await sleep(50);
  writeSync(fd, 'open ');
  await sleep(50);
  writeSync(fd, 'sesame\n');
  closeSync(fd);
  expectStatus(await running.done);
  expectStatus(await program.run(['verify', 'file://target', 'source'], { passphrase: 'open sesame' }));
});
