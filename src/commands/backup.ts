/**
 * A backup: walk → collate with the chain's state → pack → volumes → target, with signatures and manifest beside it;
 * the manifest last, because putting it there is the commit. A full set is one whose state is empty.
 */

import { acquireRunLock } from '../cache/lock.ts';
import { type Counts, createCounts } from '../engine/counts.ts';
import { type Journal, partialNames, storedBytes } from '../engine/journal.ts';
import { monotonicMs } from '../engine/monotonic.ts';
import type { PackResume } from '../engine/pack-source.ts';
import { createPacker, type Packer, type Packing } from '../engine/packing.ts';
import { BackupError, exitStatus } from '../errors.ts';
import { createSelection } from '../files/select.ts';
import { wakeSource } from '../files/wake.ts';
import type { Collection } from '../manifest/chains.ts';
import { endOf, type SetId, setKey } from '../manifest/names.ts';
import { describeSet } from '../manifest/sets.ts';
import { lastFullLine } from '../manifest/status-text.ts';
import { abortable } from '../streams.ts';
import { formatSize } from '../text.ts';
import { type Archive, openArchive } from './archive.ts';
import {
  type Base,
  catalogedSets,
  chooseBase,
  forgetSignatures,
  newSetId,
  newSetTime,
  reportBrokenChain,
} from './backup-plan.ts';
import { type BackupProgress, createBackupProgress, toldBatches } from './backup-progress.ts';
import { keysOfSet, sealingOf, wantedForm } from './backup-sealing.ts';
import type { BackupRequest, Outcome, Setting, Task } from './backup-setting.ts';
import { catalogFile, clearCatalogs, removeCatalogs } from './catalog-files.ts';
import { type Host, packerOptions } from './host.ts';
import { cutBack, findInterrupted, giveUp, incompleteSet, isAnythingLeft } from './interrupted.ts';
import { usesPublicKeys } from './key-ring.ts';
import { ownPlaces } from './own-places.ts';
import { askPassphrase, checkPassphrase, openersOfNewest } from './passphrase-check.ts';
import { checkRoot, rememberRoot } from './root-guard.ts';
import { checkSource } from './source-check.ts';
import { measureSource } from './source-size.ts';
import { countsForStatistics, formatStatistics } from './statistics.ts';
import { storeSet } from './store-set.ts';
import { during } from './watchdog.ts';

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
    if (!request.allowMassDelete) checkRoot(archive, request.source, root);
    const collection = await archive.collection();
    host.reporter.report({ level: 'notice', code: 'last-full', message: lastFullLine(collection) });
    const bytesTotal = request.progress
      ? await measureSource({ ...request, except: ownPlaces(archive) }, host.signal)
      : undefined;
    const { counts, stored } = await runWithCatalog({ ...setting, bytesTotal }, collection);
    if (!request.dryRun) await rememberRoot(archive, request.source, root, host.reporter);
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

async function run(setting: Omit<Setting, 'checked'>, collection: Collection): Promise<Outcome> {
  const { request, host, archive } = setting;
  let checked: Setting['checked'] = async () => undefined;
  // Keys that are not there are told before anybody is asked.
  const keys = request.dryRun ? undefined : keysOfSet(await sealingOf(request, archive));
  if (request.encrypt && !request.dryRun) {
    const forKeys = usesPublicKeys(request);
    if (!forKeys) await askPassphrase(collection, host);
    let check: ReturnType<Setting['checked']> | undefined;
    checked = () => (check ??= (forKeys ? openersOfNewest : checkPassphrase)(archive, collection));
    if (!forKeys && (await isAnythingLeft(archive))) await checked();
  }
  let journal = !keys
    ? undefined
    : await findInterrupted(archive, collection, { ...request, keys }, wantedForm(request), host);
  let { mode } = request;
  for (let attempt = 1; ; attempt++) {
    try {
      if (journal) return await goOn(journal, { ...setting, checked }, collection);
      const base = await chooseBase(archive, collection, { ...request, mode }, host);
      clearCatalogs(archive, collection);
      const set = newSetId(base, await newSetTime(collection, archive.cache, host));
      return await runOn({ set, base, journal }, { ...setting, checked });
    } catch (error) {
      await checked(); // a wrong passphrase explains other failures
      // Nothing has been stored yet: these come before anything else.
      if (!(error instanceof BackupError)) throw error;
      if (error.code === 'cache-damaged' && attempt === 1) {
        note(host, error.code, `${error.message}; copying it again`);
        await forgetSignatures(archive, collection);
      } else if (error.code === 'cache-damaged' && mode === 'auto') {
        // At the target it is no better.
        reportBrokenChain(error, host);
        if (journal) await giveUp(journal.header.set, error.message, archive, collection, host);
        journal = undefined;
        mode = 'full';
      } else if (error.code === 'cut-file-changed' && journal) {
        const shorter: Journal | undefined = cutBack(journal);
        if (shorter) note(host, error.code, `${error.message}; it is stored anew.`);
        else await giveUp(journal.header.set, error.message, archive, collection, host);
        journal = shorter;
      } else if (error.code === 'journal-damaged' && journal) {
        await giveUp(journal.header.set, error.message, archive, collection, host);
        journal = undefined;
      } else throw error;
    }
  }
}

function note(host: Host, code: string, message: string): void {
  host.reporter.report({ level: 'notice', code, message });
}

/** Continues an interrupted set, whatever was asked for. */
async function goOn(journal: Journal, setting: Setting, collection: Collection): Promise<Outcome> {
  const { host, archive } = setting;
  const { set } = journal.header;
  const base = await baseToGoOn(setting, set, collection);
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

/** @throws BackupError `journal-damaged` where the set's chain is lost to it, and a full backup would do */
async function baseToGoOn(
  { request, host, archive }: Setting,
  { type }: SetId,
  collection: Collection,
): Promise<Base | undefined> {
  const mode = type === 'full' ? 'full' : 'incremental';
  try {
    const begun = { ...request, mode, fullIfOlderThan: undefined, fullIfIncrementals: undefined } as const;
    return await chooseBase(archive, collection, begun, host);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    const { code, message } = error;
    const isFullWanted = request.mode === 'full' || (code === 'damaged' && request.mode === 'auto');
    if (!isFullWanted || (code !== 'guard-stopped' && code !== 'damaged')) throw error;
    throw new BackupError('journal-damaged', message, {}, { cause: error });
  }
}

async function runOn(task: Task, setting: Setting): Promise<Outcome> {
  const { set, base, journal } = task;
  const { request, archive, root } = setting;
  const job = {
    source: request.source,
    selection: request.selection,
    except: ownPlaces(archive),
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
  return request.dryRun ? pretend(packing, setting, progress) : storeSet(task, packing, setting, progress);
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

/** Reads everything as a backup does, and stores nothing. */
async function pretend(packing: Packing, setting: Setting, progress: BackupProgress): Promise<Outcome> {
  let counts: Readonly<Counts> = createCounts();
  for await (const batch of toldBatches(packing, setting, progress)) {
    counts = batch.counts;
    if (batch.difftar.length > 0) packing.recycle(batch.difftar);
    if (batch.sigtar.length > 0) packing.recycleRecords(batch.sigtar);
  }
  return { counts, stored: 0 };
}
