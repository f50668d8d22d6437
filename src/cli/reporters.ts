/** Reporters for people: one line per event, on the stream where scripts written for duplicity look for it. */

import type { Report, Reporter } from '../report.ts';
import { stampOf } from '../text.ts';
import type { ProgressDisplay } from './progress.ts';

/** By the verbosity that shows them. */
export const rank = { error: 0, warning: 2, notice: 3, info: 5, debug: 9 } as const;

const names: Readonly<Record<string, number>> = {
  e: 0,
  error: 0,
  w: 2,
  warning: 2,
  n: 3,
  notice: 3,
  i: 5,
  info: 5,
  d: 9,
  debug: 9,
};

/** A verbosity as the user writes it (0–9, a name or its first letter), or undefined if it is none. */
export function parseVerbosity(text: string): number | undefined {
  if (/^[0-9]$/.test(text)) return Number(text);
  return names[text.toLowerCase()];
}

export interface TextReporterOptions {
  readonly verbosity: number;
  /** Where notices and below go; a command whose standard output is data sends them to standard error. */
  readonly notices: NodeJS.WritableStream;
  /** Where warnings and errors go. */
  readonly alerts: NodeJS.WritableStream;
  /** Absent without --progress. */
  readonly progress?: ProgressDisplay | undefined;
  /** What a line begins with; default `plainMark`. */
  readonly mark?: Mark | undefined;
}

/** What a line that tells something of a level begins with. */
export type Mark = (level: Report['level']) => string;

/** Tells warnings and errors apart from all else. */
export const plainMark: Mark = level =>
  level === 'error' ? 'Error: ' : level === 'warning' ? 'Warning: ' : '';

/** `--log-timestamp`: the local time to a millisecond and the level, as duplicity has it. @param now seconds since 1970 */
export function stampMark(now: () => number): Mark {
  return level => {
    const seconds = now();
    const millis = String(Math.trunc(seconds * 1000) % 1000).padStart(3, '0');
    return `${stampOf(seconds)},${millis} ${level.toUpperCase()} `;
  };
}

const priorities = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const;

/** Before lines that systemd's journal reads: it takes the number off and keeps it. @see sd-daemon(3) */
export function journalMark(mark: Mark): Mark {
  return level => `<${priorities[level]}>${mark(level)}`;
}

/** Prints events up to the verbosity. */
export function createTextReporter(options: TextReporterOptions): Reporter {
  const { mark = plainMark } = options;
  return {
    report(event: Report) {
      if (rank[event.level] > options.verbosity) return;
      options.progress?.clear();
      const isAlert = event.level === 'error' || event.level === 'warning';
      (isAlert ? options.alerts : options.notices).write(`${mark(event.level)}${event.message}\n`);
    },
    progress: progress => options.progress?.show(progress),
  };
}

/** Tells several. */
export function teeReporter(...reporters: readonly Reporter[]): Reporter {
  return {
    report(event) {
      for (const reporter of reporters) reporter.report(event);
    },
    progress(progress) {
      for (const reporter of reporters) reporter.progress(progress);
    },
  };
}
