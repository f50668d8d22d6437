/** One invocation from argv to exit status: the host for the command, its errors as one line, signals. */

import { randomBytes } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../commands/host.ts';
import { createWatchdog, type Watchdog } from '../commands/watchdog.ts';
import { BackupError, exitStatus, messageOf, systemCode, tooManyFiles, traitsOf } from '../errors.ts';
import { dispatch } from './dispatch.ts';
import { asDuplicity, duplicityStatusOf } from './duplicity-status.ts';
import { type Action, actions } from './options.ts';
import { type Invocation, parseCommandLine } from './parse.ts';
import { askOnTerminal, createPassphraseSource, createSignPassphraseSource } from './passphrase.ts';
import type { ProgressDisplay } from './progress.ts';
import { createTextReporter } from './reporters.ts';

const NOTICE = 3;
const DEBUG = 9;

export interface Surroundings {
  readonly version: string;
  /** Whether we were called by the name of duplicity, whose exit statuses are then ours. */
  readonly isDuplicity: boolean;
  /** Ends the process at once. */
  exit(status: number): never;
  /** Ends it in so many milliseconds, whatever hangs. */
  killAfter(ms: number): void;
}

/** @returns the exit status */
export async function main(
  argv: readonly string[],
  { version, isDuplicity, exit, killAfter }: Surroundings,
): Promise<number> {
  let verbosity = NOTICE;
  let progress: ProgressDisplay | undefined;
  let action: Action | undefined;
  let watchdog: Watchdog | undefined;
  let asDuplicityDoes = isDuplicity;
  const translated = (status: number) => (asDuplicityDoes ? asDuplicity(status) : status);
  const interruption = listenForSignals();
  try {
    const invocation = parseCommandLine(argv, version, text => process.stdout.write(text));
    if (!invocation) return exitStatus.done;
    action = invocation.action;
    asDuplicityDoes ||= invocation.values['duplicity-exit-codes'] === true;
    if (printsData(action)) {
      process.stdout.once('error', error => {
        if (systemCode(error) === 'EPIPE') exit(exitStatus.done); // nobody wants more
        process.stderr.write(`Error: can't write to standard output: ${messageOf(error)}\n`);
        exit(exitStatus.failed);
      });
    }
    verbosity = (invocation.values.verbosity as number | undefined) ?? NOTICE;
    if (invocation.values.progress === true) {
      const { createProgressDisplay } = await import('./progress.ts');
      progress = await createProgressDisplay(process.stderr, Date.now);
    }
    watchdog = createWatchdog(stallTimeoutMs(invocation));
    watchdog.signal.addEventListener('abort', () => killAfter(END_IN_ORDER_MS));
    const host = createHost(invocation, verbosity, interruption, watchdog, progress);
    const status = await dispatch(invocation, host);
    progress?.stop();
    return translated(interruption.status() ?? status);
  } catch (error) {
    progress?.stop();
    const interrupted = interruption.status();
    if (interrupted !== undefined) {
      process.stderr.write(`Interrupted${whatStays(action)}.\n`);
      return translated(interrupted);
    }
    const first = watchdog?.signal.aborted ? watchdog.signal.reason : (tooManyFiles(error) ?? error);
    process.stderr.write(`Error: ${describe(first)}\n`);
    if (verbosity >= DEBUG && first instanceof Error) process.stderr.write(`${first.stack}\n`);
    if (asDuplicityDoes) return duplicityStatusOf(first);
    return first instanceof BackupError ? traitsOf(first.code).exit : exitStatus.failed;
  } finally {
    watchdog?.close();
    interruption.close();
  }
}

const STALL_TIMEOUT_SECONDS = 1800;
/** How long a run that is ended because it hangs may take to do so in order. */
const END_IN_ORDER_MS = 150_000;

function stallTimeoutMs({ values }: Invocation): number {
  return ((values['stall-timeout'] as number | undefined) ?? STALL_TIMEOUT_SECONDS) * 1000;
}

