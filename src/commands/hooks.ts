/**
 * Commands of the user's before and after a backup: to mount a drive, to dump a database, to take a snapshot. One that
 * fails before it stops the run while nothing is stored yet; one after it is run however the backup ended.
 */

import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { BackupError, describeFailure, exitStatus, messageOf, statusOf } from '../errors.ts';
import type { Host } from './host.ts';

export interface Hooks {
  /** Shell commands; undefined: none. */
  readonly pre: string | undefined;
  readonly post: string | undefined;
  /** What the commands are told, besides the environment without its secrets. */
  readonly facts: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** More variables that hold secrets. */
  readonly secret: readonly string[];
}

/** Not for the eyes of others. */
const secrets = ['PASSPHRASE', 'SIGN_PASSPHRASE', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
/** For what the command has said to come through, when somebody it has left in the background may yet say something. */
const LAST_WORDS_MS = 500;
/** What an interrupted run leaves to the command after it; and one that the watchdog has ended. */
const HURRY_MS = 3000;
const AFTER_STALL_MS = 30_000;

/**
 * @returns the exit status of the work; `failed` if it is 0 and the command after it fails
 * @throws BackupError `hook-failed`, and what the work throws
 */
export async function withHooks(hooks: Hooks, host: Host, work: () => Promise<number>): Promise<number> {
  if (hooks.pre !== undefined) await runHook('--pre-command', hooks.pre, hooks, host);
  let failure: unknown;
  let status: number;
  try {
    status = await work();
  } catch (error) {
    failure = error ?? new Error('it failed');
    status = statusOf(error);
  }
  if (hooks.post !== undefined) {
    const facts = {
      ...hooks.facts,
      TSBACKUP_STATUS: String(status),
      ...(failure !== undefined && { TSBACKUP_ERROR: describeFailure(failure) }),
    };
    try {
      await runHook('--post-command', hooks.post, { ...hooks, facts }, host);
    } catch (error) {
      const message = messageOf(error);
      host.reporter.report({ level: 'warning', code: 'hook-failed', message, facts: { status } });
      if (status === exitStatus.done) status = exitStatus.failed;
    }
  }
  if (failure !== undefined) throw failure;
  return status;
}

async function runHook(option: string, command: string, hooks: Hooks, host: Host): Promise<void> {
  const { reporter, signal, interrupted, watchdog } = host;
  const untold = [...secrets, ...hooks.secret];
  const kept = Object.entries(hooks.environment).filter(([name]) => !untold.includes(name));
  const env = { ...Object.fromEntries(kept), ...hooks.facts };
  const resume = watchdog.pause(); // it takes as long as it takes
  reporter.report({ level: 'info', code: 'hook', message: `the command of ${option} begins` });
  // In a group of its own, so that what it starts ends with it.
  const child = spawn('/bin/sh', ['-c', command], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = () => {
    try {
      process.kill(-child.pid!, 'SIGTERM');
    } catch {} // it has ended
  };
  const left = interrupted.aborted ? HURRY_MS : AFTER_STALL_MS;
  const hurry = signal.aborted ? setTimeout(end, left) : undefined;
  if (!hurry) signal.addEventListener('abort', end, { once: true });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', message => {
      reporter.report({ level: 'info', code: 'hook', message: message.slice(0, 1000) });
    });
  }
  try {
    const how = await new Promise<string | undefined>(resolve => {
      child.once('error', error => resolve(`could not be started: ${error.message}`));
      const ended = (code: number | null, killed: string | null) =>
        resolve(code === 0 ? undefined : `ended with ${killed ?? `status ${code}`}`);
      child.once('close', ended);
      child.once('exit', (...how) => setTimeout(ended, LAST_WORDS_MS, ...how).unref());
    });
    // What it has left in the background may go on to speak, and is not waited for.
    for (const stream of [child.stdout, child.stderr]) (stream as Socket).unref();
    if (!hurry) signal.throwIfAborted();
    if (how !== undefined) throw new BackupError('hook-failed', `the command of ${option} ${how}`);
  } finally {
    clearTimeout(hurry);
    signal.removeEventListener('abort', end);
    resume();
  }
}
