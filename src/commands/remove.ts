/**
 * remove-older-than, remove-all-but-n-full, remove-all-inc-of-but-n-full and cleanup: what goes is planned from names
 * alone; without --force it is only shown.
 */

import { displayPath } from '../bytes.ts';
import { acquireRunLock } from '../cache/lock.ts';
import { removeCatalog } from '../catalog/chain-catalog.ts';
import { BackupError, exitStatus } from '../errors.ts';
import { allSets, type Collection, collectSets } from '../manifest/chains.ts';
import { cacheName, endOf, manifestName, parseName, type SetId, setKey } from '../manifest/names.ts';
import { type KeepRules, type PrunePlan, planPrune } from '../manifest/prune.ts';
import {
  planCleanup,
  planKeepFulls,
  planKeepIncrementals,
  planRemoveOlderThan,
  type Removal,
  type RetentionPlan,
  removalOf,
} from '../manifest/retention.ts';
import { byTime, describeSet } from '../manifest/sets.ts';
import { asctime, parseTimeArgument } from '../manifest/time.ts';
import type { Item } from '../report.ts';
import { type Archive, openArchive } from './archive.ts';
import { catalogFile } from './catalog-files.ts';
import type { CommonOptions, Host } from './host.ts';
import { removePartial } from './interrupted.ts';
import { setsBeingRemoved, whileNoted } from './removal-note.ts';
import { requireTarget } from './require-target.ts';

export type RemoveAction =
  | 'remove-older-than'
  | 'remove-all-but-n-full'
  | 'remove-all-inc-of-but-n-full'
  | 'cleanup'
  | 'prune';

export interface RemoveRequest extends CommonOptions {
  readonly action: RemoveAction;
  readonly url: string;
  /** A time or a number of full backups; cleanup and prune have none. */
  readonly limit: string;
  /** For prune. */
  readonly keep?: KeepRules;
  readonly force: boolean;
  readonly dryRun: boolean;
}

export async function remove(request: RemoveRequest, host: Host): Promise<number> {
  const decide = planner(request, host); // wrong limits are told before anything is touched
  const archive = await openArchive(request.url, request, host);
  try {
    await requireTarget(archive.storage);
    const lock = await acquireRunLock(archive.cache.folder);
    try {
      // Sets that only lost their manifest are of their chain still: it goes or stays as a whole, as restore sees it.
      const isCleanup = request.action === 'cleanup';
      const collection = await (isCleanup ? archive.collection() : archive.readableCollection());
      const known = setsBeingRemoved(archive);
      const begun = isCleanup ? [] : removalsBegun(known, collection);
      const plan = withBegun(decide(collection, archive, await cachedBut(known, archive)), begun);
      await host.print(`${describePlan(request, plan).join('\n')}\n`, () => planItems(request, plan));
      if (request.force && !request.dryRun) {
        if (request.action === 'cleanup') {
          await removePartial(archive); // nobody is to continue what goes now
          await archive.storage.removeStale();
        }
        const sets = plan.removals.map(({ set }) => setKey(set));
        const gone = goneSets(known, collection);
        const noted = isCleanup ? [...gone, ...sets] : [...known, ...sets];
        const forgetThem = () => forget(new Set(sets), archive);
        await whileNoted(archive, noted, forgetThem, async () => {
          await apply(plan, archive, host);
          await forget(gone, archive);
        });
      }
      return exitStatus.done;
    } finally {
      lock.release();
    }
  } finally {
    await archive.close();
  }
}

/** What is left of sets that an earlier removal was interrupted at. */
function removalsBegun(begun: ReadonlySet<string>, collection: Collection): Removal[] {
  const loose = [...collection.incomplete, ...collection.orphanedSignatures];
  const left = new Set(loose.filter(({ id }) => begun.has(setKey(id))));
  return [...left]
    .sort(byTime)
    .reverse()
    .map(set => removalOf(set, BEGUN));
}

const BEGUN = 'its removal was interrupted';

/** Names in the archive cache, but for those of sets that are being removed: they have not lost their manifests. */
async function cachedBut(begun: ReadonlySet<string>, { cache, prefixes }: Archive): Promise<string[]> {
  return (await cache.list()).filter(name => {
    const parsed = parseName(name, prefixes);
    return parsed === undefined || !begun.has(setKey(parsed.set));
  });
}

/** Sets that an earlier removal has taken from the target, all of them. */
function goneSets(begun: ReadonlySet<string>, collection: Collection): ReadonlySet<string> {
  const there = new Set(allSets(collection).map(({ id }) => setKey(id)));
  return new Set([...begun].filter(key => !there.has(key)));
}

/** Takes from the archive cache what it has of sets. */
async function forget(sets: ReadonlySet<string>, { cache, prefixes }: Archive): Promise<void> {
  if (sets.size === 0) return;
  for (const name of await cache.list()) {
    const parsed = parseName(name, prefixes);
    if (parsed && sets.has(setKey(parsed.set))) await cache.remove(name);
  }
}

/** These first: what they had is no backup any more. */
function withBegun<Plan extends RetentionPlan>(plan: Plan, begun: readonly Removal[]): Plan {
  return begun.length === 0 ? plan : { ...plan, removals: [...begun, ...plan.removals] };
}

