/**
 * Content of one regular file of the source. What was a regular file in the walk may be a fifo or a link by now:
 * neither may hang us or lead us elsewhere.
 */

import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { systemCode } from '../errors.ts';
import type { Anchors } from './anchors.ts';
import { SourceError, sourceProblem, systemError } from './problem.ts';

export interface SourceFile {
  /** Bytes, nanoseconds: as they were at opening. */
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /**
   * Reads on until `length` bytes are there or the file ends. A file that grows is read to the end that it has by
   * then, but to no more than twice its size at opening plus 1 GiB: one that is appended to for ever ends there.
   * @returns bytes read; fewer than `length` only at the end
   * @throws {SourceError}
   */
  readInto(target: Uint8Array, offset: number, length: number): number;
  /**
   * Whether somebody has written to it since it was opened: what was read may be a mixture.
   * @throws {SourceError}
   */
  hasChanged(): boolean;
  close(): void;
}

/**
 * Opens the file at `path` ('' is the root itself, which may be a link) for reading from its start to its end.
 * @param anchors of the source's root; called in walk order it opens few directories
 * @throws {SourceError} also when it is no regular file any more
 */
export function openSource(anchors: Anchors, path: string): SourceFile {
  let fd: number | undefined;
  let stats: BigIntStats;
  try {
    fd = openForReading(anchors.at(path), path === '' ? 0 : constants.O_NOFOLLOW);
    stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile()) throw systemError('EFTYPE', 'no regular file any more');
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw new SourceError(sourceProblem(path, 'open', error), { cause: error });
  }
  const file = fd;
  const size = Number(stats.size);
  let left = 2 * size + 2 ** 30;
  return {
    size,
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    readInto(target, offset, length) {
      const wanted = Math.min(length, left);
      let done = 0;
      try {
        while (done < wanted) {
          const count = readSync(file, target, offset + done, wanted - done, null);
          if (count === 0) break;
          done += count;
        }
      } catch (error) {
        throw new SourceError(sourceProblem(path, 'read', error), { cause: error });
      }
      left -= done;
      return done;
    },
    hasChanged() {
      try {
        const now = fstatSync(file, { bigint: true });
        return now.size !== stats.size || now.mtimeNs !== stats.mtimeNs;
      } catch (error) {
        throw new SourceError(sourceProblem(path, 'read', error), { cause: error });
      }
    },
    close: () => closeSync(file),
  };
}

/** Leaves the access time alone where the file is ours; a lease (file server) gets some seconds to be given back. */
function openForReading(place: Buffer, extra: number): number {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | extra;
  let quiet = constants.O_NOATIME ?? 0;
  for (let attempt = 1; ; attempt++) {
    try {
      return openSync(place, flags | quiet);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EPERM' && quiet !== 0) quiet = 0;
      else if (code === 'EAGAIN' && attempt < leaseAttempts) Atomics.wait(pause, 0, 0, leasePauseMs);
      else throw error;
    }
  }
}

const leaseAttempts = 50;
const leasePauseMs = 100;
const pause = new Int32Array(new SharedArrayBuffer(4));
