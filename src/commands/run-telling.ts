/** What people are told of a profile's run: how it ends, that it does not end, and that others never have. */

import { exitStatus } from '../errors.ts';
import { asctime } from '../manifest/time.ts';
import type { Notifier } from '../notices/notify.ts';
import type { RunOutcome } from '../notices/run-outcome.ts';
import { formatDuration } from '../text.ts';
import type { Host } from './host.ts';

export interface ToldRun {
  /** Name of the profile. */
  readonly profile: string;
  readonly notifier: Notifier;
  /** Lines of the log so far. */
  readonly logLines: () => readonly string[];
  /** After so long, and again after as long, people are told that the run has not ended; a day if absent. */
  readonly longRunMs?: number;
}

/** Beyond it a status is that of a run that a signal has ended. */
const SIGNALLED = 128;

const DAY_MS = 24 * 3_600_000;

/** Of a run that the watchdog has ended, before the process is killed: what hangs each night would never be told else. */
const AFTER_STALL_MS = 45_000;

/** @param lastStatus exit status of the run before, if there was one */
export async function tellBeginning(
  { notifier }: ToldRun,
  host: Host,
  lastStatus: number | undefined,
): Promise<void> {
  tellFailures(await notifier.begin((lastStatus ?? 0) > SIGNALLED), host);
}

/**
 * One run that was killed is told by the next. If that was killed as well, as where memory is too small or the power goes
 * each night, nobody would ever hear of it: then it is told before the next one can be.
 * @param started seconds since 1970, as are
 * @param unended starts of the runs before it that never ended
 */
export async function tellUnended(
  run: ToldRun,
  host: Host,
  started: number,
  unended: readonly number[],
): Promise<void> {
  if (unended.length < 2) return;
  const sentence = `${neverEnded(unended)} This one begins now. What was stored: tsbackup collection-status --profile ${run.profile}`;
  const summary = [sentence];
  await tellMeanwhile(run, host, started, { verdict: 'error', status: exitStatus.failed, summary });
}

/**
 * Does work that may never end, as where a command before it hangs. Meanwhile no other run begins, and without a word
 * nobody would know for weeks that there are no backups.
 */
export async function tellingIfLong<T>(
  run: ToldRun,
  host: Host,
  started: number,
  work: () => Promise<T>,
): Promise<T> {
  const { logLines, longRunMs = DAY_MS } = run;
  let telling: Promise<void> = Promise.resolve();
  const tell = async () => {
    const last = logLines().at(-1);
    const summary = [
      `This run has not ended in ${formatDuration(host.now() - started)}, and as long as it is at work no other begins. If it hangs, end it: kill ${process.pid}`,
      ...(last === undefined ? [] : [`The last that it said: ${last}`]),
    ];
    await tellMeanwhile(run, host, started, { verdict: 'warn', status: exitStatus.locked, summary });
  };
  const timer = setInterval(() => {
    telling = telling.then(tell);
  }, longRunMs).unref();
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await telling;
  }
}

export async function tellEnd(outcome: RunOutcome, { notifier }: ToldRun, host: Host): Promise<void> {
  const { interrupted, signal } = host;
  const mostMs = signal.aborted ? AFTER_STALL_MS : undefined;
  const telling = interrupted.aborted ? notifier.postpone(outcome) : notifier.end(outcome, mostMs);
  tellFailures(await telling, host);
}

/** Names runs that were killed. @param starts seconds since 1970, oldest first; at least one */
export function neverEnded(starts: readonly number[]): string {
  const [first, last] = [starts[0]!, starts.at(-1)!].map(start => asctime(Math.floor(start)));
  return starts.length === 1
    ? `The run of ${first} never ended: it was killed, or the power failed.`
    : `The last ${starts.length} runs, of ${first} to ${last}, never ended: they were killed, or the power failed.`;
}

async function tellMeanwhile(
  { profile, notifier, logLines }: ToldRun,
  host: Host,
  started: number,
  told: Pick<RunOutcome, 'verdict' | 'status' | 'summary'>,
): Promise<void> {
  const failures = await notifier.meanwhile({
    ...{ profile, hostname: host.hostname(), started, ended: host.now(), isUnderWay: true, isNews: true },
    ...{ ...told, statistics: '', log: [...logLines()] },
  });
  tellFailures(failures, host);
}

function tellFailures(failures: readonly string[], { reporter }: Host): void {
  for (const message of failures) reporter.report({ level: 'warning', code: 'notice-failed', message });
}
