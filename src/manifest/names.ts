/**
 * Names of what lies at the target and in the archive cache; no other file knows how they look.
 *
 *     duplicity-full.T.volN.difftar.gpg                 duplicity-inc.T1.to.T2.volN.difftar.gpg
 *     duplicity-full.T.manifest.gpg                     duplicity-inc.T1.to.T2.manifest.gpg
 *     duplicity-full-signatures.T.sigtar.gpg            duplicity-new-signatures.T1.to.T2.sigtar.gpg
 *
 * `.gpg` is `.gz` or nothing for what is not encrypted. Reading is more generous than writing: old time forms, the
 * short names of old archives, zeros before a volume number, and anything behind a further dot. Such a tail makes a
 * name not `exact`: real duplicity takes it for the thing itself, we know that it is something beside it.
 * @see FORMAT.md, "Names"
 */

import assert from 'node:assert/strict';
import { canBeNamed, formatTime, parseNameTime } from './time.ts';

/** What a backup set is called by: its kind and times, in seconds. An incremental starts where the set before it ended. */
export type SetId =
  | { readonly type: 'full'; readonly time: number }
  | { readonly type: 'inc'; readonly start: number; readonly end: number };

/** What stands before the names: `file` before all, then one per kind. */
export interface Prefixes {
  readonly file?: string;
  readonly archive?: string;
  readonly manifest?: string;
  readonly signature?: string;
  readonly jsonstat?: string;
}

/** How an object is stored: in an OpenPGP message, gzipped, or as it is. */
export type Form = 'gpg' | 'gz' | 'plain';

interface Named {
  readonly set: SetId;
  readonly encrypted: boolean;
  readonly compressed: boolean;
  /** Of a run that has not ended (archive cache only). */
  readonly partial: boolean;
  /** Nothing stands behind the known suffix. */
  readonly exact: boolean;
}

export type ParsedName =
  | (Named & { readonly kind: 'volume'; readonly volume: number })
  | (Named & { readonly kind: 'manifest' | 'signatures' | 'jsonstat' });

export type NameKind = ParsedName['kind'];

/** What a name says, or undefined if it is none of ours. Prefixes count literally. */
export function parseName(name: string, prefixes: Prefixes = {}): ParsedName | undefined {
  const file = prefixes.file ?? '';
  if (name.length > LONGEST_NAME || !name.startsWith(file)) return undefined;
  for (const { kind, pattern, parseTime } of grammars) {
    const prefix = file + prefixOf(kind, prefixes);
    if (!name.startsWith(prefix)) continue;
    const match = pattern.exec(name.slice(prefix.length));
    if (!match) continue;
    const { full, start, end, number, number2, part, rest = '' } = match.groups!;
    const set = parseSet(parseTime, full, start, end);
    if (!set) return undefined;
    const named = {
      set,
      encrypted: /\.(gpg|g|p7m)$/.test(rest),
      compressed: /\.(gz|z)$/.test(rest),
      partial: part !== undefined,
      exact: /^(\.(gpg|gz|g|z|p7m))?$/.test(rest),
    };
    if (kind !== 'volume') return { kind, ...named };
    const volume = Number.parseInt((number ?? number2)!, parseTime === parseBase36 ? 36 : 10);
    return volume >= 1 && volume <= MOST_VOLUMES ? { kind, volume, ...named } : undefined;
  }
  return undefined;
}

const LONGEST_NAME = 4096;
const MOST_VOLUMES = 999_999_999;

const TAIL = '(?<part>\\.part|\\.p)?(?<rest>\\..*)?$';
const TIMES = '(?:full\\.(?<full>.{16,25}?)|inc\\.(?<start>.{16,25}?)\\.to\\.(?<end>.{16,25}?))';
const SIGNATURE_TIMES =
  '(?:full-signatures\\.(?<full>.{16,25}?)|new-signatures\\.(?<start>.{16,25}?)\\.to\\.(?<end>.{16,25}?))';
const SHORT = '[0-9a-z]{1,12}';

const long = (kind: NameKind, body: string) => ({
  kind,
  pattern: new RegExp(`^duplicity-${body}${TAIL}`, 's'),
  parseTime: parseNameTime,
});
const short = (kind: NameKind, body: string) => ({
  kind,
  pattern: new RegExp(`^${body}${TAIL}`, 's'),
  parseTime: parseBase36,
});

