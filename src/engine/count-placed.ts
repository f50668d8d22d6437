/** What becomes of a tree that is written, as its end tells. */

import type { TreeWriterOptions } from '../files/write.ts';
import type { Placed } from './restore-records.ts';

/** @param setsAside see `WriteOptions` @returns what a writer tells, and what it has told so far */
export function countPlaced(setsAside: boolean): {
  readonly tell: Pick<TreeWriterOptions, 'onPlaced' | 'onSetAside'>;
  placed(): Placed;
} {
  let [written, kept] = [0, 0];
  const aside: string[] = [];
  return {
    tell: {
      onPlaced: wasThere => void (wasThere ? kept++ : written++),
      ...(setsAside && { onSetAside: path => void aside.push(path) }),
    },
    placed: () => ({ written, kept, aside }),
  };
}
