/** How far the volumes that a restore, verify, check or copy needs are read, in stored bytes: those are known beforehand. */

import { displayPath } from '../bytes.ts';
import type { Reporter } from '../report.ts';
import type { Chunks } from '../streams.ts';

export interface ReadingProgress {
  /** Sizes of all that will be read; without them no share can be told. */
  expect(sizes: readonly number[]): void;
  /** The bytes of a volume, counted as they go by. */
  counted(stored: Chunks): Chunks;
  /** The path at hand. */
  reached(path: string): void;
}

/** @param stage what is being done, in a word */
export function createReadingProgress(reporter: Reporter, stage = 'reading'): ReadingProgress {
  let [bytesDone, entriesDone] = [0, 0];
  let bytesTotal: number | undefined;
  let path: string | undefined;
  return {
    expect(sizes) {
      bytesTotal = sizes.reduce((sum, size) => sum + size, 0);
    },
    async *counted(stored) {
      for await (const chunk of stored) {
        bytesDone += chunk.length;
        reporter.progress({
          ...{ stage, bytesDone, entriesDone },
          ...(bytesTotal !== undefined && { bytesTotal }),
          ...(path !== undefined && { path: displayPath(path) }),
        });
        yield chunk;
      }
    },
    reached(current) {
      path = current;
      entriesDone++;
    },
  };
}
