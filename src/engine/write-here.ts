/** Writes a tree without a thread of its own. */

import { createTreeWriter, type WriteProblem } from '../files/write.ts';
import { countPlaced } from './count-placed.ts';
import type { WriteOptions } from './restore-records.ts';
import type { TreeWriting } from './restore-thread.ts';

/** @param target bytes as a latin1 string */
export function writeHere(
  target: string,
  { setsAside, ...options }: WriteOptions,
  onProblem: (problem: WriteProblem) => void,
): TreeWriting {
  const { placed, tell } = countPlaced(setsAside);
  const writer = createTreeWriter(target, { ...options, ...tell, onProblem });
  return {
    ...writer,
    async close() {
      writer.close();
      return placed();
    },
  };
}
