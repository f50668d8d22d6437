/**
 * What stands already where a file is to be restored, compared with it while its bytes come in: as long as they are the
 * same nothing is written, and at the first difference what was the same is copied from here.
 */

import { createHash } from 'node:crypto';
import { constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import { closeQuietly } from './anchors.ts';
import { systemError } from './problem.ts';

export interface Twin {
  readonly fd: number;
  /** Whether this is its only name. */
  readonly isSingle: boolean;
  /** Whether the next bytes are these; if not, the place stays before them. */
  continuesWith(bytes: Uint8Array): boolean;
  /** False too if somebody has changed it since it was opened: what was compared may be something else by now. */
  isAtEnd(): boolean;
  /** Bytes that were the same. */
  length(): number;
  /** Writes all that was the same. @throws EBUSY if it is not any more */
  copyTo(fd: number): void;
  close(): void;
}

const slab = Buffer.allocUnsafeSlow(64 * 1024);
// A fifo or a device must not keep us waiting.
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * @param place latin1 path
 * @returns undefined if there is no regular file that can be read
 */
export function openTwin(place: string): Twin | undefined {
  let fd: number;
  try {
    fd = openSync(bytesOf(place), flags);
  } catch {
    return undefined; // it is absent, a link, or not for us to read: it will be replaced
  }
  const opened = fstatSync(fd, { bigint: true });
  if (!opened.isFile()) {
    closeQuietly(fd);
    return undefined;
  }
  let same = 0;
  const compared = createHash('sha1');
  return {
    fd,
    isSingle: opened.nlink === 1n,
    continuesWith(bytes) {
      for (let at = 0; at < bytes.length; at += slab.length) {
        const length = Math.min(slab.length, bytes.length - at);
        const isSame =
          readFully(fd, same + at, length) === length &&
          slab.compare(bytes, at, at + length, 0, length) === 0;
        if (!isSame) return false;
      }
      compared.update(bytes);
      same += bytes.length;
      return true;
    },
    isAtEnd() {
      const { ctimeNs, size } = fstatSync(fd, { bigint: true });
      return size === BigInt(same) && ctimeNs === opened.ctimeNs;
    },
    length: () => same,
    copyTo(to) {
      const copied = createHash('sha1');
      for (let at = 0; at < same; ) {
        const count = readFully(fd, at, Math.min(slab.length, same - at));
        if (count === 0) break;
        copied.update(slab.subarray(0, count));
        for (let done = 0; done < count; ) done += writeSync(to, slab, done, count - done);
        at += count;
      }
      if (copied.digest('hex') !== compared.digest('hex'))
        throw systemError('EBUSY', 'what is there is being changed by another program');
    },
    close: () => closeQuietly(fd),
  };
}

/** @returns how many bytes there are of those wanted; they are in the slab */
function readFully(fd: number, position: number, length: number): number {
  let filled = 0;
  while (filled < length) {
    const count = readSync(fd, slab, filled, length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
