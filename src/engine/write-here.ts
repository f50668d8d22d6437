/** Writes a tree without a thread of its own. */

import { createTreeWriter, type TreeWriterOptions } from '../files/write.ts';
import type { TreeWriting } from './restore-thread.ts';

/** @param target bytes as a latin1 string */
export function writeHere(target: string, options: Omit<TreeWriterOptions, 'onPlaced'>): TreeWriting {
  let [written, kept] = [0, 0];
  const onPlaced = (wasThere: boolean) => void (wasThere ? kept++ : written++);
  const writer = createTreeWriter(target, { ...options, onPlaced });
  return {
    ...writer,
    async close() {
      writer.close();
      return { written, kept };
    },
  };
}
