/**
 * A backup: walk → collate with the chain's state → pack → volumes → target, with signatures and manifest beside it;
 * the manifest last, because putting it there is the commit. A full set is one whose state is empty.
 */

import { displayPath } from '../bytes.ts';
import { acquireRunLock } from '../cache/lock.ts';
import { type PackBatch, type Passed, SLAB_SIZE } from '../engine/batch.ts';
import { bytesPassed } from '../engine/bytes-passed.ts';
import { type Counts, createCounts } from '../engine/counts.ts';
import { type Journal, partialNames } from '../engine/journal.ts';
import { monotonicMs } from '../engine/monotonic.ts';
import type { PackResume } from '../engine/pack-source.ts';
import { createPacker, type Packer, type Packing } from '../engine/packing.ts';
import { createSealingThread } from '../engine/sealing-thread.ts';
import { createSetWriter } from '../engine/set-writer.ts';
import { createBatchCursor, storeVolumes } from '../engine/volumes.ts';
import { BackupError, exitStatus } from '../errors.ts';
import { createSelection } from '../files/select.ts';
import type { SelectionRule } from '../files/select-rules.ts';
import { type SourceRoot, wakeSource } from '../files/wake.ts';
import type { Recipients } from '../keys/recipients.ts';
import type { Collection } from '../manifest/chains.ts';
import { endOf, type SetId, setKey, volumeName } from '../manifest/names.ts';
import { describeSet } from '../manifest/sets.ts';
import { canonicalLocaldir } from '../manifest/source.ts';
import { lastFullLine } from '../manifest/status-text.ts';
import type { Storage } from '../storage/storage.ts';
import { abortable } from '../streams.ts';
import { formatSize } from '../text.ts';
import {
  createEnvelope,
  type EnvelopeForm,
  type EnvelopeOptions,
  type OpenSealer,
} from '../volumes/envelope.ts';
import { isIncompressible } from '../volumes/incompressible.ts';
import { prepareSessionKey, type Secrets } from '../volumes/openpgp-session.ts';
import type { Signer } from '../volumes/openpgp-signed.ts';
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
import { catalogFile, clearCatalogs, removeCatalogs } from './catalog-files.ts';
import { checkDeletions } from './deletion-guard.ts';
import { batchesAtOnce, type CommonOptions, type Host, packerOptions } from './host.ts';
import {
  cutBack,
  findInterrupted,
  giveUp,
  incompleteSet,
  isAnythingLeft,
  removePartial,
} from './interrupted.ts';
import { usesPublicKeys } from './key-ring.ts';
import { askPassphrase, checkPassphrase } from './passphrase-check.ts';
import { checkRoot, rememberRoot } from './root-guard.ts';
import { checkSource } from './source-check.ts';
import { measureSource } from './source-size.ts';
import { countsForStatistics, formatStatistics } from './statistics.ts';
import { tellingEntries } from './told-entries.ts';
import { during, watchEach } from './watchdog.ts';

export interface BackupRequest extends CommonOptions {
  /** Bytes as a latin1 string, as the user gave it. */
  readonly source: string;
  /** What to take of it; everything if there are no rules. */
  readonly selection: readonly SelectionRule[];
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
  /** Tells of each path that is stored. */
  readonly tellEntries: boolean;
  /** Looks up the size of the source first, so that progress can be told. */
  readonly progress: boolean;
  /** Percent of the known entries that may be deleted by one incremental without `allowMassDelete`. */
  readonly maxDelete: number;
  readonly allowMassDelete: boolean;
  /** How long a source that is away is waited for, each time. */
  readonly sourceRetryForMs: number;
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
  packer: Packer = createPacker(packerOptions(host)),
): Promise<number> {
  const startTime = host.now();
  try {
    const options = packerOptions(host);
    const waking = wakeSource(request.source, {
      retryForMs: request.sourceRetryForMs,
      sleep: host.sleep,
      now: monotonicMs,
      report: options.report,
    });
    const root = await abortable(during(host.watchdog, 'reading the source', waking), host.signal);
    const ownThread = options.ownThread || root.mayHang;
    const nextPacker = () => createPacker({ ...options, ownThread });
    if (ownThread && !options.ownThread) packer = nextPacker();
    checkSource(request.source, request.url, createSelection(request.selection, request.source));
    const archive = await openArchive(request.url, request, host);
    try {
      return await backUpTo({ request, host, archive, root, packer, nextPacker }, startTime);
    } finally {
      await archive.close();
    }
  } finally {
    await packer.close();
  }
}

