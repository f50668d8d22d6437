/** Stores one set: volumes as they fill, then signatures, then the manifest, which is the commit. */

import type { PackBatch } from '../engine/batch.ts';
import { type Counts, createCounts } from '../engine/counts.ts';
import { storedBytes } from '../engine/journal.ts';
import type { Packing } from '../engine/packing.ts';
import { createSealingThread } from '../engine/sealing-thread.ts';
import { createSetWriter } from '../engine/set-writer.ts';
import { createTargetPace, type TargetPace } from '../engine/target-pace.ts';
import { createBatchCursor, storeVolumes } from '../engine/volumes.ts';
import { BackupError } from '../errors.ts';
import { allSets, type Collection, collectSets } from '../manifest/chains.ts';
import { endOf, type SetId, setKey, volumeName } from '../manifest/names.ts';
import { describeSet, type Listed } from '../manifest/sets.ts';
import { canonicalLocaldir } from '../manifest/source.ts';
import { listAll, type Storage } from '../storage/storage.ts';
import { createEnvelope } from '../volumes/envelope.ts';
import type { Openers } from '../volumes/openpgp-preface.ts';
import type { Base } from './backup-plan.ts';
import { type BackupProgress, toldBatches } from './backup-progress.ts';
import {
  createEnvelopes,
  type Envelopes,
  isWorthAThread,
  keysOfSet,
  type Sealing,
  sealingOf,
  wantedForm,
  warnOfOtherOpeners,
} from './backup-sealing.ts';
import type { Outcome, Setting, Task } from './backup-setting.ts';
import { checkDeletions } from './deletion-guard.ts';
import { batchesAtOnce } from './host.ts';
import { removePartial } from './interrupted.ts';
import { rememberRoot } from './root-guard.ts';

export async function storeSet(
  task: Task,
  packing: Packing,
  setting: Setting,
  progress: BackupProgress,
): Promise<Outcome> {
  const { request, host, archive, checked } = setting;
  const keys = await sealingOf(request, archive);
  const pace = createTargetPace();
  const envelopes = createEnvelopes(request, wantedForm(request), task.set, host, keys, pace.hasTime);
  try {
    if (host.cores > 1) void packing.deriver?.then(envelopes.deriveWith); // often while the passphrase is being tried
    const ofNewest = await checked();
    envelopes.deriveWith();
    return await storeWith({ keys, pace, envelopes, ofNewest }, task, packing, setting, progress);
  } finally {
    envelopes.close();
  }
}

interface Means {
  readonly keys: Sealing;
  readonly pace: TargetPace;
  readonly envelopes: Envelopes;
  /** Who opens the newest set at the target, if that is known. */
  readonly ofNewest: Openers | undefined;
}

