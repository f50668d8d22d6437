/** One invocation from argv to exit status: the host for the command, its errors as one line, signals. */

import { randomBytes } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { displayLines } from '../bytes.ts';
import type { Host } from '../commands/host.ts';
import { createWatchdog, type Watchdog } from '../commands/watchdog.ts';
import { BackupError, describeFailure, exitStatus, messageOf, statusOf, tooManyFiles } from '../errors.ts';
import { provideCredentials } from '../profiles/credentials.ts';
import { readSecret, type SecretSource } from '../profiles/secrets.ts';
import type { Reporter } from '../report.ts';
import { type Action, actions } from './actions.ts';
import { stallTimeoutMs } from './common-values.ts';
import { dispatch } from './dispatch.ts';
import { asDuplicity, duplicityStatusOf, endsWithNotice } from './duplicity-status.ts';
import { createJsonOutput, type JsonOutput } from './json-output.ts';
import { type Logs, openLogs } from './logs.ts';
import { optionNames } from './options.ts';
import { type Background, type Invocation, parseCommandLine } from './parse.ts';
import { askOnTerminal, createPassphraseSource, createSignPassphraseSource } from './passphrase.ts';
import type { ProgressDisplay } from './progress.ts';
import {
  createTextReporter,
  journalMark,
  plainMark,
  stampMark,
  type TextReporterOptions,
  teeReporter,
} from './reporters.ts';
import { watchOutput } from './standard-output.ts';

const NOTICE = 3;
const DEBUG = 9;

export interface Surroundings {
  /** The line that tells it. */
  readonly version: string;
  /** Whether we were called by the name of duplicity, whose exit statuses are then ours. */
  readonly isDuplicity: boolean;
  /** Ends the process at once. */
  exit(status: number): never;
  /** Ends it in so many milliseconds, whatever hangs. */
  killAfter(ms: number): void;
  /** Processors that we may use. */
  readonly cores: number;
}

