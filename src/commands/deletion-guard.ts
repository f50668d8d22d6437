/** A source that is suddenly empty is an unmounted disk far more often than a clean-up. */

import type { Counts } from '../engine/counts.ts';
import { BackupError } from '../errors.ts';

/** So many deletions are everyday life, whatever share of a small tree they are. */
const FEW = 100;

/**
 * @param maxDelete percent of the entries that the chain knows
 * @throws BackupError `guard-stopped` when more are gone, or everything is
 */
export function checkDeletions({ sourceFiles, newFiles, deletedFiles }: Counts, maxDelete: number): void {
  const known = sourceFiles - newFiles + deletedFiles;
  const isEmpty = sourceFiles === 1 && deletedFiles > 0; // only the root is left
  const areMany = deletedFiles > FEW && deletedFiles * 100 > known * maxDelete;
  if (!isEmpty && !areMany) return;
  throw new BackupError(
    'guard-stopped',
    `${deletedFiles} of ${known} files and folders that the last backup knows are gone from the source; is its disk mounted? If they were deleted on purpose, use --allow-mass-delete`,
    { deleted: deletedFiles, known },
  );
}
