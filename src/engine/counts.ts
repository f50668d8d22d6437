/** What a backup run has seen and stored so far; the statistics block is made from it. */

/** Cumulative counts of a run; sizes in bytes. */
export interface Counts {
  /** Entries seen in the source, folders and the root included, and the sum of their `st_size`. */
  sourceFiles: number;
  sourceFileSize: number;
  newFiles: number;
  newFileSize: number;
  deletedFiles: number;
  /** Files that there were before, as files. */
  changedFiles: number;
  changedFileSize: number;
  /** Paths that there were before and that are stored as they are now: those of another type, and what is no file. */
  replacedFiles: number;
  replacedFileSize: number;
  /** Bytes of new contents and of deltas in the difftar, without headers and padding. */
  rawDeltaSize: number;
  /** Sources that could not be read, vanished, or changed while they were read. */
  errors: number;
}

export function createCounts(): Counts {
  return {
    sourceFiles: 0,
    sourceFileSize: 0,
    newFiles: 0,
    newFileSize: 0,
    deletedFiles: 0,
    changedFiles: 0,
    changedFileSize: 0,
    replacedFiles: 0,
    replacedFileSize: 0,
    rawDeltaSize: 0,
    errors: 0,
  };
}
