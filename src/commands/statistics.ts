/**
 * The statistics block that ends a backup, line for line as scripts written for duplicity read it.
 */

import type { Counts } from '../engine/counts.ts';
import { asctime } from '../manifest/time.ts';
import { formatDuration, formatSize } from '../text.ts';

export interface Statistics extends Omit<Counts, 'replacedFiles' | 'replacedFileSize'> {
  /** Seconds since 1970, with fraction. */
  readonly startTime: number;
  readonly endTime: number;
  /** Bytes of the uploaded volumes, without manifest and signatures. */
  readonly totalDestinationSizeChange: number;
}

/** Counts as duplicity gives them: as changed it knows files only, all else that is stored as it is now is new. */
export function countsForStatistics({ replacedFiles, replacedFileSize, ...counts }: Counts) {
  return {
    ...counts,
    newFiles: counts.newFiles + replacedFiles,
    newFileSize: counts.newFileSize + replacedFileSize,
  };
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
