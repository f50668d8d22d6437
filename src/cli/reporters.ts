/** Reporters for people: one line per event, on the stream where scripts written for duplicity look for it. */

import type { Report, Reporter } from '../report.ts';
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
}

/** Prints events up to the verbosity; warnings and errors are prefixed by what they are. */
export function createTextReporter(options: TextReporterOptions): Reporter {
  return {
    report(event: Report) {
      if (rank[event.level] > options.verbosity) return;
      options.progress?.clear();
      if (event.level === 'error') options.alerts.write(`Error: ${event.message}\n`);
      else if (event.level === 'warning') options.alerts.write(`Warning: ${event.message}\n`);
      else options.notices.write(`${event.message}\n`);
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
