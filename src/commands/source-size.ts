/** The size of a source, looked up beforehand where somebody wants to see how far a backup is. */

import { setImmediate as turn } from 'node:timers/promises';
import { walk } from '../files/walk.ts';

/** @returns bytes of all files; aborts with the signal's reason */
export async function measureSource(source: string, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for (const items of walk(source)) {
    for (const { entry } of items) bytes += entry?.size ?? 0;
    signal.throwIfAborted();
    await turn();
  }
  return bytes;
}
