/**
 * Backup sets linked to chains: a full set, and incrementals that each start where the set before them ended. Links
 * come from names alone, so status and planning need neither passphrase nor downloads.
 * @see FORMAT.md, "Chains"
 */

import { endOf, type Prefixes, type SetId, startOf } from './names.ts';
import {
  type BackupSet,
  byTime,
  describeSet,
  groupSets,
  type Listed,
  namesOf,
  type Problem,
  type StoredObject,
  volumeGaps,
} from './sets.ts';

export interface Chain {
  /** The full set and its incrementals, oldest first. */
  readonly sets: readonly [BackupSet, ...BackupSet[]];
  readonly start: number;
  readonly end: number;
  /** End of the last set up to which every set has its signatures; absent if the full one has none. */
  readonly signaturesUntil?: number;
  /** Incrementals whose place a later run took; nothing reads them, but they belong here. */
  readonly superseded: readonly BackupSet[];
}

/** All of ours at a target. */
export interface Collection {
  /** By end time; the last is the one to continue. */
  readonly chains: readonly Chain[];
  /** Without manifest: a run that broke off, or that is still under way. */
  readonly incomplete: readonly BackupSet[];
  /** Complete incrementals without the set that they build on. */
  readonly orphaned: readonly BackupSet[];
  /** Incrementals with signatures but without manifest, apart from the next. They may be incomplete ones, too. */
  readonly orphanedSignatures: readonly BackupSet[];
  /** Full sets with signatures but without manifest, and the incrementals of that kind that follow these. */
  readonly signaturesWithoutBackup: readonly BackupSet[];
  readonly problems: readonly Problem[];
}

/**
 * Sorts a listing of the target into chains; whatever it holds, it never throws.
 * @param wasComplete for readers: whether a set without manifest is known to have had one. Where this is given, sets that
 * have lost their manifest count as complete; else they are incomplete, as they are to duplicity
 */
export function collectSets(
  listing: Iterable<Listed>,
  prefixes: Prefixes = {},
  wasComplete?: (id: SetId) => boolean,
): Collection {
  const { sets, problems } = groupSets(listing, prefixes);
  const lost = wasComplete ? withLostManifest(sets, wasComplete) : new Set<BackupSet>();
  const complete = sets.filter(set => set.manifest || lost.has(set));
  const { chains, orphaned } = linkChains(complete, problems);
  const others = sets.filter(set => !lost.has(set));
  const { orphanedSignatures, signaturesWithoutBackup } = looseSignatures(others);
  const incomplete = others.filter(set => !set.manifest && (set.volumes.size > 0 || set.extras.length > 0));
  for (const set of complete) reportGaps(set, problems);
  const loose = [...orphaned, ...others.filter(set => !set.manifest)];
  const starts = startsOfFollowers(loose);
  for (const set of incomplete) if (starts.has(endOf(set.id))) problems.push(manifestLost(set));
  reportOverlaps(chains, problems);
  if (signaturesWithoutBackup.length > 0) {
    problems.push({
      code: 'signatures-without-backup',
      message: 'There are signatures of a full backup that is not there itself.',
      names: signaturesWithoutBackup.map(set => set.signatures!.name),
    });
  }
  return { chains, incomplete, orphaned, orphanedSignatures, signaturesWithoutBackup, problems };
}

/**
 * Sets that were complete once: others build on them, be these complete or not, or the caller knows. One whose place
 * another set has taken is none of them.
 */
function withLostManifest(
  sets: readonly BackupSet[],
  wasComplete: (id: SetId) => boolean,
): ReadonlySet<BackupSet> {
  const complete = sets.filter(set => set.manifest);
  const ends = new Set(complete.map(({ id }) => endOf(id)));
  const startsOf = (some: readonly BackupSet[]) =>
    new Set(some.flatMap(({ id }) => (id.type === 'inc' ? id.start : [])));
  const taken = startsOf(complete);
  const builtOn = startsOf(sets);
  const isLost = ({ id, manifest, volumes }: BackupSet) => {
    if (manifest || volumes.size === 0 || (id.type === 'inc' && taken.has(id.start))) return false;
    return (builtOn.has(endOf(id)) && !ends.has(endOf(id))) || wasComplete(id);
  };
  return new Set(sets.filter(isLost));
}

interface Draft {
  /** Its place among all. */
  readonly order: number;
  sets: [BackupSet, ...BackupSet[]];
  superseded: BackupSet[];
}

const lastEnd = (sets: readonly BackupSet[]) => endOf(sets.at(-1)!.id);