async function backUpTo(
  setting: Omit<Setting, 'bytesTotal' | 'checked'>,
  startTime: number,
): Promise<number> {
  const { request, host, archive, root } = setting;
  const lock = await acquireRunLock(archive.cache.folder);
  try {
    if (!request.allowMassDelete) checkRoot(archive.cache, request.source, root);
    const collection = await archive.collection();
    host.reporter.report({ level: 'notice', code: 'last-full', message: lastFullLine(collection) });
    const bytesTotal = request.progress ? await measureSource(request, host.signal) : undefined;
    const { counts, stored } = await runWithCatalog({ ...setting, bytesTotal }, collection);
    if (!request.dryRun) await rememberRoot(archive.cache, request.source, root, host.reporter);
    if (request.printStatistics) {
      const times = { startTime, endTime: host.now() };
      const statistics = { ...countsForStatistics(counts), ...times, totalDestinationSizeChange: stored };
      await host.print(formatStatistics(statistics), () => [{ type: 'statistics', ...statistics }]);
    }
    return counts.errors > 0 && !request.sourceErrorsOk ? exitStatus.partial : exitStatus.done;
  } finally {
    lock.release();
  }
}

/** A catalog that turns out to be broken, be it in the middle of the run, is no reason to fail: all is done again without it. */
async function runWithCatalog(setting: Omit<Setting, 'checked'>, collection: Collection): Promise<Outcome> {
  const { archive, host, packer, nextPacker } = setting;
  try {
    return await run(setting, collection);
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'catalog-damaged') throw error;
    note(host, error.code, `${error.message}; it is made anew from the signatures.`);
    await packer.close();
    removeCatalogs(archive);
    const another = nextPacker();
    try {
      return await run({ ...setting, packer: another }, await archive.collection());
    } finally {
      await another.close();
    }
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
  readonly root: SourceRoot;
  readonly packer: Packer;
  /** Another one, after the first has failed; to be closed by who asked for it. */
  readonly nextPacker: () => Packer;
  /**
   * Checks the passphrase, once: fails if it is not that of the sets that are there. It takes a while, which is best spent
   * when the packer is at work; nothing is stored or removed before.
   * @returns the salt of the key of the newest set
   */
  checked(): Promise<Uint8Array | undefined>;
}

async function run(setting: Omit<Setting, 'checked'>, collection: Collection): Promise<Outcome> {
  const { request, host, archive } = setting;
  let checked: Setting['checked'] = async () => undefined;
  if (!request.dryRun) await sealingOf(request, archive); // keys that are not there are told before anybody is asked
  if (request.encrypt && !request.dryRun && !usesPublicKeys(request)) {
    await askPassphrase(collection, host);
    let check: ReturnType<Setting['checked']> | undefined;
    checked = () => (check ??= checkPassphrase(archive, collection));
    if (await isAnythingLeft(archive)) await checked();
  }
  let journal = request.dryRun
    ? undefined
    : await findInterrupted(
        archive,
        collection,
        { ...request, usesPublicKeys: usesPublicKeys(request) },
        formOf(request),
        host,
      );
  for (let attempt = 1; ; attempt++) {
    try {
      if (journal) return await goOn(journal, { ...setting, checked }, collection);
      const base = await chooseBase(archive, collection, request, host);
      clearCatalogs(archive, collection);
      const set = newSetId(base, await newSetTime(collection, host));
      return await runOn({ set, base, journal }, { ...setting, checked });
    } catch (error) {
      await checked(); // a wrong passphrase explains other failures
      // Nothing has been stored yet: these come before anything else.
      if (!(error instanceof BackupError)) throw error;
      if (error.code === 'cache-damaged' && attempt === 1) {
        note(host, error.code, `${error.message}; copying it again`);
        await forgetSignatures(archive, collection);
      } else if (error.code === 'cut-file-changed' && journal) {
        const shorter: Journal | undefined = cutBack(journal);
        if (shorter) note(host, error.code, `${error.message}; it is stored anew.`);
        else await giveUp(journal, error.message, archive, collection, host);
        journal = shorter;
      } else if (error.code === 'journal-damaged' && journal) {
        await giveUp(journal, error.message, archive, collection, host);
        journal = undefined;
      } else throw error;
    }
  }
}

