#!/usr/bin/env node
/**
 * argv → command; the real clock, random bytes, terminal and signals; sets the exit status. What is cheap comes first,
 * so that `--version` costs no more than Node itself.
 */

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { rawWords } from './cli/raw-words.ts';
import { messageOf, tooManyFiles } from './errors.ts';

/** The version in package.json, two folders above the compiled file. */
function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

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
function killAfter(ms: number): void {
  setTimeout(() => {
    process.stderr.write('A system call does not come back; the process is killed.\n');
    process.kill(process.pid, 'SIGKILL');
  }, ms).unref();
}

/** How long what is left of a run may take to end by itself. */
const PATIENCE_MS = 5000;
const HANG_UP = 129;

// Set before libuv starts its threads: more of them than processors would only cost memory.
const cores = availableParallelism();
process.env.UV_THREADPOOL_SIZE ??= String(Math.min(8, Math.max(2, cores)));

const argv = rawWords(process.argv.slice(2));
/** Called by that name, through a link, we speak to its wrappers as it would: they read the version. */
const isDuplicity = basename(process.argv[1] ?? '') === 'duplicity';
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(isDuplicity ? 'duplicity 0.8.22\n' : `tsbackup ${version()}\n`);
} else {
  void run();
}

async function run(): Promise<void> {
  const { main } = await import('./cli/main.ts').catch(error => {
    process.stderr.write(`Error: ${messageOf(tooManyFiles(error) ?? error)}\n`);
    return process.exit(1);
  });
  const surroundings = { version: version(), isDuplicity, exit: process.exit, killAfter, cores };
  process.exitCode = await main(argv, surroundings);
  // Node aborts when it would give back a terminal that is gone; so this ends as the signal itself would end it.
  if (process.exitCode === HANG_UP) process.kill(process.pid, 'SIGHUP');
  killAfter(PATIENCE_MS);
}
