/** The content of one file after the other: little pieces are gathered in a slab, large ones are written as they are. */

import { closeSync, writeSync } from 'node:fs';

export interface Gatherer {
  /** Begins a file, whose descriptor is given, at a position in it. */
  start(fd: number, position?: number): void;
  /** The next bytes; lent. @throws a system error */
  push(bytes: Uint8Array): void;
  /** Writes what is left. @throws a system error */
  finish(): void;
  /**
   * Closes the descriptor.
   * @returns how long the file is, in bytes
   * @throws a system error: some file systems say only here that the disk is full
   */
  close(): number;
}

const SLAB = 256 * 1024;
const LARGE = 64 * 1024;

export function createGatherer(): Gatherer {
  const slab = Buffer.allocUnsafeSlow(SLAB);
  let filled = 0;
  let file: { readonly fd: number; length: number } | undefined;

  const write = (bytes: Uint8Array, length: number) => {
    const { fd, length: position } = file!;
    for (let at = 0; at < length; ) at += writeSync(fd, bytes, at, length - at, position + at);
    file!.length += length;
  };
  const flush = () => {
    write(slab, filled);
    filled = 0;
  };
  return {
    start(fd, position = 0) {
      file = { fd, length: position };
      filled = 0;
    },
    push(bytes) {
      if (filled + bytes.length > SLAB || bytes.length >= LARGE) flush();
      if (bytes.length >= LARGE) return write(bytes, bytes.length);
      slab.set(bytes, filled);
      filled += bytes.length;
    },
    finish: flush,
    close() {
      const { fd, length } = file!;
      file = undefined;
      closeSync(fd);
      return length;
    },
  };
}
