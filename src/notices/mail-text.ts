/** How a run ended, as a mail: the subject says it, the body begins with what matters. Pure. */

import type { RunOutcome } from './run-outcome.ts';
import type { When } from './settings.ts';

export interface Mail {
  readonly subject: string;
  readonly body: string;
}

const marks = { ok: '[ok]', warn: '[warn]', error: '[ERR]' } as const;

const LOG_LINES = 500;
const LOG_CHARACTERS = 100_000;

/** Subject as in `[ok] backup pictures @ 2014-12-15 23:59`: when the run began, in the zone of the process. */
export function mailOf(outcome: RunOutcome): Mail {
  const { profile, hostname, started, ended, verdict, status, summary, statistics, log } = outcome;
  const subject = `${marks[verdict]} backup ${profile} @ ${minuteOf(started)}`;
  const lines = [
    ...summary,
    '',
    outcome.isUnderWay
      ? `On ${hostname}, since ${minuteOf(started)}.`
      : `On ${hostname}, from ${minuteOf(started)} to ${minuteOf(ended)}, exit status ${status}.`,
    ...(statistics.trim() === '' ? [] : ['', statistics.trimEnd()]),
    ...(log.length === 0 ? [] : ['', 'Log:', ...shortened(log)]),
  ];
  return { subject: subject.replace(/\s+/g, ' '), body: `${lines.join('\n')}\n` };
}

/** The last lines, as many as a mail should hold. */
function shortened(log: readonly string[]): readonly string[] {
  let first = log.length;
  let size = 0;
  while (first > 0 && log.length - first < LOG_LINES && size + log[first - 1]!.length < LOG_CHARACTERS) {
    size += log[--first]!.length;
  }
  if (first === 0) return log;
  return [`(${first} lines before these are left out; the log file has them)`, ...log.slice(first)];
}

/** `2014-12-15 23:59`, local time. */
function minuteOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Whether somebody wants to hear of this one: `error` means warnings too. */
export function isWanted(on: readonly When[], { verdict, isNews }: RunOutcome): boolean {
  if (on.includes('always')) return true;
  return (on.includes('error') && verdict !== 'ok') || (on.includes('change') && isNews);
}
