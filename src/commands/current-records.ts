/** What a state of the archive holds, from the signatures of its sets alone. */

import type { BackupSet } from '../manifest/sets.ts';
import { mergeSigtars, readSigtar } from '../volumes/sigtar.ts';
import type { Archive } from './archive.ts';
import { chunksOf } from './reading-chunks.ts';

/**
 * @param sets of the state, oldest first
 * @returns the newest record of each path that is there, in order of paths, some at a time
 */
export async function* currentRecords(archive: Archive, sets: readonly BackupSet[], signal: AbortSignal) {
  const chunkFor = chunksOf(sets);
  const sources = [];
  for (const set of sets) {
    sources.push(readSigtar(await archive.sigtarOf(set, chunkFor(set)), { withSignatures: false }));
  }
  for await (const records of mergeSigtars(sources, { keepDeleted: false })) {
    signal.throwIfAborted();
    yield records;
  }
}