function note(host: Host, code: string, message: string): void {
  host.reporter.report({ level: 'notice', code, message });
}

/** The set to store, what it builds on, and what an interrupted run has stored of it. */
interface Task {
  readonly set: SetId;
  readonly base: Base | undefined;
  readonly journal: Journal | undefined;
}

/** Continues an interrupted set, whatever was asked for. */
async function goOn(journal: Journal, setting: Setting, collection: Collection): Promise<Outcome> {
  const { request, host, archive } = setting;
  const { set } = journal.header;
  const mode = set.type === 'full' ? 'full' : 'incremental';
  const base = await chooseBase(archive, collection, { ...request, mode, fullIfOlderThan: undefined }, host);
  clearCatalogs(archive, collection);
  const { checkpoints } = journal;
  const stored = formatSize(storedBytes(journal));
  const volumes = checkpoints.length === 1 ? '1 volume is' : `${checkpoints.length} volumes are`;
  note(
    host,
    'continuing',
    `Continuing the ${describeSet(set)} that was interrupted: ${volumes} at the target (${stored}).`,
  );
  const left = incompleteSet(collection, setKey(set));
  for (const [number, { name }] of left?.volumes ?? []) {
    if (number > checkpoints.length) await archive.storage.delete(name);
  }
  return runOn({ set, base, journal }, setting);
}

function storedBytes(journal: Journal | undefined): number {
  return (journal?.checkpoints ?? []).reduce((sum, { size }) => sum + size, 0);
}

async function runOn(task: Task, setting: Setting): Promise<Outcome> {
  const { set, base, journal } = task;
  const { request, archive, root } = setting;
  const job = {
    source: request.source,
    selection: request.selection,
    catalog: catalogFile(archive, base ? base.chain.start : endOf(set)),
    sets: await catalogedSets(archive, base),
    time: endOf(set),
    maxBlockLength: request.maxBlockLength,
    device: root.isFolder ? root.device : undefined,
    retryForMs: request.sourceRetryForMs,
    resume: journal && packResumeOf(journal, archive),
  };
  const progress = createBackupProgress(setting);
  const packing = setting.packer.start(job, progress.passed);
  return request.dryRun ? pretend(packing, setting, progress) : store(task, packing, setting, progress);
}

/** What the packer needs to know of an interrupted set. */
function packResumeOf(journal: Journal, { cache }: Archive): PackResume {
  const { set, prefixes } = journal.header;
  const { end, open, counts, signatures, fingerprints } = journal.checkpoints.at(-1)!.mark;
  const names = partialNames(set, prefixes);
  const pending = {
    signatures: {
      ...{ length: signatures.length, crc: signatures.crc },
      ...{ file: cache.partialPath(names.signatures), size: signatures.file.size },
    },
    fingerprints: { file: cache.partialPath(names.fingerprints), size: fingerprints.file.size },
  };
  return { end, open, counts, pending };
}

function watched(packing: Packing, { host, packer, request }: Setting): AsyncIterable<PackBatch> {
  const batches = watchEach(host.watchdog, 'reading the source', packing.batches, packer.beats);
  return request.tellEntries ? tellingEntries(batches, host.reporter) : batches;
}

