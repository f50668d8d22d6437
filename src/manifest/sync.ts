/**
 * What to do so that the archive cache has the manifests and signatures that a run needs. Decided by names, never by
 * content. One rule differs from real duplicity: metadata in the cache that the target has lost may be the last trace
 * of a backup, so it is never dropped, but told.
 * @see FORMAT.md, "Archive cache"
 */

import type { Chain } from './chains.ts';
import {
  cacheName,
  endOf,
  type ParsedName,
  type Prefixes,
  parseName,
  type SetId,
  setKey,
  startOf,
} from './names.ts';
import { byTime } from './sets.ts';

export interface SyncPlan {
  /** To be copied from the target (`name`) into the cache (`cacheName`): plain manifest, gzipped signatures. */
  readonly fetch: readonly {
    readonly name: string;
    readonly cacheName: string;
    readonly kind: 'manifest' | 'signatures';
    readonly set: SetId;
    readonly encrypted: boolean;
    readonly compressed: boolean;
  }[];
  /** In the cache as of a finished set, but not at the target: kept, and an incident to report. */
  readonly unknownAtTarget: readonly { readonly name: string; readonly set: SetId }[];
}

/**
 * @param neededChain only sets that overlap it in time are fetched; absent: all
 */
export function planSync(
  remoteNames: Iterable<string>,
  localNames: Iterable<string>,
  neededChain?: Pick<Chain, 'start' | 'end'>,
  prefixes: Prefixes = {},
): SyncPlan {
  const sets = new Map<string, SetMetadata>();
  for (const [names, place] of [
    [remoteNames, 'remote'],
    [localNames, 'local'],
  ] as const) {
    for (const name of names) {
      const parsed = parseName(name, prefixes);
      if (!parsed?.exact || (parsed.kind !== 'manifest' && parsed.kind !== 'signatures')) continue;
      const key = setKey(parsed.set);
      const set = sets.get(key) ?? { id: parsed.set, remote: {}, final: {}, part: {}, stale: {} };
      sets.set(key, set);
      const where = place === 'remote' ? (parsed.partial ? undefined : 'remote') : stateOf(parsed);
      // Of two names for the same thing the first in name order counts, however they were listed.
      const held = where && set[where][parsed.kind];
      if (where && !(held && held.name < name)) set[where][parsed.kind] = { ...parsed, name };
    }
  }
  const plan = { fetch: [], unknownAtTarget: [] } as Mutable<SyncPlan>;
  for (const set of [...sets.values()].sort(byTime)) {
    const needed = !neededChain || (startOf(set.id) <= neededChain.end && endOf(set.id) >= neededChain.start);
    planSet(set, needed, plan, prefixes);
  }
  return plan;
}

type Mutable<T> = { -readonly [key in keyof T]: T[key] extends readonly (infer Item)[] ? Item[] : T[key] };
type Pair = { manifest?: Held; signatures?: Held };
type Held = ParsedName & { readonly name: string };

/** A set's metadata: at the target, and in the cache as of a finished run, of a run under way, or in a form for sending. */
interface SetMetadata {
  readonly id: SetId;
  readonly remote: Pair;
  readonly final: Pair;
  readonly part: Pair;
  readonly stale: Pair;
}

function stateOf(parsed: ParsedName): 'part' | 'final' | 'stale' {
  if (parsed.partial) return 'part';
  const inCacheForm = !parsed.encrypted && (parsed.kind === 'signatures') === parsed.compressed;
  return inCacheForm ? 'final' : 'stale';
}

function planSet(set: SetMetadata, needed: boolean, plan: Mutable<SyncPlan>, prefixes: Prefixes): void {
  const { id, remote, final, part, stale } = set;
  const committed = remote.manifest !== undefined;
  const partial = part.manifest !== undefined && !committed;
  for (const kind of ['manifest', 'signatures'] as const) {
    const kept = final[kind];
    if (partial) {
      // Signatures are finished before the manifest is, and say nothing yet.
      if (kind === 'manifest' && kept) plan.unknownAtTarget.push({ name: kept.name, set: id });
      continue;
    }
    for (const held of [kept, stale[kind]]) {
      if (held && !remote[kind]) plan.unknownAtTarget.push({ name: held.name, set: id });
    }
    const source = remote[kind];
    if (!source || kept || !needed || !committed) continue;
    const { name, encrypted, compressed } = source;
    plan.fetch.push({
      name,
      cacheName: cacheName(kind, id, 'final', prefixes),
      kind,
      set: id,
      encrypted,
      compressed,
    });
  }
}