function printsData(name: Action): boolean {
  return actions.find(({ action }) => action === name)!.dataOnStdout;
}

function whatStays(action: Action | undefined): string {
  if (action === 'restore') return '; what was restored so far stays';
  const isBackup = action === 'full' || action === 'incremental' || action === 'backup';
  return isBackup ? '; earlier backups stay as they are, and the next run continues this one' : '';
}

/** One line: a BackupError says it all; anything else was not foreseen and names itself. */
function describe(error: unknown): string {
  const text = messageOf(error).replaceAll('\n', ' ');
  return error instanceof BackupError ? text : `${text} (unexpected; -v debug shows where)`;
}

function createHost(
  invocation: Invocation,
  verbosity: number,
  interruption: Interruption,
  watchdog: Watchdog,
  progress: ProgressDisplay | undefined,
): Host {
  const { values } = invocation;
  const signal = AbortSignal.any([interruption.signal, watchdog.signal]);
  const unwatched = async <T>(work: () => Promise<T>): Promise<T> => {
    const resume = watchdog.pause();
    try {
      return await work();
    } finally {
      resume();
    }
  };
  const passphrase = createPassphraseSource(
    {
      passphraseFile: values['passphrase-file'] as string | undefined,
      passphraseCommand: values['passphrase-command'] as string | undefined,
    },
    process.env,
    askOnTerminal,
  );
  const reporter = createTextReporter({
    verbosity,
    notices: printsData(invocation.action) ? process.stderr : process.stdout,
    alerts: process.stderr,
    progress,
  });
  return {
    now: clockOf(values['current-time'] as string | undefined),
    sleep: ms => unwatched(() => sleep(ms, undefined, { signal })),
    pause(ms) {
      interruption.whileUnheard(() => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms));
    },
    random: size => randomBytes(size),
    hostname,
    reporter,
    print: printTo(process.stdout),
    passphrase: confirm => unwatched(() => passphrase(confirm)),
    signPassphrase: createSignPassphraseSource(process.env, confirm => unwatched(() => passphrase(confirm))),
    watchdog,
    signal,
    cores: availableParallelism(),
  };
}

/** @param start seconds since 1970 that it is to be now; default the system's time */
function clockOf(start: string | undefined): () => number {
  if (start === undefined) return () => Date.now() / 1000;
  if (!/^\d{1,11}$/.test(start))
    throw new BackupError('usage', `--current-time takes seconds since 1970, not '${start}'`);
  const began = Date.now();
  return () => Number(start) + (Date.now() - began) / 1000;
}

function printTo(stream: NodeJS.WritableStream): (text: string | Uint8Array) => Promise<void> {
  return text =>
    new Promise(resolve => {
      stream.write(text, () => resolve()); // called too when nobody listens any more
    });
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

interface Interruption {
  readonly signal: AbortSignal;
  status(): number | undefined;
  /** Work that holds up the event loop: a signal ends the process meanwhile, as it does by nature. */
  whileUnheard(work: () => void): void;
  close(): void;
}

/** The first signal asks the run to end in order, the second ends it at once. */
function listenForSignals(): Interruption {
  const controller = new AbortController();
  let status: number | undefined;
  const handlers = Object.entries(signalNumbers).map(([name, number]) => {
    const handler = () => {
      if (status !== undefined) {
        close();
        process.kill(process.pid, name); // not process.exit(), which waits for threads that may hang
      }
      status = 128 + number;
      controller.abort(new BackupError('interrupted', `ended by ${name}`));
    };
    return [name, handler] as const;
  });
  const open = () => {
    for (const [name, handler] of handlers) process.on(name, handler);
  };
  const close = () => {
    for (const [name, handler] of handlers) process.off(name, handler);
  };
  open();
  return {
    signal: controller.signal,
    status: () => status,
    whileUnheard(work) {
      close();
      try {
        work();
      } finally {
        open();
      }
    },
    close,
  };
}
