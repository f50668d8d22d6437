/** Slabs that go round: filled, sent on, and given back when their bytes have been used. */

import { SLAB_SIZE } from './batch.ts';

export interface SlabPool {
  /** A slab that nobody uses; made if none has come back and there are still few. @throws when `ready` did not resolve */
  take(): Uint8Array;
  /** Resolves when `take` can give one. */
  ready(): Promise<void>;
  /** @param slab any part of a slab; its whole buffer goes back */
  giveBack(slab: Uint8Array): void;
}

/** @param most slabs that may be under way at a time: the bound of what is in memory */
export function createSlabPool(most: number): SlabPool {
  const free: Uint8Array[] = [];
  let made = 0;
  let wake: (() => void) | undefined;
  return {
    take() {
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
    giveBack(slab) {
      free.push(new Uint8Array(slab.buffer));
      wake?.();
      wake = undefined;
    },
  };
}
