/**
 * Slabs that go round: filled, sent on, and given back when their bytes have been used. With each goes a buffer for its
 * sigtar records: new ones would pile up outside of the heap, where garbage collection sees them late.
 */

import { SLAB_SIZE } from './batch.ts';

export interface SlabPool {
  /** A slab that nobody uses; made if none has come back and there are still few. @throws when `ready` did not resolve */
  takeSlab(): Uint8Array;
  /** Resolves when `takeSlab` can give one. */
  ready(): Promise<void>;
  /** Slabs that have not come back. */
  underWay(): number;
  /** @param slab any part of a slab; its whole buffer goes back */
  giveBack(slab: Uint8Array): void;
  /** A buffer for records, of any length. */
  takeRecords(): Buffer;
  /** @param records any part of such a buffer */
  giveBackRecords(records: Uint8Array): void;
}

/** A guess: of files of ten kilobytes. They grow. */
const RECORDS = 128 * 1024;

/** @param most slabs that may be under way at a time: the bound of what is in memory */
export function createSlabPool(most: number): SlabPool {
  const free: Uint8Array[] = [];
  const records: Buffer[] = [];
  let made = 0;
  let wake: (() => void) | undefined;
  return {
    takeSlab() {
      const slab = free.pop();
      if (slab) return slab;
      if (made === most) throw new Error('no slab is free');
      made++;
      return new Uint8Array(SLAB_SIZE);
    },
    ready() {
      if (free.length > 0 || made < most) return Promise.resolve();
      return new Promise(resolve => {
        wake = resolve;
      });
    },
    underWay: () => made - free.length,
    giveBack(slab) {
      free.push(new Uint8Array(slab.buffer));
      wake?.();
      wake = undefined;
    },
    takeRecords: () => records.pop() ?? Buffer.allocUnsafeSlow(RECORDS),
    giveBackRecords({ buffer }) {
      records.push(Buffer.from(buffer));
    },
  };
}
