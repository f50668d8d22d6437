/** Trouble with one thing in the source tree: the run goes on without it and says so. */

import { systemCode, tooManyFiles } from '../errors.ts';

export interface SourceProblem {
  readonly path: string;
  /** The system's error name; `EFTYPE` where something else took a regular file's place, `EUNKNOWN` if it has none. */
  readonly systemCode: string;
  readonly during: 'lstat' | 'readlink' | 'readdir' | 'open' | 'read';
  /** It was gone when its turn came, as is usual in a living tree: it is told, but nothing is kept of it. */
  readonly vanished: boolean;
}

/** The name of a system error; `EUNKNOWN` if it has none; undefined for any other error. */
export function systemName(error: unknown): string | undefined {
  const isSystemError = typeof (error as { syscall?: unknown } | null | undefined)?.syscall === 'string';
  return systemCode(error) ?? (isSystemError ? 'EUNKNOWN' : undefined);
}

/** Errors of a source that is away for a while, as a network drive or a disk on a cable may be. */
const away: ReadonlySet<string> = new Set([
  ...['EIO', 'EREMOTEIO', 'ENODEV', 'ENXIO', 'ENOLINK', 'ESTALE', 'ENOTCONN', 'ESHUTDOWN', 'ETIMEDOUT'],
  ...['EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH'],
  ...['ECONNABORTED', 'ECONNREFUSED', 'ECONNRESET', 'ENOMEDIUM'],
]);

/** Whether a system error says that the source is away, and a later try may succeed. */
export function isAway(error: unknown): boolean {
  const name = systemName(error);
  return name !== undefined && away.has(name);
}

/**
 * What one attempt ran into. `ENOTDIR` says that a parent is no directory any more, except when listing the thing
 * itself. An error that is not the system's is a slip of ours, and thrown on.
 */
export function sourceProblem(path: string, during: SourceProblem['during'], error: unknown): SourceProblem {
  const code = systemName(error);
  if (code === undefined) throw error;
  const shortage = tooManyFiles(error); // no fault of the path's
  if (shortage) throw shortage;
  const vanished = code === 'ENOENT' || (code === 'ENOTDIR' && during !== 'readdir');
  return { path, systemCode: code, during, vanished };
}

/** Thrown by readers, because bytes that could not be read must not be overlooked. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly problem: SourceProblem;

  constructor(problem: SourceProblem, options?: ErrorOptions) {
    super(`${problem.systemCode} at ${problem.during}`, options);
    this.problem = problem;
  }
}

/** An error such as the system makes. */
export function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}

/** What the system says of a name that a file system does not take, as those of other systems take no colon or question mark. */
export function nameRefused(code: string): Error {
  return systemError(code, 'the file system there does not take this name');
}

/** The error to throw where a name was what the system looked at. */
export function ofName(error: unknown): unknown {
  const code = systemCode(error);
  return code === 'EINVAL' || code === 'EILSEQ' ? nameRefused(code) : error;
}