/** @param sets complete ones by time */
function linkChains(
  sets: readonly BackupSet[],
  problems: Problem[],
): { chains: Chain[]; orphaned: BackupSet[] } {
  const drafts: Draft[] = [];
  const orphaned: BackupSet[] = [];
  // Chains by where they end, and by where their last incremental starts: a target may hold thousands of sets.
  const byEnd = createDraftIndex(({ sets }) => lastEnd(sets));
  const byLastStart = createDraftIndex(({ sets }) =>
    sets.length > 1 ? startOf(sets.at(-1)!.id) : undefined,
  );
  const changed = (draft: Draft) => {
    byEnd.add(draft);
    byLastStart.add(draft);
  };
  for (const set of sets) {
    const { id } = set;
    if (id.type === 'full') {
      const draft: Draft = { order: drafts.length, sets: [set], superseded: [] };
      drafts.push(draft);
      changed(draft);
      continue;
    }
    const open = id.end > id.start ? byEnd.of(id.start) : [];
    const replaced = byLastStart.of(id.start).find(({ sets }) => lastEnd(sets) < id.end);
    if (open[0]) {
      open[0].sets.push(set);
      changed(open[0]);
      if (open.length > 1) problems.push(ambiguousLink(set));
    } else if (replaced) {
      const old = replaced.sets.pop()!;
      replaced.sets.push(set);
      changed(replaced);
      replaced.superseded.push(old);
      problems.push(supersededSet(old, set));
    } else orphaned.push(set);
  }
  const chains = drafts.map(finishChain);
  return { chains: chains.sort((a, b) => a.end - b.end || a.start - b.start), orphaned };
}

/** Finds drafts by a time of theirs, which may have changed since. */
function createDraftIndex(timeOf: (draft: Draft) => number | undefined) {
  const drafts = new Map<number, Set<Draft>>();
  return {
    /** Also after each change. */
    add(draft: Draft): void {
      const time = timeOf(draft);
      if (time === undefined) return;
      const there = drafts.get(time) ?? new Set();
      drafts.set(time, there.add(draft));
    },
    /** In the order in which they were begun. */
    of(time: number): Draft[] {
      const there = drafts.get(time);
      if (!there) return [];
      for (const draft of there) if (timeOf(draft) !== time) there.delete(draft);
      return [...there].sort((a, b) => a.order - b.order);
    },
  };
}

function finishChain({ sets, superseded }: Draft): Chain {
  const gap = sets.findIndex(set => !set.signatures);
  const covered = sets[(gap < 0 ? sets.length : gap) - 1];
  return {
    sets,
    start: startOf(sets[0].id),
    end: lastEnd(sets),
    ...(covered && { signaturesUntil: endOf(covered.id) }),
    superseded,
  };
}

/** Sets that have signatures but no manifest, told apart by whether they lead back to a full backup that is gone. */
function looseSignatures(sets: readonly BackupSet[]) {
  const orphanedSignatures: BackupSet[] = [];
  const signaturesWithoutBackup: BackupSet[] = [];
  const goneEnds = new Set<number>();
  // By start time, so that a set that leads on comes after the one that it continues.
  for (const set of [...sets].sort((a, b) => startOf(a.id) - startOf(b.id) || byTime(a, b))) {
    if (set.manifest || !set.signatures) continue;
    if (set.id.type === 'full' || goneEnds.has(set.id.start)) {
      signaturesWithoutBackup.push(set);
      goneEnds.add(endOf(set.id));
    } else orphanedSignatures.push(set);
  }
  return { orphanedSignatures, signaturesWithoutBackup };
}

/** Every set of which the target has something; some are there twice. */
export function allSets({ chains, ...loose }: Collection): BackupSet[] {
  const { incomplete, orphaned, orphanedSignatures, signaturesWithoutBackup } = loose;
  const linked = chains.flatMap(({ sets, superseded }) => [...sets, ...superseded]);
  return [...linked, ...incomplete, ...orphaned, ...orphanedSignatures, ...signaturesWithoutBackup];
}

/** Why an orphaned set can't be restored, as a clause. */
export function whyOrphaned({ id }: BackupSet, { chains, orphaned }: Collection): string {
  const isEnd = (set: BackupSet) => endOf(set.id) === startOf(id);
  if (chains.some(({ sets }) => sets.some(isEnd))) return 'other backups follow the one that it builds on';
  if (orphaned.some(isEnd)) return "the backup that it builds on can't be restored either";
  return 'the backup that it builds on is gone';
}

/**
 * The chain to read for a state at `time`: the one with the newest set that is not later, else the oldest.
 * Where chains do not overlap, this is the chain that covers the time, or else ended last before it.
 */
export function chainFor(chains: readonly Chain[], time: number): Chain | undefined {
  let best: Chain | undefined;
  let bestTime = Number.NEGATIVE_INFINITY;
  for (const chain of chains) {
    if (chain.start > time) continue;
    const newest = lastEnd(setsFor(chain, time));
    if (newest > bestTime || (newest === bestTime && chain.start > best!.start)) {
      best = chain;
      bestTime = newest;
    }
  }
  return best ?? chains.reduce<Chain | undefined>((a, b) => (a && a.start <= b.start ? a : b), undefined);
}

