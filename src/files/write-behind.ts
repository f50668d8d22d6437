/**
 * The content of one file after the other, gathered in slabs. What is longer than a slab is written by libuv's threads
 * while more of it comes; when they are behind, it is written right here. Little files never leave this thread.
 */

import { close, closeSync, write, writeSync } from 'node:fs';

export interface WriteBehind {
  /** Begins a file, whose descriptor is given, at a position in it. */
  start(fd: number, position?: number): void;
  /** The next bytes; lent. @throws a system error, also of an earlier write */
  push(bytes: Uint8Array): void;
  /**
   * Writes what is left.
   * @returns a promise if some of it is still being written; undefined if all is
   * @throws a system error, as does the promise
   */
  finish(): Promise<void> | undefined;
  /** Closes the descriptor; what is still being written, if the file was not finished, goes before. */
  close(): void;
}

interface File {
  readonly fd: number;
  /** Bytes that are written, or being so. */
  length: number;
  /** Slabs being written. */
  underway: number;
  failure: Error | undefined;
  /** Called when nothing is being written any more. */
  settle: (() => void) | undefined;
}

const SLAB = 256 * 1024;
const MOST_SLABS = 4;

/** @param aside whether other threads may write */
export function createWriteBehind(aside: boolean): WriteBehind {
  let slab = Buffer.allocUnsafeSlow(SLAB);
  let made = 1;
  const free: (typeof slab)[] = [];
  let filled = 0;
  let file: File | undefined;

  /** A slab that takes the place of one that is being written; undefined when there are enough of those. */
  const takeSlab = (): typeof slab | undefined => {
    if (!aside) return undefined;
    if (free.length === 0 && made < MOST_SLABS) {
      made++;
      return Buffer.allocUnsafeSlow(SLAB);
    }
    return free.pop();
  };

  const writeAside = (target: File, bytes: typeof slab, start: number, end: number, at: number): void => {
    write(target.fd, bytes, start, end - start, at, (error, written) => {
      if (!error && start + written < end)
        return writeAside(target, bytes, start + written, end, at + written);
      if (error) target.failure ??= error;
      free.push(bytes);
      target.underway--;
      if (target.underway > 0) return;
      target.settle?.();
      target.settle = undefined;
    });
  };

  const flush = (target: File) => {
    const other = takeSlab();
    if (other) {
      target.underway++;
      writeAside(target, slab, 0, filled, target.length);
      slab = other;
    } else writeAll(target.fd, slab, filled, target.length);
    target.length += filled;
    filled = 0;
  };
  const check = ({ failure }: File) => {
    if (failure) throw failure;
  };

  return {
    start(fd, position = 0) {
      file = { fd, length: position, underway: 0, failure: undefined, settle: undefined };
      filled = 0;
    },
    push(bytes) {
      const target = file!;
      check(target);
      for (let at = 0; at < bytes.length; ) {
        if (filled === SLAB) flush(target);
        const part = bytes.subarray(at, at + SLAB - filled);
        slab.set(part, filled);
        filled += part.length;
        at += part.length;
      }
    },
    finish() {
      const target = file!;
      writeAll(target.fd, slab, filled, target.length);
      filled = 0;
      if (target.underway === 0) {
        check(target);
        return undefined;
      }
      return new Promise<void>(resolve => {
        target.settle = resolve;
      }).then(() => check(target));
    },
    close() {
      const { fd, underway } = file!;
      if (underway > 0)
        file!.settle = () => close(fd, () => {}); // it was given up, and the reason is known
      else closeSync(fd); // some file systems say only here that the disk is full
      file = undefined;
    },
  };
}

function writeAll(fd: number, bytes: Uint8Array, length: number, position: number): void {
  for (let at = 0; at < length; ) at += writeSync(fd, bytes, at, length - at, position + at);
}
