/** What a state of the archive holds, from the signatures of its sets alone. */

import { keepYoungSmall, tidied } from '../engine/tidy.ts';
import type { BackupSet } from '../manifest/sets.ts';
import { mergeSigtars, readSigtar } from '../volumes/sigtar.ts';
import type { Archive } from './archive.ts';
import { chunksOf } from './reading-chunks.ts';

/**
 * @param sets of the state, oldest first
 * @returns the newest record of each path that is there, in order of paths, some at a time
 */
export async function* currentRecords(archive: Archive, sets: readonly BackupSet[], signal: AbortSignal) {
  keepYoungSmall(); // no thread is about to start
  const chunkFor = chunksOf(sets);
  const sources = [];
  for (const set of sets) {
    const sigtar = tidied(await archive.sigtarOf(set, chunkFor(set)), 2); // as tar, and as records
    sources.push(readSigtar(sigtar));
  }
  for await (const records of mergeSigtars(sources, { keepDeleted: false })) {
    signal.throwIfAborted();
    yield records;
  }
}