/** @returns the exit status */
export async function main(
  argv: readonly string[],
  { version, isDuplicity, exit, killAfter, cores }: Surroundings,
): Promise<number> {
  let verbosity = NOTICE;
  let progress: ProgressDisplay | undefined;
  let action: Action | undefined;
  let watchdog: Watchdog | undefined;
  let logs: Logs | undefined;
  let json: JsonOutput | undefined;
  let mark = plainMark;
  /** The last words on every channel. */
  const end = async (status: number, error?: unknown): Promise<number> => {
    isOver = true;
    const isTheirs = asDuplicityDoes && error !== undefined;
    const theirs = duplicityStatusOf(error, asDuplicityDoes ? action : undefined);
    const told = isTheirs ? theirs : translated(status);
    const words = error === undefined ? undefined : describeFailure(error);
    if (words !== undefined)
      logs?.failed(words, theirs, error instanceof BackupError ? error.code : undefined);
    logs?.ended(told);
    await json?.result(action, told, error);
    return told;
  };
  let asDuplicityDoes = isDuplicity;
  const translated = (status: number) => (asDuplicityDoes ? asDuplicity(status) : status);
  let isOver = false;
  const interruption = listenForSignals({
    giveUp(status) {
      if (isOver) return;
      process.stderr.write(`Interrupted${whatStays(action)}.\n`);
      void end(status);
    },
    reopenLogs: () => logs?.reopen(),
  });
  const failedToTell = (loss: BackupError): number => {
    process.stderr.write(`${mark('error')}${loss.message}\n`);
    return asDuplicityDoes ? duplicityStatusOf(loss, action) : statusOf(loss);
  };
  const output = watchOutput(process.stdout, loss => {
    if (action && printsData(action)) exit(loss ? failedToTell(loss) : exitStatus.done);
  });
  try {
    const show = (text: string) => process.stdout.write(text);
    if (argv.includes('--json')) json = createJsonOutput(process.stdout, NOTICE, false);
    const parsed = await parseCommandLine(argv, version, show, background);
    if (!parsed) {
      const loss = await output.loss();
      return loss ? failedToTell(loss) : exitStatus.done;
    }
    const { values } = parsed;
    const invocation = isDuplicity
      ? { ...parsed, values: { ...values, 'duplicity-exit-codes': true } }
      : parsed;
    action = invocation.action;
    asDuplicityDoes = invocation.values['duplicity-exit-codes'] === true;
    verbosity = (invocation.values.verbosity as number | undefined) ?? NOTICE;
    const now = clockOf(invocation.values['current-time'] as string | undefined);
    if (invocation.values['log-timestamp'] === true) mark = stampMark(now);
    if (goesToJournal()) mark = journalMark(mark);
    const isJson = invocation.values.json === true;
    json = isJson
      ? createJsonOutput(process.stdout, verbosity, invocation.values.progress === true)
      : undefined;
    if (invocation.values.progress === true && !isJson) {
      const { createProgressDisplay } = await import('./progress.ts');
      progress = await createProgressDisplay(process.stderr, Date.now, process.env.TERM);
    }
    watchdog = createWatchdog(stallTimeoutMs(invocation.values));
    watchdog.signal.addEventListener('abort', () => killAfter(END_IN_ORDER_MS));
    const plain = json?.reporter ?? textReporter(action, { verbosity, progress, mark });
    const warn = (message: string) => plain.report({ level: 'warning', code: 'log-failed', message });
    try {
      logs = openLogs({
        ...{ values: invocation.values, isDuplicity, verbosity, now, warn },
        otherwise: await ownLogFile(invocation),
        title: [action, ...invocation.arguments.map(withoutCredentials)].join(' '),
      });
    } catch (error) {
      if (action !== 'run') throw error;
      warn(messageOf(error)); // nobody sits there who could help, and a backup is worth more than its log
    }
    // As duplicity keeps to itself what it tells as a notice.
    const isQuiet = isDuplicity && !json && verbosity < NOTICE && endsWithNotice.has(action);
    const channels = {
      now,
      reporter: logs ? teeReporter(plain, logs) : plain,
      print: isQuiet ? async () => {} : heard(json ? printItems(json) : printTo(process.stdout), logs),
    };
    const host = await createHost(invocation, { ...channels, cores }, interruption, watchdog);
    const status = await dispatch(invocation, host);
    progress?.stop();
    const told = await end(interruption.status() ?? status);
    const loss = json || action === 'verify' ? await output.loss() : undefined;
    return loss && told === exitStatus.done ? failedToTell(loss) : told;
  } catch (error) {
    progress?.stop();
    const interrupted = interruption.status();
    if (interrupted !== undefined) {
      process.stderr.write(`Interrupted${whatStays(action)}.\n`);
      return await end(interrupted);
    }
    const first = watchdog?.signal.aborted ? watchdog.signal.reason : (tooManyFiles(error) ?? error);
    const isContent = asDuplicityDoes && duplicityStatusOf(first, action) === exitStatus.done;
    process.stderr.write(`${mark(isContent ? 'warning' : 'error')}${describeFailure(first)}\n`);
    if (verbosity >= DEBUG && first instanceof Error) process.stderr.write(`${first.stack}\n`);
    return await end(statusOf(first), first);
  } finally {
    watchdog?.close();
    output.close();
    interruption.close();
  }
}

const background: Background = {
  environment: process.env,
  async loadProfile(name, isRun) {
    const { loadProfile, ProfileError } = await import('../profiles/profile.ts');
    try {
      return loadProfile(name, { names: optionNames }, process.env);
    } catch (error) {
      if (isRun && error instanceof ProfileError) {
        const { tellOfBrokenProfile } = await import('./broken-profile.ts');
        await tellOfBrokenProfile(error);
      }
      throw error;
    }
  },
};

/** How long a run that is ended because it hangs may take to do so in order. */
const END_IN_ORDER_MS = 150_000;

/** An argument for the log: what somebody has put into a URL is refused, and not to be kept. */
function withoutCredentials(argument: string): string {
  return argument.replace(/^(?!file:)([a-z][\w+.-]*:\/\/).*@/i, '$1…@');
}

function printsData(name: Action): boolean {
  return actions.find(({ action }) => action === name)!.dataOnStdout;
}

function whatStays(action: Action | undefined): string {
  if (action === 'restore') return '; what was restored so far stays';
  const isBackup = action !== undefined && ['full', 'incremental', 'backup', 'run'].includes(action);
  return isBackup ? '; earlier backups stay as they are, and the next run continues this one' : '';
}

