/**
 * A backup: walk → collate with the chain's state → pack → volumes → target, with signatures and manifest beside it;
 * the manifest last, because putting it there is the commit. A full set is one whose state is empty.
 */

import { displayPath } from '../bytes.ts';
import { acquireRunLock } from '../cache/lock.ts';
import type { PackBatch } from '../engine/batch.ts';
import { type Counts, createCounts } from '../engine/counts.ts';
import { createPacker, type Packer, type Packing } from '../engine/packing.ts';
import { createSetWriter } from '../engine/set-writer.ts';
import { createBatchCursor, storeVolumes } from '../engine/volumes.ts';
import { BackupError, exitStatus } from '../errors.ts';
import type { Collection } from '../manifest/chains.ts';
import { endOf, type SetId, volumeName } from '../manifest/names.ts';
import type { StoredObject } from '../manifest/sets.ts';
import { canonicalLocaldir } from '../manifest/source.ts';
import { lastFullLine } from '../manifest/status-text.ts';
import type { Storage } from '../storage/storage.ts';
import { createEnvelope, type EnvelopeForm, type EnvelopeOptions } from '../volumes/envelope.ts';
import { prepareSessionKey } from '../volumes/openpgp-session.ts';
import { type Archive, openArchive } from './archive.ts';
import {
  type BackupMode,
  type Base,
  catalogedSets,
  chooseBase,
  forgetSignatures,
  newSetId,
  newSetTime,
} from './backup-plan.ts';
import { catalogFile, clearCatalogs } from './catalog-files.ts';
import { checkDeletions } from './deletion-guard.ts';
import type { CommonOptions, Host } from './host.ts';
import { askPassphrase, checkPassphrase } from './passphrase-check.ts';
import { checkSource } from './source-check.ts';
import { measureSource } from './source-size.ts';
import { formatStatistics } from './statistics.ts';

export interface BackupRequest extends CommonOptions {
  /** Bytes as a latin1 string, as the user gave it. */
  readonly source: string;
  readonly url: string;
  /** `auto`: incremental if a chain can be continued, else full. */
  readonly mode: BackupMode;
  readonly fullIfOlderThan?: string | undefined;
  readonly allowSourceMismatch: boolean;
  /** Stores no set at all if it would be empty. */
  readonly skipIfNoChange: boolean;
  readonly encrypt: boolean;
  readonly compress: boolean;
  /** Of zlib, 0 to 9, or `auto`. */
  readonly level: number | 'auto';
  /** Bytes. */
  readonly volumeSize: number;
  readonly dryRun: boolean;
  /** Ends with 0 instead of 3 when some sources could not be read. */
  readonly sourceErrorsOk: boolean;
  readonly printStatistics: boolean;
  /** Looks up the size of the source first, so that progress can be told. */
  readonly progress: boolean;
  /** Percent of the known entries that may be deleted by one incremental without `allowMassDelete`. */
  readonly maxDelete: number;
  readonly allowMassDelete: boolean;
  /** Upper limit of the signature block length for files below 256 MiB; bytes. */
  readonly maxBlockLength: number;
}

/**
 * @param packer may be started early by the caller; ended here
 * @returns the exit status
 */
export async function backup(
  request: BackupRequest,
  host: Host,
  packer: Packer = createPacker(host.cores),
): Promise<number> {
  const startTime = host.now();
  try {
    checkSource(request.source, request.url);
    const archive = await openArchive(request.url, request, host);
    try {
      return await backUpTo(archive, request, host, packer, startTime);
    } finally {
      await archive.close();
    }
  } finally {
    await packer.close();
  }
}

async function backUpTo(
  archive: Archive,
  request: BackupRequest,
  host: Host,
  packer: Packer,
  startTime: number,
): Promise<number> {
  const lock = await acquireRunLock(archive.cache.folder);
  try {
    const collection = await archive.collection();
    host.reporter.report({ level: 'notice', code: 'last-full', message: lastFullLine(collection) });
    const bytesTotal = request.progress ? await measureSource(request.source, host.signal) : undefined;
    const { counts, stored } = await run({ request, host, archive, bytesTotal }, packer, collection);
    if (request.printStatistics) {
      const times = { startTime, endTime: host.now() };
      await host.print(formatStatistics({ ...counts, ...times, totalDestinationSizeChange: stored }));
    }
    return counts.errors > 0 && !request.sourceErrorsOk ? exitStatus.partial : exitStatus.done;
  } finally {
    lock.release();
  }
}

interface Outcome {
  readonly counts: Readonly<Counts>;
  /** Bytes of the volumes at the target. */
  readonly stored: number;
}

interface Setting {
  /** Bytes of the source, if somebody wants to see progress. */
  readonly bytesTotal: number | undefined;
  readonly request: BackupRequest;
  readonly host: Host;
  readonly archive: Archive;
  /** Fails if the passphrase is not that of the sets that are there. */
  readonly checked: Promise<void>;
}

async function run(
  setting: Omit<Setting, 'checked'>,
  packer: Packer,
  collection: Collection,
): Promise<Outcome> {
  const { request, host, archive } = setting;
  let checked = Promise.resolve();
  if (request.encrypt && !request.dryRun) {
    await askPassphrase(collection, host);
    checked = checkPassphrase(archive, collection); // which takes a while; nothing is stored before
    checked.catch(() => {}); // `store` hears of it
  }
  const attempt = async () => {
    const base = await chooseBase(archive, collection, request, host);
    clearCatalogs(archive, collection);
    return runOn(base, { ...setting, checked }, packer, collection);
  };
  try {
    return await attempt();
  } catch (error) {
    await checked; // a wrong passphrase explains other failures
    if (!(error instanceof BackupError) || error.code !== 'cache-damaged') throw error;
    // Nothing has been stored yet: the catalog is opened before anything else.
    const message = `${error.message}; copying it again`;
    host.reporter.report({ level: 'notice', code: 'cache-damaged', message });
    await forgetSignatures(archive, collection);
    return attempt();
  }
}

