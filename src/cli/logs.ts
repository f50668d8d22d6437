/** The logs of a run: `--log-file`, and `--log-fd` in the form that programs written for duplicity read. */

import { appendFileSync, fstatSync, writeSync } from 'node:fs';
import { BackupError, messageOf } from '../errors.ts';
import type { Item, Progress, Report, Reporter } from '../report.ts';
import { openLogFile } from './log-file.ts';
import { machineFailure, machineProgress, machineRecord, machineResult } from './machine-log.ts';
import { createPace } from './pace.ts';
import type { OptionValue } from './parse.ts';
import { rank } from './reporters.ts';

export interface Logs extends Reporter {
  /** What ended the run. @param duplicityStatus what duplicity would end with @param code of our own errors */
  failed(message: string, duplicityStatus: number, code?: string): void;
  ended(status: number): void;
  /** What goes to standard output as a result, in either form. @param text absent where the items say it all */
  printed(text: string | undefined, items: () => readonly Item[]): void;
  /** Begins files anew where others stand at their paths by now. */
  reopen(): void;
}

export interface LogSettings {
  readonly values: Readonly<Record<string, OptionValue>>;
  /** Where a log goes that nobody named a file for; undefined: nowhere. */
  readonly otherwise: string | undefined;
  /** Whether a log file has duplicity's form too. */
  readonly isDuplicity: boolean;
  readonly verbosity: number;
  /** What is run, for the first line. */
  readonly title: string;
  /** Seconds since 1970. */
  now(): number;
  warn(message: string): void;
}

const MAX_BYTES = 1024 * 1024;
const KEEP = 3;
/** Between two records of progress. */
const PROGRESS_SECONDS = 3;

/** @throws BackupError `usage` for what can't be written to */
export function openLogs(settings: LogSettings): Logs | undefined {
  const { values, otherwise, isDuplicity, verbosity, title, now, warn } = settings;
  const path = (values['log-file'] as string | undefined) ?? otherwise;
  const logs: Logs[] = [];
  const fd = values['log-fd'] as number | undefined;
  if (fd !== undefined) {
    try {
      fstatSync(fd);
    } catch (error) {
      throw new BackupError('usage', `--log-fd ${fd} is no open file: ${messageOf(error)}`);
    }
    logs.push(machineLog(text => void writeSync(fd, text), settings));
  }
  if (path !== undefined && isDuplicity) {
    const append = (text: string) => appendFileSync(path, text, { mode: 0o600 });
    try {
      append('');
    } catch (error) {
      throw new BackupError('usage', `can't write the log file ${path}: ${messageOf(error)}`);
    }
    logs.push(machineLog(append, settings));
  } else if (path !== undefined) {
    const file = openLogFile({
      ...{ path, verbosity, now },
      maxBytes: logSizeOf(values),
      keep: Math.max(1, (values['log-keep'] as number | undefined) ?? KEEP),
      onFailure: warn,
    });
    file.line(`BEGIN ${title}`);
    logs.push({
      ...file,
      failed: message => file.line(`ERROR ${message}`),
      ended(status) {
        file.line(`END ${title}: status ${status}`);
        file.close();
      },
      printed() {},
    });
  }
  if (logs.length === 0) return undefined;
  return {
    report: event => logs.forEach(log => void log.report(event)),
    progress: event => logs.forEach(log => void log.progress(event)),
    printed: (text, items) => logs.forEach(log => void log.printed(text, items)),
    failed: (...words) => logs.forEach(log => void log.failed(...words)),
    ended: status => logs.forEach(log => void log.ended(status)),
    reopen: () => logs.forEach(log => void log.reopen()),
  };
}

function machineLog(
  write: (text: string) => void,
  { verbosity, now, values }: Pick<LogSettings, 'verbosity' | 'now' | 'values'>,
): Logs {
  const tryTo = (text: string) => {
    try {
      write(text);
    } catch {} // nobody reads it any more
  };
  const pace = createPace(() => now() * 1000);
  let nextProgress = 0;
  return {
    report(event: Report) {
      if (rank[event.level] <= verbosity) tryTo(machineRecord(event));
    },
    progress(event: Progress) {
      if (values.progress !== true) return;
      const current = pace(event);
      if (current.elapsed < nextProgress) return;
      nextProgress = current.elapsed + PROGRESS_SECONDS;
      tryTo(machineProgress(event, current));
    },
    printed: (text, items) => tryTo(machineResult(text, items())),
    failed: (message, status, code) => tryTo(machineFailure(status, message, code)),
    ended() {},
    reopen() {},
  };
}

/** Bytes that a log file may have. @throws BackupError `usage` */
export function logSizeOf(values: Readonly<Record<string, OptionValue>>): number {
  const text = values['log-max-size'] as string | undefined;
  if (text === undefined) return MAX_BYTES;
  const [, digits, unit = ''] = /^(\d{1,12})([KMG]?)$/i.exec(text) ?? [];
  if (digits === undefined || Number(digits) === 0) {
    throw new BackupError('usage', `--log-max-size takes a size such as 500K or 1M, not '${text}'`);
  }
  return Number(digits) * 1024 ** ' KMG'.indexOf(unit.toUpperCase() || ' ');
}
