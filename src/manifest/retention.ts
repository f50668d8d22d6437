/**
 * Which sets to remove, each with its reason; nothing is removed here. Newest first, so that a removal that is broken
 * off leaves a shorter chain that is whole. The newest chain is never removed, nor the newest that looks whole.
 */

import { BackupError } from '../errors.ts';
import { type Chain, type Collection, isBuiltUpon, whyOrphaned } from './chains.ts';
import { endOf, type Prefixes, parseName, type SetId, setKey } from './names.ts';
import { type BackupSet, byTime, describeSet, isWhole, namesOf } from './sets.ts';
import { formatTime } from './time.ts';

export interface Removal {
  readonly set: SetId;
  readonly reason: string;
  /** Objects at the target, in the order in which to remove them. */
  readonly names: readonly string[];
}

export interface RetentionPlan {
  /** Newest set first. */
  readonly removals: readonly Removal[];
  /** Chains that go, whole or but for their full set; oldest first. */
  readonly chains: readonly Chain[];
  /** Times of sets that are old enough but stay because newer sets need them. */
  readonly neededTimes: readonly number[];
  /** What stays against expectation, in sentences. */
  readonly notes: readonly string[];
}

/** Whole chains that ended before `time`. */
export function planRemoveOlderThan(collection: Collection, time: number): RetentionPlan {
  const { old, notes } = oldChains(collection, time);
  const removals = old
    .flatMap(chain => [...chain.sets, ...chain.superseded])
    .map(set => removalOf(set, 'its chain ended before the limit'));
  const kept = collection.chains.filter(chain => !old.includes(chain));
  const neededTimes = kept
    .filter(chain => chain.end >= time)
    .flatMap(chain => chain.sets.map(set => endOf(set.id)).filter(end => end < time));
  return { removals: newestFirst(removals), chains: old, neededTimes, notes };
}

/** Chains before the newest `count` full backups. */
export function planKeepFulls(collection: Collection, count: number): RetentionPlan {
  const time = timeOfFull(collection, count);
  return time === undefined ? nothing : { ...planRemoveOlderThan(collection, time), neededTimes: [] };
}

/** The incrementals of chains before the newest `count` full backups. */
export function planKeepIncrementals(collection: Collection, count: number): RetentionPlan {
  const time = timeOfFull(collection, count);
  if (time === undefined) return nothing;
  const { old, notes } = oldChains(collection, time);
  const chains = old.filter(chain => chain.sets.length > 1);
  const removals = chains
    .flatMap(({ sets: [, ...incrementals], superseded }) => [...incrementals, ...superseded])
    .map(set => removalOf(set, 'an incremental of a chain that ended before the limit'));
  return { removals: newestFirst(removals), chains, neededTimes: [], notes };
}

/**
 * What belongs to no complete set or chain. A set that was complete once and lost its manifest stays, and so does all
 * that came after it: the archive cache may have the manifest, and the volumes may be all that is left of a backup.
 */
export function planCleanup(
  collection: Collection,
  cacheNames: Iterable<string> = [],
  prefixes: Prefixes = {},
): RetentionPlan {
  const inCache = new Set<string>();
  for (const name of cacheNames) {
    const parsed = parseName(name, prefixes);
    if (parsed?.kind === 'manifest' && parsed.exact && !parsed.partial) inCache.add(setKey(parsed.set));
  }
  const { incomplete, orphaned, orphanedSignatures, signaturesWithoutBackup } = collection;
  const loose = [...incomplete, ...orphaned, ...orphanedSignatures, ...signaturesWithoutBackup];
  const lost = incomplete.filter(set => inCache.has(setKey(set.id)) || isBuiltUpon(set, loose));
  const candidates = [
    ...incomplete.map(set => ({ set, reason: 'it has no manifest' })),
    ...orphaned.map(set => ({ set, reason: whyOrphaned(set, collection) })),
    ...orphanedSignatures
      .filter(set => !incomplete.includes(set))
      .map(set => ({ set, reason: 'signatures without their backup' })),
  ];
  const keptEnds = new Set<number>();
  const removals: Removal[] = [];
  for (const { set, reason } of candidates.sort((a, b) => byTime(a.set, b.set))) {
    if (lost.includes(set) || (set.id.type === 'inc' && keptEnds.has(set.id.start)))
      keptEnds.add(endOf(set.id));
    else removals.push(removalOf(set, reason));
  }
  const notes = lost.map(
    set =>
      `The ${describeSet(set.id)} has lost its manifest at the target: kept, with all that builds on it.`,
  );
  return { removals: removals.reverse(), chains: [], neededTimes: [], notes };
}

const nothing: RetentionPlan = { removals: [], chains: [], neededTimes: [], notes: [] };

/** A set with its objects in the order of removal. */
export function removalOf(set: BackupSet, reason: string): Removal {
  return { set: set.id, reason, names: namesOf(set) };
}

function newestFirst(removals: Removal[]): Removal[] {
  return removals.sort((a, b) => byTime({ id: b.set }, { id: a.set }));
}

function oldChains(collection: Collection, time: number): { old: Chain[]; notes: string[] } {
  const newest = collection.chains.at(-1);
  const newestWhole = collection.chains.findLast(looksWhole);
  const notes: string[] = [];
  const old = collection.chains.filter(chain => {
    if (chain.end >= time) return false;
    if (chain !== newest && chain !== newestWhole) return true;
    const why = chain === newest ? 'the newest one' : 'the newest one that has all its volumes and manifests';
    notes.push(`The chain that ended at ${formatTime(chain.end)} is old enough, but it is ${why}: kept.`);
    return false;
  });
  return { old, notes };
}

function looksWhole(chain: Chain): boolean {
  return chain.sets.every(isWhole);
}

/** @returns undefined if there are fewer full backups */
function timeOfFull(collection: Collection, count: number): number | undefined {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new BackupError('usage', 'At least one full backup has to be kept: the number must be 1 or more.');
  }
  const fulls = collection.chains.filter(({ sets: [full] }) => full.manifest); // others are not sure to be of use
  return fulls.map(chain => chain.start).sort((a, b) => b - a)[count - 1];
}
