/**
 * A listing of the target, sorted into backup sets by name. A target is a stranger's too: a volume may be there twice,
 * an editor may have left copies. Such things never stop us; they become problems for the report, and every object
 * keeps its place in the set it belongs to, so that it goes when the set goes.
 */

import { displayPath } from '../bytes.ts';
import {
  endOf,
  type Form,
  manifestName,
  type ParsedName,
  type Prefixes,
  parseName,
  type SetId,
  setKey,
  signaturesName,
  startOf,
  volumeName,
} from './names.ts';
import { formatTime } from './time.ts';

/** An object at the target: its name as bytes in a latin1 string, its size in bytes. */
export interface Listed {
  readonly name: string;
  readonly size: number;
}

/** A listed object with what its name says about its form. */
export interface StoredObject extends Listed {
  readonly encrypted: boolean;
  readonly compressed: boolean;
}

export interface BackupSet {
  readonly id: SetId;
  /** Its being there is what makes the set complete. */
  readonly manifest?: StoredObject;
  readonly signatures?: StoredObject;
  readonly jsonstat?: StoredObject;
  /** By number, ascending. */
  readonly volumes: ReadonlyMap<number, StoredObject>;
  /**
   * What claims a place in this set that another object holds with better right, or only begins like one of its
   * names. Where a volume turns out damaged, its double may be whole.
   */
  readonly extras: readonly StoredObject[];
}

/** Something about the target that a person should know. */
export interface Problem {
  readonly code:
    | 'duplicate-object'
    | 'trailing-name'
    | 'volume-gap'
    | 'manifest-lost'
    | 'ambiguous-link'
    | 'superseded-set'
    | 'chains-overlap'
    | 'signatures-without-backup';
  readonly message: string;
  /** Objects it is about. */
  readonly names: readonly string[];
}

/** Groups a listing by set, in order of time; objects that are not ours are left out. */
export function groupSets(
  listing: Iterable<Listed>,
  prefixes: Prefixes = {},
): { sets: BackupSet[]; problems: Problem[] } {
  const drafts = new Map<string, Draft>();
  const problems: Problem[] = [];
  for (const { name, size } of listing) {
    const parsed = parseName(name, prefixes);
    if (!parsed) continue;
    const key = setKey(parsed.set);
    const draft: Draft = drafts.get(key) ?? { id: parsed.set, volumes: new Map(), extras: [] };
    drafts.set(key, draft);
    const object = { name, size, encrypted: parsed.encrypted, compressed: parsed.compressed };
    if (parsed.exact && !parsed.partial) place(draft, parsed, object, prefixes, problems);
    else {
      draft.extras.push(object);
      problems.push({
        code: 'trailing-name',
        message: `${displayPath(name)} is not part of a backup but begins like it; real duplicity stumbles over it, so remove or rename it.`,
        names: [name],
      });
    }
  }
  const sets = [...drafts.values()].map(draft => ({
    ...draft,
    volumes: new Map([...draft.volumes].sort(([a], [b]) => a - b)),
  }));
  return { sets: sets.sort(byTime), problems };
}

type Slot = 'manifest' | 'signatures' | 'jsonstat';
type Draft = { id: SetId; volumes: Map<number, StoredObject>; extras: StoredObject[] } & {
  [slot in Slot]?: StoredObject;
};

function place(
  draft: Draft,
  parsed: ParsedName,
  object: StoredObject,
  prefixes: Prefixes,
  problems: Problem[],
): void {
  const held = parsed.kind === 'volume' ? draft.volumes.get(parsed.volume) : draft[parsed.kind];
  const keep = held && hasBetterRight(held, object, parsed, prefixes) ? held : object;
  if (parsed.kind === 'volume') draft.volumes.set(parsed.volume, keep);
  else draft[parsed.kind] = keep;
  if (!held) return;
  const other = keep === held ? object : held;
  draft.extras.push(other);
  problems.push({
    code: 'duplicate-object',
    message: `${displayPath(other.name)} is there beside ${displayPath(keep.name)}, which is used; real duplicity stops at such doubles, so remove the wrong one.`,
    names: [keep.name, other.name],
  });
}

/** Names as we write them first, then by name, so that the order of the listing decides nothing. */
function hasBetterRight(a: StoredObject, b: StoredObject, parsed: ParsedName, prefixes: Prefixes): boolean {
  const [ours, theirs] = [a, b].map(object => Number(isOurSpelling(object, parsed, prefixes)));
  return ours === theirs ? a.name < b.name : ours! > theirs!;
}

function isOurSpelling(object: StoredObject, parsed: ParsedName, prefixes: Prefixes): boolean {
  const form: Form = object.encrypted ? 'gpg' : object.compressed ? 'gz' : 'plain';
  if (parsed.kind === 'volume') return object.name === volumeName(parsed.set, parsed.volume, form, prefixes);
  if (parsed.kind === 'manifest') {
    return object.name === manifestName(parsed.set, form === 'gpg' ? 'gpg' : 'plain', prefixes);
  }
  return parsed.kind === 'signatures' && object.name === signaturesName(parsed.set, form, prefixes);
}

/** Order of sets in time: by the end, then the full one first. */
export function byTime(a: { readonly id: SetId }, b: { readonly id: SetId }): number {
  const rank = (id: SetId) => (id.type === 'full' ? 0 : 1);
  return endOf(a.id) - endOf(b.id) || rank(a.id) - rank(b.id) || startOf(a.id) - startOf(b.id);
}

/** Whether a set looks as if it could be restored: it has a manifest, and its volumes without a gap. */
export function isWhole(set: BackupSet): boolean {
  return set.manifest !== undefined && set.volumes.size > 0 && volumeGaps(set).length === 0;
}

/** Whether the listing has volumes with a higher number. */
export function goesBeyond(set: BackupSet, last: number): boolean {
  return [...set.volumes.keys()].some(number => number > last);
}

/** Numbers that are not in the listing although a higher one is: such a set cannot be restored whole. */
export function volumeGaps(set: BackupSet): number[] {
  const gaps: number[] = [];
  let next = 1;
  for (const number of set.volumes.keys()) {
    // A stray high number would make a list without end.
    while (next < number && gaps.length < 1000) gaps.push(next++);
    next = number + 1;
  }
  return gaps;
}

/** All objects of a set in the order of removal: the manifest goes first, so that a half removed set never looks whole. */
export function namesOf(set: BackupSet): string[] {
  const objects = [
    set.manifest,
    ...set.extras,
    set.jsonstat,
    set.signatures,
    ...[...set.volumes.values()].reverse(),
  ];
  return objects.flatMap(object => object?.name ?? []);
}

/** A set in words, for messages: `full backup of 20261123T005742Z`. */
export function describeSet(id: SetId): string {
  return `${id.type === 'full' ? 'full' : 'incremental'} backup of ${formatTime(endOf(id))}`;
}
