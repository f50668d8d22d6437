/**
 * A backup: walk → collate with the chain's state → pack → volumes → target, with signatures and manifest beside it;
 * the manifest last, because putting it there is the commit. A full set is one whose state is empty.
 */

import { acquireRunLock } from '../cache/lock.ts';
import type { PackBatch } from '../engine/batch.ts';
import { type Counts, createCounts } from '../engine/counts.ts';
import { createPacker, type Packer, type Packing } from '../engine/packing.ts';
import { createSetWriter } from '../engine/set-writer.ts';
import { createBatchCursor, storeVolumes } from '../engine/volumes.ts';
import { exitStatus } from '../errors.ts';
import type { Collection } from '../manifest/chains.ts';
import { endOf, type SetId, volumeName } from '../manifest/names.ts';
import type { StoredObject } from '../manifest/sets.ts';
import { canonicalLocaldir } from '../manifest/source.ts';
import { lastFullLine } from '../manifest/status-text.ts';
import { formatTime } from '../manifest/time.ts';
import { createEnvelope, type EnvelopeForm, type EnvelopeOptions } from '../volumes/envelope.ts';
import { prepareSessionKey, type SealingKey } from '../volumes/openpgp-session.ts';
import { type Archive, openArchive } from './archive.ts';
import {
  type BackupMode,
  type Base,
  catalogedSets,
  chooseBase,
  newSetId,
  newSetTime,
} from './backup-plan.ts';
import type { CommonOptions, Host } from './host.ts';
import { checkPassphrase } from './passphrase-check.ts';
import { checkSource } from './source-check.ts';
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
}

/** @returns the exit status */
export async function backup(request: BackupRequest, host: Host): Promise<number> {
  const startTime = host.now();
  checkSource(request.source, request.url);
  const packer = createPacker(host.cores);
  const archive = await openArchive(request.url, request, host);
  try {
    const lock = await acquireRunLock(archive.cache.folder);
    try {
      const collection = await archive.collection();
      host.reporter.report({ level: 'notice', code: 'last-full', message: lastFullLine(collection) });
      const { counts, stored } = await run({ request, host, archive }, packer, collection);
      if (request.printStatistics) {
        const times = { startTime, endTime: host.now() };
        await host.print(formatStatistics({ ...counts, ...times, totalDestinationSizeChange: stored }));
      }
      return counts.errors > 0 && !request.sourceErrorsOk ? exitStatus.partial : exitStatus.done;
    } finally {
      lock.release();
    }
  } finally {
    await packer.close();
    await archive.close();
  }
}

interface Outcome {
  readonly counts: Readonly<Counts>;
  /** Bytes of the volumes at the target. */
  readonly stored: number;
}

interface Setting {
  readonly request: BackupRequest;
  readonly host: Host;
  readonly archive: Archive;
}

async function run(setting: Setting, packer: Packer, collection: Collection): Promise<Outcome> {
  const { request, host, archive } = setting;
  if (request.encrypt && !request.dryRun) await checkPassphrase(archive, collection, host);
  const base = await chooseBase(archive, collection, request, host);
  const set = newSetId(base, await newSetTime(collection, host));
  const packing = packer.start({
    source: request.source,
    catalog: catalogFile(archive, base, set),
    sets: catalogedSets(archive, base),
    time: endOf(set),
  });
  return request.dryRun ? pretend(packing, host) : store(set, packing, base?.dangling ?? [], setting);
}

/** Reads everything as a backup does, and stores nothing. */
async function pretend(packing: Packing, host: Host): Promise<Outcome> {
  let counts: Readonly<Counts> = createCounts();
  for await (const batch of packing.batches) {
    host.signal.throwIfAborted();
    warn(batch, host);
    counts = batch.counts;
    if (batch.difftar.length > 0) packing.recycle(batch.difftar);
  }
  return { counts, stored: 0 };
}

async function store(
  set: SetId,
  packing: Packing,
  dangling: readonly StoredObject[],
  { request, host, archive }: Setting,
): Promise<Outcome> {
  const { storage, cache, prefixes } = archive;
  const form: EnvelopeForm = request.encrypt ? 'gpg' : request.compress ? 'gz' : 'plain';
  await storage.removeStale();
  await cache.removeStale();
  const envelopes = createEnvelopes(request, form, set, host);
  const writer = await createSetWriter({
    ...{ cache, storage, set, prefixes, form },
    hostname: host.hostname(),
    localdir: canonicalLocaldir(request.source),
    envelope: envelopes.forMetadata,
    signal: host.signal,
  });
  let counts: Readonly<Counts> = createCounts();
  let stored = 0;

  async function* recorded(): AsyncGenerator<PackBatch, void, undefined> {
    for await (const batch of packing.batches) {
      host.signal.throwIfAborted();
      warn(batch, host);
      counts = batch.counts;
      await writer.add(batch);
      yield batch;
    }
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
      createEnvelope: async () => createEnvelope(await envelopes.forVolume()),
      onConsumed: batch => packing.recycle(batch.difftar),
      signal: host.signal,
    });
    for await (const volume of volumes) {
      stored += volume.size;
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
  }
  return { counts, stored };
}

/** One catalog a chain, named by its full set; the name must not begin like one of duplicity's. */
function catalogFile({ cache }: Archive, base: Base | undefined, set: SetId): string {
  return `${cache.folder}/tsbackup-catalog-${formatTime(base ? base.chain.start : endOf(set))}.sqlite`;
}

/** Objects of a set beside its volumes, whose keys are kept back for them: signatures and manifest. */
const METADATA_OBJECTS = 2;

/** Each object has its own key; the first ones, all that a small set needs, are made while the source is looked at. */
function createEnvelopes(request: BackupRequest, form: EnvelopeForm, set: SetId, host: Host) {
  const mtimeSeconds = endOf(set);
  // Without dictionary, so that segments can be inflated side by side, too.
  const deflate = { level: request.level, dictionary: false };
  const secrets = { passphrase: () => host.passphrase(true) };
  const ready: Promise<SealingKey>[] = [];
  const prepare = () => {
    // One after the other: the first is needed first.
    const key = (ready.at(-1) ?? Promise.resolve()).then(() => prepareSessionKey(secrets, host.random));
    key.catch(() => {}); // it is reported when its turn comes
    ready.push(key);
  };
  if (form === 'gpg') for (let i = 0; i < 1 + METADATA_OBJECTS; i++) prepare();
  const next = async (): Promise<EnvelopeOptions> => {
    if (form === 'plain') return { form };
    if (form === 'gz') return { form, mtimeSeconds, deflate };
    return {
      form,
      key: await ready.shift()!,
      random: host.random,
      mtimeSeconds,
      deflate,
      compress: request.compress,
    };
  };
  return {
    forMetadata: next,
    forVolume() {
      if (form === 'gpg' && ready.length <= METADATA_OBJECTS) prepare();
      return next();
    },
  };
}

function warn(batch: PackBatch, { reporter }: Host): void {
  for (const { code, message, path } of batch.warnings) {
    reporter.report({ level: 'warning', code, message, facts: { path } });
  }
  reporter.progress({
    stage: 'backup',
    bytesDone: batch.counts.sourceFileSize,
    entriesDone: batch.counts.sourceFiles,
    ...(batch.last && { path: batch.last.path }),
  });
}