async function runOn(
  base: Base | undefined,
  setting: Setting,
  packer: Packer,
  collection: Collection,
): Promise<Outcome> {
  const { request, host, archive } = setting;
  const set = newSetId(base, await newSetTime(collection, host));
  const packing = packer.start({
    source: request.source,
    catalog: catalogFile(archive, base ? base.chain.start : endOf(set)),
    sets: catalogedSets(archive, base),
    time: endOf(set),
    maxBlockLength: request.maxBlockLength,
  });
  return request.dryRun ? pretend(packing, setting) : store(set, packing, base?.dangling ?? [], setting);
}

/** Reads everything as a backup does, and stores nothing. */
async function pretend(packing: Packing, { host, bytesTotal }: Setting): Promise<Outcome> {
  let counts: Readonly<Counts> = createCounts();
  for await (const batch of packing.batches) {
    host.signal.throwIfAborted();
    warn(batch, host, bytesTotal);
    counts = batch.counts;
    if (batch.difftar.length > 0) packing.recycle(batch.difftar);
  }
  return { counts, stored: 0 };
}

async function store(
  set: SetId,
  packing: Packing,
  dangling: readonly StoredObject[],
  { request, host, archive, bytesTotal, checked }: Setting,
): Promise<Outcome> {
  const { storage, cache, prefixes } = archive;
  await checked;
  const form: EnvelopeForm = request.encrypt ? 'gpg' : request.compress ? 'gz' : 'plain';
  await storage.removeStale();
  await cache.removeStale();
  for (const name of await cache.listPartial()) await cache.removePartial(name); // of a run that was killed
  const envelope = createEnvelopes(request, form, set, host);
  const writer = await createSetWriter({
    ...{ cache, storage, set, prefixes, form },
    hostname: host.hostname(),
    localdir: canonicalLocaldir(request.source),
    envelope,
    signal: host.signal,
  });
  let counts: Readonly<Counts> = createCounts();
  let stored = 0;
  const storedNames: string[] = [];

  async function* recorded(): AsyncGenerator<PackBatch, void, undefined> {
    for await (const batch of packing.batches) {
      host.signal.throwIfAborted();
      warn(batch, host, bytesTotal);
      counts = batch.counts;
      await writer.add(batch);
      yield batch;
    }
    // Before the last volume is finished: a source that has gone must not become a set that says so.
    if (set.type === 'inc' && !request.allowMassDelete) checkDeletions(counts, request.maxDelete);
  }

  try {
    const batches = createBatchCursor(recorded());
    if (request.skipIfNoChange && set.type === 'inc' && (await batches.peek()) === undefined) {
      host.reporter.report({
        level: 'notice',
        code: 'no-change',
        message: 'Nothing has changed; no set is stored.',
      });
      return { counts, stored };
    }
    const volumes = storeVolumes(batches, {
      storage,
      volumeSize: request.volumeSize,
      width: Math.max(2, host.cores + 2),
      uploads: 1,
      nameOf: number => volumeName(set, number, form, prefixes),
      createEnvelope: async () => createEnvelope(await envelope()),
      onConsumed: batch => packing.recycle(batch.difftar),
      signal: host.signal,
    });
    for await (const volume of volumes) {
      stored += volume.size;
      storedNames.push(volumeName(set, volume.number, form, prefixes));
      await writer.volumeStored(volume);
      host.reporter.report({
        level: 'info',
        code: 'volume-stored',
        message: `Processed volume ${volume.number}`,
      });
    }
    // Signatures of a run that broke off before its commit would stand beside ours and confuse other readers.
    for (const { name } of dangling) await storage.delete(name);
    await packing.commit(await writer.commit());
  } finally {
    await writer.close();
    if (!writer.mayBeComplete) await withdraw(storedNames, storage);
  }
  return { counts, stored };
}

/** Removes the volumes of a set that will not be completed; what can't be removed now is known as incomplete later. */
async function withdraw(names: readonly string[], storage: Storage): Promise<void> {
  for (const name of names) {
    try {
      await storage.delete(name);
    } catch {
      return; // the failure that ended the run is the one to tell
    }
  }
}

/**
 * How the objects of a set are enveloped. They share one key, which is made while the source is looked at: each of them
 * begins with its own random block, which is what sets messages under one key apart.
 */
function createEnvelopes(request: BackupRequest, form: EnvelopeForm, set: SetId, host: Host) {
  const mtimeSeconds = endOf(set);
  const deflate = { level: request.level };
  const secrets = { passphrase: () => host.passphrase(true) };
  const key = form === 'gpg' ? prepareSessionKey(secrets, host.random) : undefined;
  key?.catch(() => {}); // who asks for an envelope hears of it
  return async (): Promise<EnvelopeOptions> => {
    if (form === 'plain') return { form };
    if (form === 'gz') return { form, mtimeSeconds, deflate };
    const { compress } = request;
    return { form, key: (await key)!, random: host.random, mtimeSeconds, deflate, compress };
  };
}

function warn(batch: PackBatch, { reporter }: Host, bytesTotal: number | undefined): void {
  for (const { code, message, path } of batch.warnings) {
    reporter.report({ level: 'warning', code, message, facts: { path } });
  }
  reporter.progress({
    stage: 'backup',
    bytesDone: batch.counts.sourceFileSize,
    ...(bytesTotal !== undefined && { bytesTotal }),
    entriesDone: batch.counts.sourceFiles,
    ...(batch.last && { path: displayPath(batch.last.path) }),
  });
}
