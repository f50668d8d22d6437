#!/usr/bin/env node
/**
 * argv → command; the real clock, random bytes, terminal and signals; sets the exit status. What is cheap comes first,
 * so that `--version` costs no more than Node itself.
 */

import { availableParallelism } from 'node:os';
import { rawWords } from './cli/raw-words.ts';
import { cannotWrite } from './cli/standard-output.ts';
import { isDuplicity, versionLine } from './cli/version.ts';
import { packThreadPlace } from './engine/pack-thread.ts';
import { restoreThreadPlace } from './engine/restore-start.ts';
import { messageOf, systemCode, tooManyFiles } from './errors.ts';

// Whoever closes our output (`| head`) has the right to; a backup goes on without a listener. See also main.ts.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
process.on('unhandledRejection', reason => {
  process.stderr.write(
    `Error: ${messageOf(reason)} (this is a fault of tsbackup itself; please report it)\n`,
  );
  process.exit(1);
});

/** Ends a process that hangs in a system call (a dead network drive): process.exit() would wait for it too. */
function kill(): void {
  process.stderr.write('A system call does not come back; the process is killed.\n');
  process.kill(process.pid, 'SIGKILL');
}

function killAfter(ms: number): void {
  setTimeout(kill, ms).unref();
}

/** How long what is left of a run may take to end by itself. */
const PATIENCE_MS = 5000;
/** What a library may leave behind that process.exit() does not wait for: what a run came to must not depend on it. */
const HARMLESS = /^(Timeout|Immediate|(TCPSocket|TCPConnect|TLS|Pipe|TTY|Write|Shutdown)Wrap)$/;
const HANG_UP = 129;

// Set before libuv starts its threads: more of them than processors would only cost memory.
const cores = availableParallelism();
process.env.UV_THREADPOOL_SIZE ??= String(Math.min(8, Math.max(2, cores)));

const argv = rawWords(process.argv.slice(2));
const packageFile = new URL('../../package.json', import.meta.url); // two folders above the compiled file
const program = process.argv[1];
const shown = versionLine(argv, program, packageFile);
if (shown === undefined) void run();
else {
  process.stdout.write(shown, error => {
    if (!error || systemCode(error) === 'EPIPE') return;
    process.stderr.write(`Error: ${cannotWrite(error).message}\n`);
    process.exitCode = 1;
  });
}

async function load() {
  const { main } = await import('./cli/main.ts');
  return { main, version: versionLine(['--version'], program, packageFile)!.trimEnd() };
}

async function run(): Promise<void> {
  const { main, version } = await load().catch(error => {
    process.stderr.write(`Error: ${messageOf(tooManyFiles(error) ?? error)}\n`);
    return process.exit(1);
  });
  const surroundings = {
    version,
    isDuplicity: isDuplicity(program),
    exit: process.exit,
    killAfter,
    cores,
  };
  process.exitCode = await main(argv, surroundings);
  await packThreadPlace.take()?.end(); // started for a run that did not come to it
  await restoreThreadPlace.take()?.end();
  // Node aborts when it would give back a terminal that is gone; so this ends as the signal itself would end it.
  if (process.exitCode === HANG_UP) process.kill(process.pid, 'SIGHUP');
  setTimeout(() => {
    if (process.getActiveResourcesInfo().every(left => HARMLESS.test(left))) process.exit();
    kill();
  }, PATIENCE_MS).unref();
}
