/**
 * A backup: walk → pack → volumes → target, with signatures and manifest beside it; the manifest last, because putting
 * it there is the commit. Full sets for now; what makes an incremental different is only the state that the walk is
 * collated with.
 */

import { acquireRunLock } from '../cache/lock.ts';
import type { PackBatch } from '../engine/batch.ts';
import { type Counts, createCounts } from '../engine/counts.ts';
import { startPacking } from '../engine/packing.ts';
import { createSetWriter } from '../engine/set-writer.ts';
import { storeVolumes } from '../engine/volumes.ts';
import { BackupError, exitStatus } from '../errors.ts';
import type { Collection } from '../manifest/chains.ts';
import { type SetId, volumeName } from '../manifest/names.ts';
import { canonicalLocaldir } from '../manifest/source.ts';
import { lastFullLine } from '../manifest/status-text.ts';
import { createEnvelope, type EnvelopeForm, type EnvelopeOptions } from '../volumes/envelope.ts';
import { prepareSessionKey } from '../volumes/openpgp-session.ts';
import { type Archive, openArchive } from './archive.ts';
import type { CommonOptions, Host } from './host.ts';
import { checkPassphrase } from './passphrase-check.ts';
import { checkSource } from './source-check.ts';
import { formatStatistics } from './statistics.ts';

export interface BackupRequest extends CommonOptions {
  /** Bytes as a latin1 string, as the user gave it. */
  readonly source: string;
  readonly url: string;
  /** Begins a new chain whatever is there. */
  readonly full: boolean;
  readonly encrypt: boolean;
  readonly compress: boolean;
  /** Of zlib, 0 to 9. */
  readonly level: number;
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
  const archive = await openArchive(request.url, request, host);
  try {
    const lock = await acquireRunLock(archive.cache.folder);
    try {
      const collection = await archive.collection();
      host.reporter.report({ level: 'notice', code: 'last-full', message: lastFullLine(collection) });
      const { counts, stored } = request.dryRun
        ? await pretend(request, host)
        : await store(request, host, archive, collection);
      if (request.printStatistics) {
        const times = { startTime, endTime: host.now() };
        await host.print(formatStatistics({ ...counts, ...times, totalDestinationSizeChange: stored }));
      }
      return counts.errors > 0 && !request.sourceErrorsOk ? exitStatus.partial : exitStatus.done;
    } finally {
      lock.release();
    }
  } finally {
    await archive.close();
  }
}

interface Outcome {
  readonly counts: Readonly<Counts>;
  /** Bytes of the volumes at the target. */
  readonly stored: number;
}

/** Reads everything as a backup does, and stores nothing. */
async function pretend(request: BackupRequest, host: Host): Promise<Outcome> {
  const packing = startPacking({ source: request.source }, host.cores);
  let counts: Readonly<Counts> = createCounts();
  try {
    for await (const batch of packing.batches) {
      host.signal.throwIfAborted();
      warn(batch, host);
      counts = batch.counts;
      packing.recycle(batch.difftar);
    }
  } finally {
    await packing.close();
  }
  return { counts, stored: 0 };
}

async function store(
  request: BackupRequest,
  host: Host,
  archive: Archive,
  collection: Collection,
): Promise<Outcome> {
  const { storage, cache, prefixes } = archive;
  const form: EnvelopeForm = request.encrypt ? 'gpg' : request.compress ? 'gz' : 'plain';
  if (request.encrypt) await checkPassphrase(archive, collection, host);
  await storage.removeStale();
  await cache.removeStale();

  const set: SetId = { type: 'full', time: await newSetTime(collection, host) };
  const envelopes = createEnvelopes(request, form, set, host);
  const packing = startPacking({ source: request.source }, host.cores);
  const writer = await createSetWriter({
    ...{ cache, storage, set, prefixes, form },
    hostname: host.hostname(),
    localdir: canonicalLocaldir(request.source),
    envelope: envelopes.next,
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
    const volumes = storeVolumes(recorded(), {
      storage,
      volumeSize: request.volumeSize,
      width: Math.max(2, host.cores + 2),
      uploads: 1,
      nameOf: number => volumeName(set, number, form, prefixes),
      createEnvelope: async () => createEnvelope(await envelopes.next()),
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
    await writer.commit();
  } finally {
    await packing.close();
    await writer.close();
  }
  return { counts, stored };
}

/** Each object has its own key; the next one is made ready while the one before is at work. */
function createEnvelopes(request: BackupRequest, form: EnvelopeForm, set: SetId, host: Host) {
  const mtimeSeconds = set.type === 'full' ? set.time : set.end;
  const deflate = { level: request.level };
  const secrets = { passphrase: () => host.passphrase(true) };
  const prepare = () => {
    const key = prepareSessionKey(secrets, host.random);
    key.catch(() => {}); // it is reported when its turn comes
    return key;
  };
  let ready = form === 'gpg' ? prepare() : undefined;
  return {
    async next(): Promise<EnvelopeOptions> {
      if (form === 'plain') return { form };
      if (form === 'gz') return { form, mtimeSeconds, deflate };
      const key = await ready!;
      ready = prepare();
      return { form, key, random: host.random, mtimeSeconds, deflate, compress: request.compress };
    },
  };
}

/** The second of the new set: now, but after every set that is there, so that times in a chain increase. */
async function newSetTime(collection: Collection, host: Host): Promise<number> {
  const newest = Math.max(...collection.chains.map(chain => chain.end), Number.NEGATIVE_INFINITY);
  const now = Math.floor(host.now());
  if (now > newest) return now;
  if (now < newest - 60) {
    throw new BackupError(
      'usage',
      `the clock says a time before the newest backup set at the target (${new Date(newest * 1000).toISOString()}); set the clock right`,
    );
  }
  await host.sleep((newest + 1) * 1000 - host.now() * 1000);
  return newSetTime(collection, host);
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
