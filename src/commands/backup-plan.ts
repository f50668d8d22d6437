/** What a backup builds on: the chain that it continues, or none; and the time and name of the new set. */

import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { bytesOf, displayPath } from '../bytes.ts';
import type { CatalogedSet } from '../catalog/chain-catalog.ts';
import { partialNames } from '../engine/journal.ts';
import { BackupError, clauseOf, isKeyAbsent } from '../errors.ts';
import { allSets, type Collection, type Continuation, continuable } from '../manifest/chains.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { cacheName, endOf, type SetId, setKey } from '../manifest/names.ts';
import { describeSet, volumeGaps } from '../manifest/sets.ts';
import { sourceMismatch } from '../manifest/source.ts';
import { planSync } from '../manifest/sync.ts';
import { asctime, canBeNamed, formatTime, parseTimeArgument } from '../manifest/time.ts';
import type { Archive } from './archive.ts';
import { catalogFile } from './catalog-files.ts';
import type { Host } from './host.ts';
import { setsBeingRemoved } from './removal-note.ts';

export type BackupMode = 'full' | 'incremental' | 'auto';

export interface PlanRequest {
  readonly mode: BackupMode;
  /** A time in the user's grammar: the chain is not continued if its full set is older. */
  readonly fullIfOlderThan?: string | undefined;
  /** The chain is not continued if it has as many incremental sets. */
  readonly fullIfIncrementals?: number | undefined;
  readonly allowSourceMismatch: boolean;
  /** As the user gave it. */
  readonly source: string;
}

export type Base = Extract<Continuation, { readonly chain: unknown }>;

/**
 * The chain to continue, its metadata in the cache; undefined for a full set.
 * @throws BackupError `no-chain`, `source-mismatch`, `guard-stopped`
 */
export async function chooseBase(
  archive: Archive,
  collection: Collection,
  request: PlanRequest,
  host: Host,
): Promise<Base | undefined> {
  const note = (code: string, message: string) => host.reporter.report({ level: 'notice', code, message });
  await reportUnknownAtTarget(archive, collection, request, host);
  if (request.mode === 'full') return undefined;
  const base = continuable(collection);
  if ('reason' in base) {
    if (request.mode === 'incremental') {
      throw new BackupError(
        'no-chain',
        `there is nothing to continue: ${base.reason} Make a full backup first.`,
      );
    }
    if (collection.chains.length > 0) note('no-signatures', `${base.reason} Switching to a full backup.`);
    return undefined;
  }
  for (const set of base.chain.sets) {
    if (set.volumes.size > 0 && volumeGaps(set).length === 0) continue;
    throw new BackupError(
      'guard-stopped',
      `the ${describeSet(set.id)} lacks volumes at the target, so what builds on it can't be restored; find them again, or make a full backup`,
    );
  }
  if (request.fullIfOlderThan !== undefined) {
    const limit = parseTimeArgument(request.fullIfOlderThan, host.now());
    if (base.chain.start < limit) {
      note('full-too-old', 'Last full backup is too old, forcing full backup');
      return undefined;
    }
  }
  const { fullIfIncrementals = Number.POSITIVE_INFINITY } = request;
  if (base.chain.sets.length - 1 >= fullIfIncrementals) {
    note('full-too-many-incrementals', 'Latest chain has too many incrementals, forcing full backup');
    return undefined;
  }
  try {
    await archive.synchronize(collection, base.chain);
    const newest = await archive.manifestOf(base.last);
    if (!request.allowSourceMismatch) checkOrigin(newest, request, host);
    await reportResumed(archive, base, newest, host);
  } catch (error) {
    if (!(error instanceof BackupError) || request.mode === 'incremental') throw error;
    // Without the private key a copy that the archive cache has lost can't be had again.
    if (error.code !== 'damaged' && !isKeyAbsent(error)) throw error;
    reportBrokenChain(error, host);
    return undefined;
  }
  return base;
}

export function reportBrokenChain(error: BackupError, { reporter }: Host): void {
  const message = `the chain can't be continued: ${clauseOf(error)}. Switching to a full backup.`;
  reporter.report({ level: 'warning', code: 'chain-damaged', message });
}

/** Removes the cached signatures of the newest chain, so that they are copied from the target again. */
export async function forgetSignatures(archive: Archive, collection: Collection): Promise<void> {
  for (const { id } of collection.chains.at(-1)?.sets ?? []) {
    await archive.cache.remove(cacheName('signatures', id, 'final', archive.prefixes));
  }
}