/** Reads everything as a backup does, and stores nothing. */
async function pretend(packing: Packing, setting: Setting, progress: BackupProgress): Promise<Outcome> {
  const { host } = setting;
  let counts: Readonly<Counts> = createCounts();
  for await (const batch of watched(packing, setting)) {
    host.signal.throwIfAborted();
    warn(batch, host);
    progress.batch(batch);
    counts = batch.counts;
    if (batch.difftar.length > 0) packing.recycle(batch.difftar);
    if (batch.sigtar.length > 0) packing.recycleRecords(batch.sigtar);
  }
  return { counts, stored: 0 };
}

/**
 * Whether a volume is better sealed on another thread: there is more to come than its first batch, and it does not
 * shrink. Where it does, threads are busy deflating, and little is left to seal.
 */
function isWorthAThread(first: PackBatch | undefined): boolean {
  return first !== undefined && first.difftar.length >= SLAB_SIZE / 2 && isIncompressible(first.difftar);
}

async function store(
  task: Task,
  packing: Packing,
  setting: Setting,
  progress: BackupProgress,
): Promise<Outcome> {
  const { set, base, journal } = task;
  const { request, host, archive, root, checked } = setting;
  const { storage, cache, prefixes } = archive;
  const ofNewest = await checked();
  const salt = set.type === 'inc' ? ofNewest : undefined;
  const form = formOf(request);
  await storage.removeStale();
  await cache.removeStale();
  const envelopeOptions = createEnvelopes(request, form, set, host, {
    ...(await sealingOf(request, archive)),
    secrets: { passphrase: () => host.passphrase(true), derived: archive.secrets.derived },
    salt,
  });
  const sealing = form === 'gpg' && host.cores > 1 ? createSealingThread() : undefined;
  const header = journal?.header ?? {
    ...{ set, form, prefixes },
    hostname: host.hostname(),
    localdir: canonicalLocaldir(request.source),
  };
  const writer = await createSetWriter({
    ...{ cache, storage, header, journal },
    envelope: () => envelopeOptions(),
    signal: host.signal,
  });
  const last = journal?.checkpoints.at(-1);
  let counts: Readonly<Counts> = last?.mark.counts ?? createCounts();
  let stored = storedBytes(journal);
  const nameOf = (volume: number) => volumeName(set, volume, form, prefixes);
  let volumes = last?.volume ?? 0;

  const add = async (batch: PackBatch) => {
    await writer.add(batch);
    if (batch.sigtar.length > 0) packing.recycleRecords(batch.sigtar);
  };

  async function* told(): AsyncGenerator<PackBatch, void, undefined> {
    for await (const batch of watched(packing, setting)) {
      host.signal.throwIfAborted();
      warn(batch, host);
      progress.batch(batch);
      counts = batch.counts;
      if (batch.difftar.length === 0) await add(batch);
      yield batch;
    }
    // Before the last volume is finished: a source that has gone must not become a set that says so.
    if (set.type === 'inc' && !request.allowMassDelete) checkDeletions(counts, request.maxDelete);
  }

  try {
    const batches = createBatchCursor(told());
    const isEmpty = !journal && set.type === 'inc' && (await batches.peek()) === undefined;
    if (request.skipIfNoChange && isEmpty) {
      note(host, 'no-change', 'Nothing has changed; no set is stored.');
      return { counts, stored };
    }
    await storeVolumes(batches, {
      storage,
      after: last && { volume: last.volume, end: last.mark.end },
      volumeSize: request.volumeSize,
      width: batchesAtOnce(host),
      uploads: 1,
      nameOf,
      createEnvelope: async first => {
        const thread = isWorthAThread(first) ? sealing : undefined;
        thread?.start(); // while the key is being derived
        return createEnvelope(await envelopeOptions(thread?.openSealer));
      },
      onTaken: add,
      onConsumed: batch => packing.recycle(batch.difftar),
      mark: () => writer.mark(),
      async onStored(volume) {
        volumes = volume.number;
        stored += volume.size;
        await writer.volumeStored(volume);
        await rememberRoot(cache, request.source, root, host.reporter); // whoever goes on must find the same
        const message = `Processed volume ${volume.number}`;
        const facts = { bytesDone: counts.sourceFileSize };
        host.reporter.report({ level: 'info', code: 'volume-stored', message, facts });
      },
      signal: host.signal,
    });
    // Signatures of a run that broke off before its commit would stand beside ours and confuse other readers.
    for (const { name } of base?.dangling ?? []) await storage.delete(name);
    await removePartial(archive, set); // of sets that the catalog knows by now
    await writer.commit(pieces => packing.commit(pieces));
  } catch (error) {
    // What was stored by then may say that things are deleted which are not: nobody is to continue it.
    if (error instanceof BackupError && error.code === 'guard-stopped') writer.discard();
    throw error;
  } finally {
    await sealing?.close();
    await writer.close();
    if (!writer.mayBeComplete && !writer.isResumable) await withdraw(volumes, nameOf, storage);
  }
  return { counts, stored };
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

function formOf({ encrypt, compress }: BackupRequest): EnvelopeForm {
  if (encrypt) return 'gpg';
  return compress ? 'gz' : 'plain';
}

/** Whom objects are for, unless for who knows the passphrase; and who signs them. */
interface Sealing {
  readonly recipients: Recipients | undefined;
  readonly signer: Signer | undefined;
}

/** Looked up before anything is stored. */
async function sealingOf({ encrypt, keys: choice }: BackupRequest, { keys }: Archive): Promise<Sealing> {
  if (!encrypt || !choice) return { recipients: undefined, signer: undefined };
  const ring = await keys();
  return { recipients: await ring.recipients(), signer: await ring.signer() };
}

/**
 * Objects for public keys have a key each. With a passphrase a set has one, and all sets of a chain the same: to make one
 * takes seconds on a small board, for whoever writes and for whoever restores.
 */
function createEnvelopes(
  request: BackupRequest,
  form: EnvelopeForm,
  set: SetId,
  host: Host,
  { recipients, signer, secrets, salt }: Sealing & KeyOfSet,
) {
  const mtimeSeconds = endOf(set);
  const deflate = { level: request.level, dictionary: false };
  const shared = form === 'gpg' && !recipients ? prepareSessionKey(secrets, host.random, salt) : undefined;
  shared?.catch(() => {}); // it is reported when its turn comes
  return async (openSealer?: OpenSealer): Promise<EnvelopeOptions> => {
    if (form === 'plain') return { form };
    if (form === 'gz') return { form, mtimeSeconds, deflate };
    return {
      form,
      key: await (shared ?? recipients!.prepareSessionKey(host.random)),
      random: host.random,
      mtimeSeconds,
      deflate,
      compress: request.compress,
      signer,
      openSealer,
    };
  };
}

interface KeyOfSet {
  readonly secrets: Secrets;
  /** Of the key that the chain has; undefined: a new one. */
  readonly salt: Uint8Array | undefined;
}

function warn(batch: PackBatch, { reporter }: Host): void {
  for (const { code, message, path } of batch.warnings) {
    reporter.report({ level: 'warning', code, message, facts: { path } });
  }
}

interface BackupProgress {
  batch(batch: PackBatch): void;
  passed(passed: Passed): void;
}

/** The packer is ahead of its batches within a large delta, and what is told never goes back. */
function createBackupProgress({ host, bytesTotal }: Setting): BackupProgress {
  let bytesDone = 0;
  let entriesDone = 0;
  const tell = (bytes: number, path: string | undefined) => {
    bytesDone = Math.max(bytesDone, bytes);
    host.reporter.progress({
      ...{ stage: 'backup', bytesDone, entriesDone },
      ...(bytesTotal !== undefined && { bytesTotal }),
      ...(path !== undefined && { path: displayPath(path) }),
    });
  };
  return {
    batch(batch) {
      entriesDone = batch.counts.sourceFiles;
      tell(bytesPassed(batch), batch.last?.path);
    },
    passed: ({ bytes, path }) => tell(bytes, path),
  };
}
