/**
 * The log: a line for each event, with its time, in a file that never grows beyond its limit. When it is full it becomes
 * `FILE.1`, that one `FILE.2`, and so on. If somebody else moves it away (logrotate) a new one is begun. What can't be
 * written is told once; the run goes on without a log.
 */

import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { BackupError, messageOf } from '../errors.ts';
import type { Report, Reporter } from '../report.ts';
import { stampOf } from '../text.ts';
import { rank } from './reporters.ts';

export interface LogFileOptions {
  readonly path: string;
  /** Of events; `info` at least. */
  readonly verbosity: number;
  /** Bytes after which a new file is begun. */
  readonly maxBytes: number;
  /** Files in all. */
  readonly keep: number;
  /** Seconds since 1970. */
  now(): number;
  /** Tells that the log has failed. */
  onFailure(message: string): void;
}

export interface LogFile extends Reporter {
  /** Lets go of a file that was moved away, at once and not with the next line. */
  reopen(): void;
  /** A line that is no event: how a run began and ended. */
  line(text: string): void;
  close(): void;
}

const INFO = 5;

/** @throws BackupError `usage` if the file can't be opened */
export function openLogFile(options: LogFileOptions): LogFile {
  const { path, maxBytes, keep, now, onFailure } = options;
  const verbosity = Math.max(INFO, options.verbosity);
  let fd: number | undefined;
  let identity = '';
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    open();
  } catch (error) {
    throw new BackupError('usage', `can't write the log file ${path}: ${messageOf(error)}`);
  }

  function open(): void {
    fd = openSync(path, 'a', 0o600);
    const { dev, ino } = fstatSync(fd);
    identity = `${dev}:${ino}`;
  }

  function reopen(): void {
    closeSync(fd!);
    fd = undefined;
    open();
  }

  /** Whether the path still leads to the file that is open. */
  function isThere(): boolean {
    const there = statSync(path, { throwIfNoEntry: false });
    return there !== undefined && `${there.dev}:${there.ino}` === identity;
  }

  function rotate(): void {
    for (let number = keep - 1; number >= 1; number--) {
      const from = number === 1 ? path : `${path}.${number - 1}`;
      if (statSync(from, { throwIfNoEntry: false })) renameSync(from, `${path}.${number}`);
    }
    if (keep === 1) rmSync(path, { force: true });
    reopen();
  }

  function line(text: string): void {
    if (fd === undefined) return;
    try {
      if (!isThere()) reopen();
      const bytes = Buffer.from(`${stampOf(now())} ${text.replace(/[\r\n]+/g, ' ')}\n`);
      const { size } = fstatSync(fd);
      if (size > 0 && size + bytes.length > maxBytes) rotate();
      writeSync(fd, bytes);
    } catch (error) {
      fd = undefined;
      onFailure(`can't write the log file ${path}: ${messageOf(error)}`);
    }
  }

  return {
    line,
    reopen() {
      try {
        if (fd !== undefined && !isThere()) reopen();
      } catch (error) {
        fd = undefined;
        onFailure(`can't write the log file ${path}: ${messageOf(error)}`);
      }
    },
    report(event) {
      if (rank[event.level] <= verbosity) line(logLine(event));
    },
    progress() {},
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

/** `WARNING text`, without its time. */
export function logLine({ level, message }: Report): string {
  return `${level.toUpperCase()} ${message}`;
}
