/**
 * replicate: the sets of an archive at another target too, object by object, byte for byte, so that the same passphrase
 * or keys open both. A set's manifest comes last: until then the copy looks like a backup that was not finished. What is
 * there already is passed over, so that a copy that was broken off is continued, and one made again brings what is new.
 */

import { displayPath, pathFromText } from '../bytes.ts';
import { acquireRunLock } from '../cache/lock.ts';
import { BackupError, exitStatus } from '../errors.ts';
import { type Collection, collectSets } from '../manifest/chains.ts';
import { endOf, setKey } from '../manifest/names.ts';
import {
  type BackupSet,
  byTime,
  describeSet,
  isWhole,
  namesOf,
  type StoredObject,
} from '../manifest/sets.ts';
import { parseTimeArgument } from '../manifest/time.ts';
import { listAll, type Storage } from '../storage/storage.ts';
import { formatSize } from '../text.ts';
import { openArchive } from './archive.ts';
import type { CommonOptions, Host } from './host.ts';
import { createReadingProgress, type ReadingProgress } from './reading-progress.ts';
import { requireTarget } from './require-target.ts';

export interface ReplicateRequest extends CommonOptions {
  readonly url: string;
  /** Where the copy goes. */
  readonly to: string;
  /** In the user's grammar; sets that are newer are left. */
  readonly time?: string | undefined;
  /** Only tells what would be copied. */
  readonly dryRun: boolean;
}

/** @returns the exit status */
export async function replicate(request: ReplicateRequest, host: Host): Promise<number> {
  const from = await openArchive(request.url, request, host);
  const to = await openArchive(request.to, { ...request, name: undefined }, host);
  try {
    await requireTarget(from.storage);
    const lock = await acquireRunLock(to.cache.folder);
    try {
      const latest =
        request.time === undefined ? Number.POSITIVE_INFINITY : parseTimeArgument(request.time, host.now());
      const source = await from.readableCollection();
      const sets = source.chains.flatMap(chain => chain.sets).filter(({ id }) => endOf(id) <= latest);
      if (sets.length === 0) {
        throw new BackupError(
          'nothing-to-restore',
          `there is no backup to copy at ${from.storage.description}`,
        );
      }
      const listing = await listAll(to.storage);
      checkFork(sets, source, collectSets(listing, to.prefixes), to.storage.description);
      const isSound = reportFaults(sets, source, latest, host);
      if (!request.dryRun) await to.storage.removeStale();
      const there = new Map(listing.map(({ name, size }) => [name, size]));
      const progress = createReadingProgress(host.reporter, 'copying');
      progress.expect(
        sets.flatMap(objectsOf).flatMap(({ name, size }) => (there.get(name) === size ? [] : size)),
      );
      const copying = { from: from.storage, to: to.storage, there, dryRun: request.dryRun, progress };
      for (const set of sets.sort(byTime)) await copySet(set, copying, host);
      if (!request.dryRun) await checkCopies(sets, to.storage);
      return isSound ? exitStatus.done : exitStatus.failed;
    } finally {
      lock.release();
    }
  } finally {
    await from.close();
    await to.close();
  }
}

/**
 * Removals by another machine know nothing of our lock: what we put, or had found there, may be gone by now.
 * @throws BackupError `object-missing`
 */
async function checkCopies(sets: readonly BackupSet[], to: Storage): Promise<void> {
  const there = new Set((await listAll(to)).map(({ name }) => name));
  const lost = sets.find(set => objectsOf(set).some(({ name }) => !there.has(name)));
  if (!lost) return;
  throw new BackupError(
    'object-missing',
    `${to.description} has not all of the ${describeSet(lost.id)} any more: somebody has removed it meanwhile, as cleanup does on another machine; run again, and what is missing is copied`,
  );
}

/**
 * A copy that was backed up to, or another archive, would not be what it was once our sets are there: readers follow the
 * newest.
 * @throws BackupError `guard-stopped`
 */
