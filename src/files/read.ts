/**
 * Content of one regular file of the source. What was a regular file in the walk may be a fifo or a link by now:
 * neither may hang us or lead us elsewhere.
 */

import { type BigIntStats, constants, fstatSync, openSync, readSync } from 'node:fs';
import { systemCode } from '../errors.ts';
import { type Anchors, closeQuietly } from './anchors.ts';
import { impatient, type Patience } from './patience.ts';
import { SourceError, sourceProblem, systemError } from './problem.ts';

export interface ReadableFile {
  /** It was touched so shortly before it was opened that who writes to it now may leave it the times that it has. */
  readonly isFresh: boolean;
  /**
   * Reads on until `length` bytes are there or the file ends. A file that grows is read to the end that it has by
   * then, but to no more than twice its size at opening plus 1 GiB: one that is appended to for ever ends there.
   * @returns bytes read; fewer than `length` only at the end
   * @throws {SourceError}
   */
  readInto(target: Uint8Array, offset: number, length: number): number;
  /**
   * Whether somebody has written to it since it was opened: what was read may be a mixture.
   * @param options `ctime`: whoever sets the old time again is seen too, and so is one who only changes the mode
   * @throws {SourceError}
   */
  hasChanged(options?: { readonly ctime: boolean }): boolean;
  close(): void;
}

export interface SourceFile extends ReadableFile {
  /** As it was at opening. */
  readonly stats: BigIntStats;
}

/**
 * Opens the file at `path` ('' is the root itself, which may be a link) for reading from its start to its end.
 * @param anchors of the source's root; called in walk order it opens few directories
 * @param patience with a source that is away for a while
 * @param now milliseconds since 1970
 * @throws {SourceError} also when it is no regular file any more
 */
export function openSource(
  anchors: Anchors,
  path: string,
  patience: Patience = impatient,
  now: () => number = Date.now,
): SourceFile {
  const { fd, stats } = explained(path, 'open', () =>
    patience.call(() => open(anchors, path), anchors.close),
  );
  let file: number | undefined = fd;
  const size = Number(stats.size);
  const most = 2 * size + 2 ** 30;
  let at = 0;
  /** What was opened before the source went away is of no use after it. */
  const openAgain = () => {
    close();
    anchors.close();
    file = open(anchors, path).fd;
  };
  const close = () => {
    if (file !== undefined) closeQuietly(file);
    file = undefined;
  };
  return {
    stats,
    isFresh: isFresh(stats, now()),
    readInto(target, offset, length) {
      const wanted = Math.min(length, most - at);
      let done = 0;
      const read = () => readSync(file!, target, offset + done, wanted - done, at + done);
      while (done < wanted) {
        const count = explained(path, 'read', () => patience.call(read, openAgain));
        done += count;
        // Less than it was asked for, just where the file should end: it does.
        if (count === 0 || (done < wanted && at + done === size)) break;
      }
      at += done;
      return done;
    },
    hasChanged({ ctime } = { ctime: false }) {
      const stat = () => fstatSync(file!, { bigint: true });
      const found = explained(path, 'read', () => patience.call(stat, openAgain));
      if (ctime && found.ctimeNs !== stats.ctimeNs) return true;
      return found.size !== stats.size || found.mtimeNs !== stats.mtimeNs;
    },
    close,
  };
}

/** How long a file may keep its times though it is written to: a tick of the kernel's clock, or what FAT counts in. */
const TICK_MS = 20;
const COARSE_TICK_MS = 2000;
/** A file server's clock may be late, and where times are whole seconds there is time enough to be written to again. */
const LATE_MS = 3_600_000;

/** See ReadableFile. */
export function isFresh({ ctimeNs }: Pick<BigIntStats, 'ctimeNs'>, nowMs: number): boolean {
  const tick = ctimeNs % 1_000_000_000n === 0n ? COARSE_TICK_MS + LATE_MS : TICK_MS;
  return Number(ctimeNs / 1_000_000n) > nowMs - tick;
}

function open(anchors: Anchors, path: string): { readonly fd: number; readonly stats: BigIntStats } {
  const fd = openForReading(anchors.at(path), path === '' ? 0 : constants.O_NOFOLLOW);
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile()) throw systemError('EFTYPE', 'no regular file any more');
    return { fd, stats };
  } catch (error) {
    closeQuietly(fd);
    throw error;
  }
}

function explained<T>(path: string, during: 'open' | 'read', work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new SourceError(sourceProblem(path, during, error), { cause: error });
  }
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