type Decide = (collection: Collection, archive: Archive, cached: readonly string[]) => RetentionPlan;

function planner({ action, limit, keep }: RemoveRequest, host: Host): Decide {
  switch (action) {
    case 'remove-older-than': {
      const time = parseTimeArgument(limit, host.now());
      return collection => planRemoveOlderThan(collection, time);
    }
    case 'remove-all-but-n-full': {
      const count = countOf(limit);
      return collection => planKeepFulls(collection, count);
    }
    case 'remove-all-inc-of-but-n-full': {
      const count = countOf(limit);
      return collection => planKeepIncrementals(collection, count);
    }
    case 'prune': {
      const rules = keep ?? { fullMin: 1 };
      planPrune(collectSets([]), rules, host.now());
      return collection => planPrune(collection, rules, host.now());
    }
    case 'cleanup':
      return (collection, { prefixes }, cached) => planCleanup(collection, cached, prefixes);
  }
}

function countOf(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new BackupError('usage', `a number of full backups is 1 or more, not '${text}'`);
  return count;
}

/** In the words that scripts written for duplicity look for. */
function describePlan({ action, force: forced, dryRun }: RemoveRequest, plan: RetentionPlan): string[] {
  const force = forced && !dryRun;
  const names = plan.removals.flatMap(removal => removal.names.map(displayPath));
  const lines = [...plan.notes];
  if (plan.neededTimes.length > 0) {
    lines.push(
      'There are backup set(s) at time(s):',
      ...plan.neededTimes.map(asctime),
      "Which can't be deleted because newer sets depend on them.",
    );
  }
  if (action === 'cleanup') {
    if (names.length === 0) return [...lines, 'No extraneous files found, nothing deleted in cleanup.'];
    if (force) return [...lines, 'Deleting this file from backend:', ...names];
    return [
      ...lines,
      'Found the following file(s) to delete:',
      ...names,
      'Run tsbackup again with the --force option to actually delete.',
    ];
  }
  if ('kept' in plan) return [...lines, ...pruneLines(plan as PrunePlan, force)];
  if (names.length === 0) return [...lines, 'No old backup sets found, nothing deleted.'];
  const begun = plan.removals.filter(({ reason }) => reason === BEGUN).map(({ set }) => endOf(set));
  const times = [...begun, ...plan.chains.map(chain => chain.end)].map(asctime);
  if (force) return [...lines, 'Deleting backup chain(s) at time:', ...times];
  return [
    ...lines,
    'Found old backup chain(s) at the following time:',
    ...times,
    'Rerun command with --force option to actually delete.',
  ];
}

function planItems({ force, dryRun }: RemoveRequest, plan: RetentionPlan): Item[] {
  const kept = 'kept' in plan ? (plan as PrunePlan).kept : [];
  const of = (set: SetId) => ({ kind: set.type === 'full' ? 'full' : 'incremental', time: endOf(set) });
  return [
    ...kept.map(({ set, reasons }) => ({ type: 'kept', ...of(set), reasons })),
    ...plan.removals.map(({ set, reason, names }) => ({
      ...{ type: 'removal', ...of(set), reason, objects: names.map(displayPath) },
      done: force && !dryRun,
    })),
  ];
}

function pruneLines({ kept, removals }: PrunePlan, force: boolean): string[] {
  const keptLines = kept.map(({ set, reasons }) => `Keeping the ${describeSet(set)}: ${reasons.join(', ')}.`);
  if (removals.length === 0) return [...keptLines, 'Nothing to remove.'];
  const verb = force ? 'Removing' : 'Would remove';
  return [
    ...keptLines,
    ...removals.map(({ set, reason }) => `${verb} the ${describeSet(set)}: ${reason}.`),
    ...(force ? [] : ['Run tsbackup again with the --force option to actually delete.']),
  ];
}

/** Newest set first, so that what is left at any moment is a chain. */
async function apply(plan: RetentionPlan, archive: Archive, host: Host): Promise<void> {
  const { storage, cache, prefixes } = archive;
  for (const { set, names } of plan.removals) {
    if (await isCompletedMeanwhile(set, names, archive)) {
      const message = `The ${describeSet(set)} has been completed meanwhile: kept.`;
      host.reporter.report({ level: 'notice', code: 'completed-meanwhile', message });
      continue;
    }
    for (const name of names) {
      host.signal.throwIfAborted();
      await storage.delete(name);
    }
    for (const kind of ['manifest', 'signatures'] as const) {
      await cache.remove(cacheName(kind, set, 'final', prefixes));
    }
    if (set.type === 'full') removeCatalog(catalogFile(archive, set.time));
  }
}

/** Whoever looks at a plan page by page may take all night, and another machine's backup end in it. */
async function isCompletedMeanwhile(
  set: SetId,
  names: readonly string[],
  { storage, prefixes }: Archive,
): Promise<boolean> {
  const manifests = (['gpg', 'plain'] as const).map(form => manifestName(set, form, prefixes));
  if (manifests.some(name => names.includes(name))) return false; // it was complete before
  for (const name of manifests) if (await storage.stat(name)) return true;
  return false;
}