function checkFork(sets: readonly BackupSet[], source: Collection, there: Collection, place: string): void {
  const ours = new Set(source.chains.flatMap(chain => chain.sets).map(({ id }) => setKey(id)));
  const starts = new Set(sets.flatMap(({ id }) => (id.type === 'inc' ? [id.start] : [])));
  const newest = Math.max(...sets.map(({ id }) => endOf(id)));
  const foreign = there.chains
    .flatMap(chain => chain.sets)
    .find(({ id }) => {
      if (ours.has(setKey(id))) return false;
      return endOf(id) > newest || (id.type === 'inc' && starts.has(id.start));
    });
  if (!foreign) return;
  throw new BackupError(
    'guard-stopped',
    `${place} has the ${describeSet(foreign.id)}, which the archive has not: it is another archive, or the copy was backed up to; copy to a place of its own`,
  );
}

/** @returns whether the copy will be as good as an archive should be */
function reportFaults(
  sets: readonly BackupSet[],
  { orphaned, incomplete }: Collection,
  latest: number,
  { reporter }: Host,
): boolean {
  const tell = (level: 'warning' | 'notice', message: string) =>
    reporter.report({ level, code: 'not-whole', message });
  const damaged = sets.filter(set => !isWhole(set));
  for (const { id } of damaged) {
    tell('warning', `The ${describeSet(id)} lacks its manifest or volumes, and so will its copy.`);
  }
  const lost = orphaned.filter(({ id }) => endOf(id) <= latest);
  for (const { id } of lost) {
    tell('warning', `The ${describeSet(id)} is not copied: what it builds on is not there.`);
  }
  for (const { id } of incomplete) {
    if (endOf(id) <= latest) tell('notice', `The ${describeSet(id)} is not copied: it was not finished.`);
  }
  return damaged.length === 0 && lost.length === 0;
}

interface Copying {
  readonly from: Storage;
  readonly to: Storage;
  /** Sizes by name. */
  readonly there: ReadonlyMap<string, number>;
  readonly dryRun: boolean;
  readonly progress: ReadingProgress;
}

function objectsOf({ manifest, signatures, jsonstat, volumes, extras }: BackupSet): StoredObject[] {
  return [manifest, signatures, jsonstat, ...volumes.values(), ...extras].filter(
    object => object !== undefined,
  );
}

async function copySet(
  set: BackupSet,
  { from, to, there, dryRun, progress }: Copying,
  host: Host,
): Promise<void> {
  let objects = 0;
  let bytes = 0;
  for (const name of namesOf(set).reverse()) {
    host.signal.throwIfAborted();
    const known = await from.stat(name);
    if (known && there.get(name) === known.size) continue;
    const isVolume = [...set.volumes.values()].some(volume => volume.name === name);
    const kind = isVolume ? 'volume' : 'metadata';
    if (dryRun) {
      objects++;
      bytes += known?.size ?? 0;
      continue;
    }
    progress.reached(pathFromText(name));
    const stored = progress.counted(from.get(name, { signal: host.signal }));
    const { size } = await to.put(name, stored, {
      signal: host.signal,
      kind,
    });
    if (known && size !== known.size) {
      await to.delete(name);
      throw new BackupError(
        'damaged',
        `${displayPath(name)} has ${known.size} bytes at ${from.description}, but ${size} came; run again`,
      );
    }
    objects++;
    bytes += size;
  }
  const verb = dryRun ? 'would be copied' : 'is copied';
  const what = objects === 0 ? 'is there already' : `${verb}: ${objects} objects (${formatSize(bytes)})`;
  await host.print(`The ${describeSet(set.id)} ${what}.\n`, () => [
    {
      type: 'copied',
      kind: set.id.type === 'full' ? 'full' : 'incremental',
      time: endOf(set.id),
      objects,
      bytes,
      done: !dryRun,
    },
  ]);
}
