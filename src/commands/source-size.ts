/** The size of a source, looked up beforehand where somebody wants to see how far a backup is. */

import { setImmediate as turn } from 'node:timers/promises';
import { BackupError } from '../errors.ts';
import { createSelection } from '../files/select.ts';
import type { SelectionRule } from '../files/select-rules.ts';
import { type WalkOptions, walk } from '../files/walk.ts';

interface MeasuredSource extends Pick<WalkOptions, 'except'> {
  readonly source: string;
  readonly selection: readonly SelectionRule[];
}

/** @returns bytes of all entries, as statistics count them; undefined if they can't be looked up now; aborts with the signal's reason */
export async function measureSource(
  { source, selection, except }: MeasuredSource,
  signal: AbortSignal,
): Promise<number | undefined> {
  let bytes = 0;
  try {
    for (const items of walk(source, { ...createSelection(selection, source), except })) {
      for (const { entry } of items) bytes += entry?.statSize ?? 0;
      signal.throwIfAborted();
      await turn();
    }
    return bytes;
  } catch (error) {
    if (error instanceof BackupError && error.code === 'source-unavailable') return undefined; // it may be there soon
    throw error;
  }
}
