/** Proves volumes one by one, and signatures. */

import { createHash } from 'node:crypto';
import { comparePaths, displayPath } from '../bytes.ts';
import { BackupError, messageOf } from '../errors.ts';
import type { VolumeEntry } from '../manifest/manifest.ts';
import { describeSet } from '../manifest/sets.ts';
import { createDeltaReader, type DeltaReader } from '../rsync/delta-reader.ts';
import { type Chunks, hashing } from '../streams.ts';
import { createDifftarReader } from '../volumes/difftar.ts';
import { type MergedRecord, mergeSigtars, readSigtar } from '../volumes/sigtar.ts';
import {
  type CheckedSet,
  type CheckRun,
  type CheckUnit,
  digest,
  forgetCopy,
  holdsWhatItShould,
  isFault,
  unlessDamaged,
} from './check-sets.ts';

/**
 * @param volumes of the set, ascending
 * @param earlier the sets before it
 * @returns those with a fault, which is not told yet: whoever finds out what it costs tells it
 */
export async function proveVolumes(
  { set }: CheckedSet,
  volumes: readonly { readonly entry: VolumeEntry; readonly unit: CheckUnit }[],
  earlier: readonly CheckedSet[],
  run: CheckRun,
): Promise<VolumeEntry[]> {
  const { archive, host } = run;
  const faulty: VolumeEntry[] = [];
  const bases = createBases(earlier, run);
  try {
    for (const [index, { entry, unit }] of volumes.entries()) {
      host.signal.throwIfAborted();
      try {
        const opened = await archive.openVolume(set, entry, run.progress.counted);
        const next = volumes[index + 1];
        if (next) archive.expectVolume(set, next.entry);
        const held = await takeApart(opened, async path => {
          if (await bases.isFile(path)) return;
          const name = displayPath(path);
          run.fault(
            'no-base',
            `${name} in the ${describeSet(set.id)} is a delta without the version that it changes`,
            path,
          );
        });
        if (holdsWhatItShould(set, entry, held, run)) run.prove(unit);
        else run.disprove(unit);
      } catch (error) {
        if (!isFault(error)) throw error;
        run.disprove(unit);
        faulty.push(entry);
      }
    }
  } finally {
    await bases.close();
  }
  return faulty;
}

/** Reads a volume without the others of its set. @param onDelta told of each path that is a delta */
async function takeApart(
  chunks: Chunks,
  onDelta: (path: string) => Promise<void>,
): Promise<{ first: string; last: string } | undefined> {
  let first: string | undefined;
  let last = '';
  let deltas: string[] = [];
  let delta: DeltaReader | undefined;
  const reader = createDifftarReader({
    begin({ path, kind, continuation }) {
      if (first !== undefined && comparePaths(path, last) <= 0) {
        throw new BackupError('damaged', 'its entries are out of order');
      }
      first ??= path;
      last = path;
      if (kind === 'diff') deltas.push(path);
      delta = kind === 'diff' && !continuation ? createDeltaReader({ literal() {}, copy() {} }) : undefined;
    },
    data: bytes => delta?.push(bytes),
    finish(complete) {
      if (complete) delta?.end();
      delta = undefined;
    },
  });
  reader.startVolume();
  for await (const chunk of chunks) {
    reader.push(chunk);
    for (const path of deltas) await onDelta(path);
    deltas = [];
  }
  reader.endVolume();
  reader.skipVolumes(); // what ends here in its middle goes on in the next one
  return first === undefined ? undefined : { first, last };
}

/** Whether the sets before had a file at a path; asked in path order. */
function createBases(earlier: readonly CheckedSet[], { archive }: CheckRun) {
  let merged: AsyncGenerator<MergedRecord[]> | undefined;
  let records: MergedRecord[] = [];
  let next = 0;
  const begin = () =>
    mergeSigtars(
      earlier.map(async function* ({ set }) {
        yield* readSigtar(await archive.sigtarOf(set));
      }),
      { keepDeleted: false },
    );
  return {
    async isFile(path: string): Promise<boolean> {
      if (earlier.some(({ signatures }) => !signatures)) return true; // nobody can tell
      merged ??= begin();
      for (;;) {
        for (; next < records.length; next++) {
          const order = comparePaths(records[next]!.path, path);
          if (order === 0) return records[next]!.kind === 'signature';
          if (order > 0) return false;
        }
        const more = await merged.next();
        if (more.done) return false;
        records = more.value;
        next = 0;
      }
    },
    async close() {
      await merged?.return(undefined);
    },
  };
}

/** Signatures are read at the target; where the cache has them too they must agree. */
export async function proveSignatures({ set }: CheckedSet, unit: CheckUnit, run: CheckRun): Promise<void> {
  const { archive, fault } = run;
  const name = `the signatures of the ${describeSet(set.id)}`;
  try {
    const hash = createHash('sha256');
    for await (const _ of readSigtar(hashing(archive.openAtTarget(unit.object, 'signatures'), hash)));
    const cached = await archive.openInCache(set, 'signatures');
    const sum = cached && (await digest(cached).catch(unlessDamaged));
    if (cached && sum === undefined) await forgetCopy(set, 'signatures', run);
    else if (cached && sum !== hash.digest('hex')) {
      fault('signatures-differ', `${name} at the target are not those in the archive cache`);
      return;
    }
    run.prove(unit);
  } catch (error) {
    if (!isFault(error)) throw error;
    run.disprove(unit);
    fault(
      'signatures-damaged',
      `${name}: ${messageOf(error)}; nothing is lost, but the chain can't be continued`,
    );
  }
}
