/**
 * Which sets to keep by a calendar, and why; nothing is removed here. A set that is kept needs all before it in its
 * chain, so that what goes is the end of a chain, or all of one. The newest set always stays.
 */

import { BackupError } from '../errors.ts';
import type { Chain, Collection } from './chains.ts';
import { endOf, type SetId } from './names.ts';
import { type RetentionPlan, removalOf } from './retention.ts';
import { type BackupSet, byTime, isWhole } from './sets.ts';

/** How many of each to keep; absent: the rule keeps nothing. */
export interface KeepRules {
  readonly last?: number | undefined;
  /** The last set of so many days (weeks, months, years) that have one; local time. */
  readonly daily?: number | undefined;
  readonly weekly?: number | undefined;
  readonly monthly?: number | undefined;
  readonly yearly?: number | undefined;
  /** Seconds before the newest set, or before now if that is earlier; see `newestTime`. */
  readonly within?: number | undefined;
  /** Chains that stay in any case, the newest ones that have all their volumes and manifests; at least 1. */
  readonly fullMin: number;
}

export interface KeptSet {
  readonly set: SetId;
  /** Parts of a sentence: `the last of 2026-11-23`; at least one. */
  readonly reasons: readonly string[];
}

export interface PrunePlan extends RetentionPlan {
  /** Newest first. */
  readonly kept: readonly KeptSet[];
}

/**
 * @param now seconds since 1970; a set of a time to come, by a clock that was wrong, does not make the others old
 * @throws BackupError `usage` if no rule keeps anything
 */
export function planPrune(collection: Collection, rules: KeepRules, now: number): PrunePlan {
  const { last, daily, weekly, monthly, yearly, within, fullMin } = rules;
  if ([last, daily, weekly, monthly, yearly, within].every(rule => rule === undefined || rule === 0)) {
    throw new BackupError('usage', 'say what to keep, for example --keep-daily 7 --keep-monthly 12');
  }
  if (fullMin < 1) throw new BackupError('usage', 'at least one chain has to be kept: --keep-full-min 1');
  const sets = collection.chains.flatMap(chain => chain.sets).sort((a, b) => byTime(b, a));
  const reasons = new Map<BackupSet, string[]>();
  const keep = (set: BackupSet, reason: string) => reasons.set(set, [...(reasons.get(set) ?? []), reason]);

  const newest = sets[0];
  if (newest) keep(newest, 'the newest');
  for (const set of sets.slice(0, last ?? 0))
    keep(set, last === 1 ? 'the last set' : `one of the last ${last}`);
  keepPeriods(sets, daily, dayOf, keep);
  keepPeriods(sets, weekly, weekOf, keep);
  keepPeriods(sets, monthly, monthOf, keep);
  keepPeriods(sets, yearly, yearOf, keep);
  if (within) {
    const from = Math.min(newestTime(sets, within), now) - within;
    for (const set of sets) if (endOf(set.id) > from) keep(set, 'young enough');
  }
  const wholeChains = collection.chains.filter(chain => chain.sets.every(isWhole));
  for (const chain of wholeChains.slice(-fullMin)) {
    keep(
      chain.sets[0],
      `the full set of ${fullMin === 1 ? 'the newest chain' : `one of the newest ${fullMin} chains`}`,
    );
  }
  for (const chain of collection.chains) keepBases(chain, reasons, keep);

  const gone = collection.chains.flatMap(({ sets: own, superseded }) => {
    const dropped = own.filter(set => !reasons.has(set));
    // What a later run took the place of goes with what it would have needed.
    return [...dropped, ...(dropped.length === own.length ? superseded : [])];
  });
  return {
    kept: sets.flatMap(({ id }, index) => {
      const why = reasons.get(sets[index]!);
      return why ? { set: id, reasons: why } : [];
    }),
    removals: gone.sort((a, b) => byTime(b, a)).map(set => removalOf(set, 'no rule keeps it')),
    chains: collection.chains.filter(chain => chain.sets.some(set => gone.includes(set))),
    neededTimes: [],
    notes: [],
  };
}

/**
 * What ages count from: the newest set, or the one before it if that is older than `within` already. A clock that was
 * ahead for one run would make all others old, and that run would remove them.
 * @param sets newest first
 */
function newestTime([newest, previous]: readonly BackupSet[], within: number): number {
  if (!newest) return Number.POSITIVE_INFINITY;
  const time = endOf(newest.id);
  return previous && endOf(previous.id) <= time - within ? endOf(previous.id) : time;
}

/** A set that is kept only works with all before it. */
function keepBases(
  chain: Chain,
  reasons: ReadonlyMap<BackupSet, unknown>,
  keep: (set: BackupSet, reason: string) => void,
): void {
  const lastKept = chain.sets.findLastIndex(set => reasons.has(set));
  for (const set of chain.sets.slice(0, Math.max(0, lastKept))) {
    if (!reasons.has(set)) keep(set, 'others build on it');
  }
}

/** @param sets newest first */
function keepPeriods(
  sets: readonly BackupSet[],
  count: number | undefined,
  periodOf: (seconds: number) => string,
  keep: (set: BackupSet, reason: string) => void,
): void {
  const seen = new Set<string>();
  for (const set of sets) {
    const period = periodOf(endOf(set.id));
    if (seen.has(period) || seen.size >= (count ?? 0)) continue;
    seen.add(period);
    keep(set, `the last of ${period}`);
  }
}

const two = (value: number) => String(value).padStart(2, '0');

function dayOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function monthOf(seconds: number): string {
  return dayOf(seconds).slice(0, 7);
}

function yearOf(seconds: number): string {
  return dayOf(seconds).slice(0, 4);
}

/** ISO 8601: weeks begin on Monday, and belong to the year that their Thursday is in. */
function weekOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  const thursday = new Date(
    date.getFullYear(),
    date.getMonth(),
    date.getDate() + 3 - ((date.getDay() + 6) % 7),
  );
  const first = new Date(thursday.getFullYear(), 0, 1);
  const week = 1 + Math.floor(Math.round((thursday.getTime() - first.getTime()) / 86_400_000) / 7);
  return `week ${week} of ${thursday.getFullYear()}`;
}
