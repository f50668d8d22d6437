/** The size of a source, looked up beforehand where somebody wants to see how far a backup is. */

import { setImmediate as turn } from 'node:timers/promises';
import { createSelection } from '../files/select.ts';
import type { SelectionRule } from '../files/select-rules.ts';
import { walk } from '../files/walk.ts';

/** @returns bytes of all files; aborts with the signal's reason */
export async function measureSource(
  { source, selection }: { readonly source: string; readonly selection: readonly SelectionRule[] },
  signal: AbortSignal,
): Promise<number> {
  let bytes = 0;
  for (const items of walk(source, createSelection(selection, source))) {
    for (const { entry } of items) bytes += entry?.size ?? 0;
    signal.throwIfAborted();
    await turn();
  }
  return bytes;
}