async function storeWith(
  { keys, pace, envelopes, ofNewest }: Means,
  task: Task,
  packing: Packing,
  setting: Setting,
  progress: BackupProgress,
): Promise<Outcome> {
  const { set, base, journal } = task;
  const { request, host, archive, root } = setting;
  const { storage, cache, prefixes } = archive;
  const before = set.type === 'inc' ? ofNewest : undefined;
  const form = wantedForm(request);
  const cleared = storage.removeStale();
  cleared.catch(() => {}); // it is reported when its turn comes
  await cache.removeStale();
  if (form === 'gpg') await warnOfOtherOpeners(before, keys, host);
  const sealing = form === 'gpg' && host.cores > 1 ? createSealingThread() : undefined;
  const header = journal?.header ?? {
    ...{ set, form, prefixes },
    hostname: host.hostname(),
    localdir: canonicalLocaldir(request.source),
    keys: keysOfSet(keys),
  };
  const writer = await createSetWriter({
    ...{ cache, storage, header, journal },
    envelope: envelopes.ofMetadata,
    signal: host.signal,
  });
  const last = journal?.checkpoints.at(-1);
  let counts: Readonly<Counts> = last?.mark.counts ?? createCounts();
  let stored = storedBytes(journal);
  const nameOf = (volume: number) => volumeName(set, volume, form, prefixes);
  let volumes = last?.volume ?? 0;
  const sizes = new Map(journal?.checkpoints.map(({ volume, size }) => [volume, size]));

  const add = async (batch: PackBatch) => {
    await writer.add(batch);
    if (batch.sigtar.length > 0) packing.recycleRecords(batch.sigtar);
  };

  async function* told(): AsyncGenerator<PackBatch, void, undefined> {
    for await (const batch of toldBatches(packing, setting, progress)) {
      counts = batch.counts;
      if (batch.difftar.length === 0) await add(batch);
      yield batch;
    }
    // Before the last volume is finished: a source that has gone must not become a set that says so.
    if (set.type === 'inc' && !request.allowMassDelete) checkDeletions(counts, request.maxDelete);
  }

  /** Readers of a set that is complete would miss what is gone. */
  async function checkTarget(): Promise<void> {
    sizes.delete(volumes); // it came there just now
    const listing = await listAll(storage);
    const lost = lostVolumes(sizes, nameOf, listing);
    if (lost.length > 0) {
      if (lost[0] === 1) writer.discard(); // nothing is left to go on from
      const which = `volume ${lost.slice(0, 5).join(', ')}${lost.length > 5 ? ' …' : ''}`;
      throw new BackupError(
        'volume-missing',
        `${which} of the ${describeSet(set)} was stored and is not at the target any more: somebody has removed it meanwhile, as cleanup does on another machine. The set is not completed; run again, and what is missing is made anew.`,
      );
    }
    const collection = collectSets(listing, prefixes);
    const change = rivalOf(set, collection) ?? (base && changeOf(base, collection));
    if (change === undefined) return;
    writer.discard();
    throw new BackupError(
      'locked',
      `Another run was at work in ${storage.description} meanwhile: ${change}, so the ${describeSet(set)} is not completed. Run again when it has ended.`,
    );
  }

  try {
    const batches = createBatchCursor(told());
    const isEmpty = !journal && set.type === 'inc' && (await batches.peek()) === undefined;
    if (request.skipIfNoChange && isEmpty) {
      const message = 'Nothing has changed; no set is stored.';
      host.reporter.report({ level: 'notice', code: 'no-change', message });
      return { counts, stored };
    }
    await storeVolumes(batches, {
      storage,
      after: last && { volume: last.volume, end: last.mark.end },
      volumeSize: request.volumeSize,
      width: batchesAtOnce(host),
      uploads: 1,
      nameOf,
      pace,
      createEnvelope: async first => {
        const thread = sealing && isWorthAThread(first) && sealing.canStart() ? sealing : undefined;
        thread?.start(); // while the key is being derived
        const how = await envelopes.ofVolume(thread?.openSealer);
        await cleared;
        return createEnvelope(how);
      },
      onTaken: add,
      onConsumed: batch => packing.recycle(batch.difftar),
      mark: () => writer.mark(),
      async onStored(volume) {
        volumes = volume.number;
        sizes.set(volume.number, volume.size);
        stored += volume.size;
        await writer.volumeStored(volume);
        await rememberRoot(archive, request.source, root, host.reporter); // whoever goes on must find the same
        const message = `Processed volume ${volume.number}`;
        const facts = { bytesDone: counts.sourceFileSize };
        host.reporter.report({ level: 'info', code: 'volume-stored', message, facts });
      },
      signal: host.signal,
    });
    // Signatures of a run that broke off before its commit would stand beside ours and confuse other readers.
    for (const { name } of base?.dangling ?? []) await storage.delete(name);
    await removePartial(archive, set); // of sets that the catalog knows by now
    await writer.commit({
      mayCount: checkTarget,
      learn: pieces => packing.commit(pieces),
    });
  } catch (error) {
    // What was stored by then may say that things are deleted which are not: nobody is to continue it.
    if (error instanceof BackupError && error.code === 'guard-stopped') writer.discard();
    throw error;
  } finally {
    await sealing?.close();
    await Promise.allSettled([cleared]);
    await writer.close();
    if (!writer.mayBeComplete && !writer.isResumable) await withdraw(volumes, nameOf, storage);
  }
  return { counts, stored };
}

/**
 * A set must not count whose volumes were removed while it was made.
 * @param sizes bytes by number
 * @returns numbers, ascending
 */
function lostVolumes(
  sizes: ReadonlyMap<number, number>,
  nameOf: (volume: number) => string,
  listing: readonly Listed[],
): number[] {
  const there = new Map(listing.map(({ name, size }) => [name, size]));
  return [...sizes.keys()].filter(volume => there.get(nameOf(volume)) !== sizes.get(volume));
}

/**
 * Another set of the same second, by another machine. Two chains with one end would stop real duplicity, and what
 * continues one could be taken for a part of the other. A full set that is under way goes before an incremental.
 * @returns as the next
 */
function rivalOf(set: SetId, collection: Collection): string | undefined {
  const rival = allSets(collection).find(({ id, manifest }) => {
    if (setKey(id) === setKey(set) || endOf(id) !== endOf(set)) return false;
    return manifest || (set.type === 'inc' && id.type === 'full');
  });
  return rival && `it stores the ${describeSet(rival.id)}, of the same second`;
}

/**
 * What has become of the chain that is continued: of two sets that follow the same one, readers know the later alone, and
 * nothing that follows the other.
 * @returns a part of a sentence; undefined if nothing has
 */
function changeOf({ chain }: Base, { chains }: Collection): string | undefined {
  const known = new Set(chain.sets.map(({ id }) => setKey(id)));
  const full = setKey(chain.sets[0].id);
  const sets = chains.find(({ sets: [first] }) => setKey(first.id) === full)?.sets ?? [];
  const other = sets.find(({ id }) => !known.has(setKey(id)));
  if (other) return `it has stored the ${describeSet(other.id)}, which continues the same chain`;
  return sets.length < known.size ? 'what this one builds on was removed' : undefined;
}

/** Removes the volumes of a set that nobody will continue; what can't be removed now is known as incomplete later. */
async function withdraw(
  volumes: number,
  nameOf: (volume: number) => string,
  storage: Storage,
): Promise<void> {
  for (let volume = 1; volume <= volumes; volume++) {
    try {
      await storage.delete(nameOf(volume));
    } catch {
      return; // the failure that ended the run is the one to tell
    }
  }
}