const grammars = [
  long('volume', `${TIMES}\\.vol(?<number>\\d+)\\.difftar`),
  long('manifest', `${TIMES}\\.manifest`),
  long('signatures', `${SIGNATURE_TIMES}\\.sigtar`),
  long('jsonstat', `${TIMES}\\.jsonstat`),
  short(
    'volume',
    `(?:df\\.(?<full>${SHORT})\\.(?<number>${SHORT})|di\\.(?<start>${SHORT})\\.(?<end>${SHORT})\\.(?<number2>${SHORT}))\\.dt`,
  ),
  short('manifest', `(?:df\\.(?<full>${SHORT})|di\\.(?<start>${SHORT})\\.(?<end>${SHORT}))\\.m`),
  short('signatures', `(?:dfs\\.(?<full>${SHORT})|dns\\.(?<start>${SHORT})\\.(?<end>${SHORT}))\\.st`),
];

function parseSet(
  parseTime: (text: string) => number | undefined,
  full: string | undefined,
  start: string | undefined,
  end: string | undefined,
): SetId | undefined {
  if (full !== undefined) {
    const time = parseTime(full);
    return time === undefined ? undefined : { type: 'full', time };
  }
  const from = parseTime(start ?? '');
  const to = parseTime(end ?? '');
  return from === undefined || to === undefined ? undefined : { type: 'inc', start: from, end: to };
}

function parseBase36(text: string): number | undefined {
  const seconds = Number.parseInt(text, 36);
  return canBeNamed(seconds) ? seconds : undefined;
}

/** Name of a volume at the target; `number` counts from 1. */
export function volumeName(set: SetId, number: number, form: Form, prefixes: Prefixes = {}): string {
  assert(Number.isSafeInteger(number) && number >= 1 && number <= MOST_VOLUMES);
  return `${prefixed('volume', prefixes)}duplicity-${times(set, '')}.vol${number}.difftar${suffixes[form]}`;
}

/** Name of a manifest at the target; a manifest is never gzipped. */
export function manifestName(set: SetId, form: 'gpg' | 'plain', prefixes: Prefixes = {}): string {
  return `${prefixed('manifest', prefixes)}duplicity-${times(set, '')}.manifest${suffixes[form]}`;
}

/** Name of a signature file at the target. */
export function signaturesName(set: SetId, form: Form, prefixes: Prefixes = {}): string {
  return `${prefixed('signatures', prefixes)}duplicity-${times(set, '-signatures')}.sigtar${suffixes[form]}`;
}

/** Name in the archive cache: of a finished set (plain manifest, gzipped signatures) or of a run under way. */
export function cacheName(
  kind: 'manifest' | 'signatures',
  set: SetId,
  state: 'final' | 'partial' = 'final',
  prefixes: Prefixes = {},
): string {
  const plain =
    kind === 'manifest' ? manifestName(set, 'plain', prefixes) : signaturesName(set, 'plain', prefixes);
  if (state === 'partial') return `${plain}.part`;
  return kind === 'manifest' ? plain : `${plain}.gz`;
}

/** The same text for the same set, for use as a key. */
export function setKey(set: SetId): string {
  return set.type === 'full' ? `full.${set.time}` : `inc.${set.start}.to.${set.end}`;
}

/** Time of the set before (a full set: its own). */
export function startOf(set: SetId): number {
  return set.type === 'full' ? set.time : set.start;
}

/** Time of the run that made the set: what a restore by time goes by. */
export function endOf(set: SetId): number {
  return set.type === 'full' ? set.time : set.end;
}

const suffixes: Readonly<Record<Form, string>> = { gpg: '.gpg', gz: '.gz', plain: '' };

function times(set: SetId, infix: '' | '-signatures'): string {
  if (set.type === 'full') return `full${infix}.${formatTime(set.time)}`;
  return `${infix ? 'new' : 'inc'}${infix}.${formatTime(set.start)}.to.${formatTime(set.end)}`;
}

function prefixed(kind: NameKind, prefixes: Prefixes): string {
  return (prefixes.file ?? '') + prefixOf(kind, prefixes);
}

function prefixOf(kind: NameKind, prefixes: Prefixes): string {
  const key = kind === 'volume' ? 'archive' : kind === 'signatures' ? 'signature' : kind;
  return prefixes[key] ?? '';
}
