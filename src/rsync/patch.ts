/** Basis and delta → new file. */

import { createDeltaReader, type DeltaReader, damaged } from './delta-reader.ts';

/** A file that can be read anywhere, without waiting. */
export interface Basis {
  /** Bytes in the file. */
  readonly size: number;
  /**
   * Reads from `position` on into `target`.
   * @returns how many bytes it read: at least one, and fewer than `target` holds only if it likes to
   */
  read(position: number, target: Uint8Array): number;
}

const SLAB = 65536;

/**
 * Applies a delta, pushed in any chunks, to its basis.
 * @param write takes the new file's bytes in order; each piece is lent until it returns
 * @returns a reader that throws 'damaged' also for copies from beyond the basis's end
 */
export function createPatch(basis: Basis, write: (bytes: Uint8Array) => void): DeltaReader {
  const slab = new Uint8Array(SLAB);
  return createDeltaReader({
    literal: write,
    copy(position, length) {
      const end = position + length;
      if (end > basis.size) throw damaged('copies from beyond the end of its basis');
      for (let at = position; at < end; ) {
        const wanted = Math.min(SLAB, end - at);
        const read = basis.read(at, wanted === SLAB ? slab : slab.subarray(0, wanted));
        if (read < 1) throw damaged('has a basis that became shorter while it was read');
        write(slab.subarray(0, read));
        at += read;
      }
    },
  });
}