/** The sets to apply for a state at `time`, oldest first: always the full one, and incrementals that are not later. */
export function setsFor(chain: Chain, time: number): BackupSet[] {
  return chain.sets.filter((set, index) => index === 0 || endOf(set.id) <= time);
}

/** What the next incremental builds on, or why there can be none. */
export type Continuation =
  | {
      readonly chain: Chain;
      /** The set it follows: its end is the new set's start. */
      readonly last: BackupSet;
      /** Signatures of the chain up to `last`, oldest first. */
      readonly signatures: readonly StoredObject[];
      /** The set after `last`: it has no signatures, and the next incremental will take its place. */
      readonly discarded?: BackupSet;
      /**
       * Signatures that start where the new ones will, of runs that broke off just before their commit. Real
       * duplicity would take these for the chain's, and ours for orphans: remove them before the new set is committed.
       */
      readonly dangling: readonly StoredObject[];
    }
  | { readonly reason: string };

/**
 * Whether the newest chain can be continued: every set of it needs its signatures, only the last may lack them.
 * An older chain is never continued, for its incremental would be in the shadow of the newer full backup.
 */
export function continuable(collection: Collection): Continuation {
  const chain = collection.chains.at(-1);
  if (!chain) return { reason: 'There is no complete backup yet.' };
  const covered = chain.sets.filter(
    set => endOf(set.id) <= (chain.signaturesUntil ?? Number.NEGATIVE_INFINITY),
  );
  const last = covered.at(-1);
  const lacking = chain.sets.slice(covered.length);
  if (!last || lacking.length > 1) {
    const names = lacking
      .slice(0, 3)
      .map(set => describeSet(set.id))
      .join(', ');
    return { reason: `Signatures are missing at the target (${names}).` };
  }
  const signatures = covered.map(set => set.signatures!);
  const dangling = collection.orphanedSignatures
    .filter(set => startOf(set.id) === endOf(last.id) && !isBuiltUpon(set, collection.orphaned))
    .map(set => set.signatures!);
  return { chain, last, signatures, dangling, ...(lacking[0] && { discarded: lacking[0] }) };
}

function reportGaps(set: BackupSet, problems: Problem[]): void {
  const gaps = volumeGaps(set);
  if (gaps.length === 0 && set.volumes.size > 0) return;
  const what =
    gaps.length === 0 ? 'all volumes' : `volume ${gaps.slice(0, 5).join(', ')}${gaps.length > 5 ? ' …' : ''}`;
  problems.push({
    code: 'volume-gap',
    message: `The ${describeSet(set.id)} lacks ${what}; it cannot be restored whole.`,
    names: set.manifest ? [set.manifest.name] : [],
  });
}

function reportOverlaps(chains: readonly Chain[], problems: Problem[]): void {
  const sorted = [...chains].sort((a, b) => a.start - b.start);
  let next = 0; // the first that ends late enough: those before it end too early for all that start later, too
  for (const [index, chain] of sorted.entries()) {
    while (next < index && sorted[next]!.end < chain.start) next++;
    const before = next < index ? sorted[next] : undefined;
    if (!before) continue;
    problems.push({
      code: 'chains-overlap',
      message: `The chains of the ${describeSet(before.sets[0].id)} and of the ${describeSet(chain.sets[0].id)} overlap in time; do two programs back up to this place?`,
      names: [before, chain].flatMap(({ sets: [full] }) => full.manifest?.name ?? []),
    });
  }
}

/**
 * Whether others follow an incomplete set, complete ones or such that have lost their manifest, too. A run that broke
 * off has no successors, so this set was complete once and has lost its manifest.
 * @param others that no chain links
 */
export function isBuiltUpon(set: BackupSet, others: readonly BackupSet[]): boolean {
  return others.some(({ id }) => id.type === 'inc' && id.start === endOf(set.id) && id.end > id.start);
}

/** The same for many sets: where those that follow others start. */
function startsOfFollowers(sets: readonly BackupSet[]): ReadonlySet<number> {
  return new Set(sets.flatMap(({ id }) => (id.type === 'inc' && id.end > id.start ? id.start : [])));
}

function manifestLost(set: BackupSet): Problem {
  return {
    code: 'manifest-lost',
    message: `The ${describeSet(set.id)} has no manifest although later backups build on it; restore and verify read them without it, but nothing continues them.`,
    names: namesOf(set).slice(0, 1),
  };
}

function ambiguousLink(set: BackupSet): Problem {
  return {
    code: 'ambiguous-link',
    message: `Two chains end where the ${describeSet(set.id)} starts; it is taken for a part of the first.`,
    names: namesOf(set).slice(0, 1),
  };
}

function supersededSet(old: BackupSet, set: BackupSet): Problem {
  return {
    code: 'superseded-set',
    message: `The ${describeSet(old.id)} was replaced by the ${describeSet(set.id)} and is no longer used.`,
    names: namesOf(old).slice(0, 1),
  };
}