async function createHost(
  invocation: Invocation,
  given: Pick<Host, 'now' | 'reporter' | 'print' | 'cores'>,
  interruption: Interruption,
  watchdog: Watchdog,
): Promise<Host> {
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
  const { profile } = invocation;
  if (profile?.s3 && invocation.action !== 'run') await provideCredentials(profile, process.env, signal);
  const secret = (source: SecretSource | undefined) =>
    source && (() => readSecret(source, process.env, signal));
  const passphrase = createPassphraseSource(
    {
      passphraseFile: values['passphrase-file'] as string | undefined,
      passphraseCommand: values['passphrase-command'] as string | undefined,
      configured: secret(profile?.passphrase),
      signal,
    },
    process.env,
    askOnTerminal,
  );
  return {
    ...given,
    sleep: ms => unwatched(() => sleep(ms, undefined, { signal })),
    pause(ms) {
      interruption.unheard();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    },
    random: size => randomBytes(size),
    hostname,
    passphrase: confirm => unwatched(() => passphrase(confirm)),
    signPassphrase: createSignPassphraseSource(
      process.env,
      confirm => unwatched(() => passphrase(confirm)),
      secret(profile?.signPassphrase),
    ),
    watchdog,
    signal,
    interrupted: interruption.signal,
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

function textReporter(
  action: Action,
  options: Pick<TextReporterOptions, 'verbosity' | 'progress' | 'mark'>,
): Reporter {
  const notices = printsData(action) ? process.stderr : process.stdout;
  return createTextReporter({ ...options, notices, alerts: process.stderr });
}

function printTo(stream: NodeJS.WriteStream): Host['print'] {
  const shown = (bytes: Uint8Array) => (stream.isTTY ? displayLines(bytes) : bytes);
  return text =>
    new Promise(resolve => {
      // Called too when nobody listens any more.
      stream.write(typeof text === 'string' ? text : shown(text()), () => resolve());
    });
}

/** The logs have it too. */
function heard(print: Host['print'], logs: Logs | undefined): Host['print'] {
  if (!logs) return print;
  return (text, items) => {
    logs.printed(typeof text === 'string' ? text : undefined, items);
    return print(text, items);
  };
}

function printItems(json: JsonOutput): Host['print'] {
  return (_, items) => json.print(items());
}

/** A profile's run always has a log. */
async function ownLogFile({ action, profile }: Invocation): Promise<string | undefined> {
  if (action !== 'run' || !profile) return undefined;
  const { stateFolder } = await import('../profiles/places.ts');
  return join(stateFolder(profile.name, process.env), 'log');
}

/** Whether systemd's journal reads both of our streams. @see systemd.exec(5), $JOURNAL_STREAM */
function goesToJournal(): boolean {
  const stream = process.env.JOURNAL_STREAM;
  if (stream === undefined) return false;
  return [1, 2].every(fd => {
    const { dev, ino } = fstatSync(fd);
    return `${dev}:${ino}` === stream;
  });
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

interface Interruption {
  readonly signal: AbortSignal;
  status(): number | undefined;
  /** Until the event loop turns, a signal ends the process, as it does by nature: nobody would hear it. */
  unheard(): void;
  close(): void;
}

/** How long a run may take to end in order; whatever it is in by then, the next one can go on. */
const END_AFTER_SIGNAL_MS = 4500;

interface SignalActions {
  /** Told before time ends the run. */
  giveUp(status: number): void;
  reopenLogs(): void;
}

/**
 * The first signal asks the run to end in order, the second ends it at once, and so does time. SIGHUP is one of them
 * when the terminal goes away; where there is none (cron, systemd, nohup) it is what logrotate and the like send.
 */
function listenForSignals({ giveUp, reopenLogs }: SignalActions): Interruption {
  const hasTerminal = [0, 1, 2].some(isatty);
  if (!hasTerminal) process.on('SIGHUP', reopenLogs);
  const controller = new AbortController();
  let status: number | undefined;
  let isOpen = false;
  let isOver = false;
  const ending = Object.entries(signalNumbers).filter(([name]) => hasTerminal || name !== 'SIGHUP');
  const handlers = ending.map(([name, number]) => {
    const handler = () => {
      const kill = () => {
        close();
        process.kill(process.pid, name); // not process.exit(), which waits for threads that may hang
      };
      if (status !== undefined) return kill();
      const ours = 128 + number;
      status = ours;
      setTimeout(() => {
        giveUp(ours);
        kill();
      }, END_AFTER_SIGNAL_MS).unref();
      controller.abort(new BackupError('interrupted', `ended by ${name}`));
    };
    return [name, handler] as const;
  });
  const open = () => {
    if (isOpen || isOver) return;
    isOpen = true;
    for (const [name, handler] of handlers) process.on(name, handler);
  };
  const close = () => {
    isOpen = false;
    for (const [name, handler] of handlers) process.off(name, handler);
  };
  open();
  return {
    signal: controller.signal,
    status: () => status,
    unheard() {
      if (!isOpen) return;
      close();
      setImmediate(open);
    },
    close() {
      isOver = true;
      close();
      process.off('SIGHUP', reopenLogs);
    },
  };
}