/** A target that suddenly lacks what we know of is an incident: nothing local is deleted, and nothing new begun in silence. */
async function reportUnknownAtTarget(
  archive: Archive,
  collection: Collection,
  { mode }: PlanRequest,
  { reporter, now }: Host,
): Promise<void> {
  const remote = allSets(collection).flatMap(set =>
    [set.manifest, set.signatures].flatMap(object => (object ? [object.name] : [])),
  );
  const plan = planSync(remote, await archive.cache.list(), undefined, archive.prefixes);
  const removed = setsBeingRemoved(archive);
  const unknownAtTarget = plan.unknownAtTarget.filter(({ set }) => !removed.has(setKey(set)));
  if (unknownAtTarget.length === 0) return;
  const newest = unknownAtTarget.map(({ set }) => set).sort((a, b) => endOf(b) - endOf(a))[0]!;
  const text = `the target lacks ${unknownAtTarget.length} manifests and signatures that the archive cache knows, the newest of the ${describeSet(newest)}`;
  const isNewer = collection.chains.every(({ end }) => end < endOf(newest));
  if (mode !== 'full' && isNewer) {
    const folder = displayPath(archive.cache.folder);
    // A full backup would not be newer than what a wrong clock has dated.
    const remedy =
      endOf(newest) > now()
        ? `move what has ${formatTime(endOf(newest))} in its name out of ${folder}, too`
        : `make a full backup, or remove ${folder}`;
    throw new BackupError(
      'guard-stopped',
      `${text}; is the right disk mounted? If they were removed on purpose, ${remedy}`,
    );
  }
  reporter.report({
    level: 'warning',
    code: 'unknown-at-target',
    message: `${text}; nothing local is deleted`,
  });
}

function checkOrigin(newest: Manifest, { source }: PlanRequest, host: Host): void {
  const mismatch = sourceMismatch(newest, { hostnames: [host.hostname(), hostname()], localdir: source });
  if (!mismatch) return;
  const what = mismatch.field === 'hostname' ? 'host' : 'source folder';
  throw new BackupError(
    'source-mismatch',
    `the last backup at the target is of another ${what}: ${mismatch.stored}, not ${mismatch.current}; --allow-source-mismatch continues it all the same`,
    { field: mismatch.field },
  );
}

/** See catalog/doubtful.ts. Told once: when the set is the newest, or when the catalog is made of its signatures. */
async function reportResumed(
  archive: Archive,
  { chain, last }: Base,
  newest: Manifest,
  { reporter }: Host,
): Promise<void> {
  const isKnown = existsSync(bytesOf(catalogFile(archive, chain.start)));
  for (const set of isKnown ? [last] : chain.sets) {
    const { volumes } = set === last ? newest : await archive.manifestOf(set);
    if (!volumes.some(({ resumed }) => resumed)) continue;
    const message = `the ${describeSet(set.id)} was interrupted and resumed by duplicity, which does not look whether what it had stored has changed meanwhile: of such files it has the old contents, until they change again. A full backup has all as it is.`;
    reporter.report({ level: 'warning', code: 'resumed-by-duplicity', message });
  }
}

/**
 * The second of the new set: now, but after every set that is there, so that times in a chain increase, and none that
 * an unfinished set has, which may be another machine's at work: ours would have the same names.
 */
export async function newSetTime(
  collection: Collection,
  cache: Archive['cache'],
  host: Host,
): Promise<number> {
  const { chains, incomplete, orphaned, orphanedSignatures, signaturesWithoutBackup } = collection;
  const newest = Math.max(...chains.map(chain => chain.end), Number.NEGATIVE_INFINITY);
  const loose = [...incomplete, ...orphaned, ...orphanedSignatures, ...signaturesWithoutBackup];
  const now = Math.floor(host.now());
  if (!canBeNamed(now)) {
    throw new BackupError(
      'guard-stopped',
      `the clock says ${asctime(now)}, and names of backup sets go from 1970 to 2099; set the clock right`,
    );
  }
  if (now > newest && !loose.some(({ id }) => endOf(id) === now)) return now;
  if (now < newest - 60) {
    throw new BackupError(
      'guard-stopped',
      `the clock says ${asctime(now)}, which is before the newest backup set at the target, of ${asctime(newest)}; set the clock right. If it is right, it was wrong when that set was made: wait until then, or move what has ${formatTime(newest)} in its name out of the target and out of ${displayPath(cache.folder)}`,
    );
  }
  await host.sleep(Math.max(1, (Math.max(now, newest) + 1 - host.now()) * 1000));
  return newSetTime(collection, cache, host);
}

export function newSetId(base: Base | undefined, time: number): SetId {
  return base ? { type: 'inc', start: endOf(base.last.id), end: time } : { type: 'full', time };
}

/** The chain's sets with their cached signatures, for the catalog. */
export async function catalogedSets(
  { cache, prefixes }: Archive,
  base: Base | undefined,
): Promise<CatalogedSet[]> {
  if (!base) return [];
  const end = endOf(base.last.id);
  const partial = await cache.listPartial();
  return base.chain.sets
    .filter(set => endOf(set.id) <= end)
    .map(({ id }) => {
      const { fingerprints } = partialNames(id, prefixes);
      return {
        time: endOf(id),
        file: `${cache.folder}/${cacheName('signatures', id, 'final', prefixes)}`,
        manifest: `${cache.folder}/${cacheName('manifest', id, 'final', prefixes)}`,
        fingerprints: partial.includes(fingerprints) ? cache.partialPath(fingerprints) : undefined,
      };
    });
}
