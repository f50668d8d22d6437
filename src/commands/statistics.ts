/**
 * The statistics block that ends a backup, line for line as scripts written for duplicity read it.
 */

import type { Counts } from '../engine/counts.ts';
import { asctime } from '../manifest/time.ts';

export interface Statistics extends Counts {
  /** Seconds since 1970, with fraction. */
  readonly startTime: number;
  readonly endTime: number;
  /** Bytes of the uploaded volumes, without manifest and signatures. */
  readonly totalDestinationSizeChange: number;
}

/** The block as text, one final newline and an empty line included. */
export function formatStatistics(s: Statistics): string {
  const time = (seconds: number) => `${seconds.toFixed(2)} (${asctime(Math.floor(seconds))})`;
  const size = (bytes: number) => `${bytes} (${formatSize(bytes)})`;
  const elapsed = Math.max(0, s.endTime - s.startTime);
  const lines = [
    '--------------[ Backup Statistics ]--------------',
    `StartTime ${time(s.startTime)}`,
    `EndTime ${time(s.endTime)}`,
    `ElapsedTime ${elapsed.toFixed(2)} (${formatDuration(elapsed)})`,
    `SourceFiles ${s.sourceFiles}`,
    `SourceFileSize ${size(s.sourceFileSize)}`,
    `NewFiles ${s.newFiles}`,
    `NewFileSize ${size(s.newFileSize)}`,
    `DeletedFiles ${s.deletedFiles}`,
    `ChangedFiles ${s.changedFiles}`,
    `ChangedFileSize ${size(s.changedFileSize)}`,
    'ChangedDeltaSize 0 (0 bytes)',
    `DeltaEntries ${s.newFiles + s.changedFiles + s.deletedFiles}`,
    `RawDeltaSize ${size(s.rawDeltaSize)}`,
    `TotalDestinationSizeChange ${size(s.totalDestinationSizeChange)}`,
    `Errors ${s.errors}`,
    '-------------------------------------------------',
  ];
  return `${lines.join('\n')}\n\n`;
}

/** Bytes in words: three significant digits, units of 1024 (`2.94 KB`, `10.9 KB`, `308 bytes`). */
export function formatSize(bytes: number): string {
  if (bytes === 1) return '1 byte';
  if (bytes < 1024) return `${bytes} bytes`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** Seconds in words: `1 hour 2 minutes 3.50 seconds`; zero parts are dropped. */
export function formatDuration(seconds: number): string {
  const parts: string[] = [];
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = seconds % 60;
  if (hours > 0) parts.push(hours === 1 ? '1 hour' : `${hours} hours`);
  if (minutes > 0) parts.push(minutes === 1 ? '1 minute' : `${minutes} minutes`);
  if (rest > 1 || parts.length === 0) parts.push(`${rest.toFixed(2)} seconds`);
  return parts.join(' ');
}
