/**
 * What stands behind a command line: options of a profile and of the environment, made into words, so that they are
 * read, checked and refused as if they had been typed. What was typed goes before the environment, and that before
 * the profile.
 */

import { dirname, resolve } from 'node:path';
import { BackupError } from '../errors.ts';
import { atHome } from '../profiles/home.ts';
import type { OptionValue } from '../profiles/parse.ts';
import type { Environment } from '../profiles/places.ts';
import type { ActionSpec } from './actions.ts';
import { knows, type OptionSpec } from './option-spec.ts';
import { options } from './options.ts';

/** What of a profile every action may use. */
export interface ProfileLayer {
  /** In its folder relative paths begin, as nobody knows where cron calls us. */
  readonly file: string;
  readonly source: string;
  readonly target: string;
  readonly options: ReadonlyMap<string, OptionValue>;
}

/** A path that does not begin in the folder of a profile: a program that the shell finds. */
const elsewhere = ['gpg-binary'];

/**
 * The words of an action with all layers.
 * @param words options by their full names, and arguments
 * @throws BackupError `usage` for an option that has to be typed, and for a value of the wrong kind
 */
export function layered(
  spec: ActionSpec,
  words: readonly string[],
  environment: Environment,
  profile: ProfileLayer | undefined,
): string[] {
  const given = namesIn(words);
  const layers = [
    { values: fromEnvironment(environment) },
    { values: profile?.options ?? new Map<string, OptionValue>(), file: profile?.file },
  ];
  const plain: string[] = [];
  const ordered: string[] = [];
  for (const { values, file } of layers) {
    for (const [name, value] of values) {
      const option = options.find(({ long, aliases }) => long === name || aliases?.includes(name));
      if (!option || !knows(spec, option) || (given.has(option.long) && !option.ordered)) continue;
      if (option.typedOnly && value !== false) {
        const place = file === undefined ? variableOf(name) : `${file}: options.${name}`;
        throw new BackupError('usage', `${place} is not allowed: --${name} has to be typed each time`);
      }
      (option.ordered ? ordered : plain).push(...wordsOf(option, value, file));
    }
    for (const [name] of values) given.add(name);
  }
  // The first rule that says something decides: what was typed comes first. Nothing is an option after `--`.
  const end = words.indexOf('--');
  return end < 0
    ? [...plain, ...words, ...ordered]
    : [...plain, ...words.slice(0, end), ...ordered, ...words.slice(end)];
}

/** @param file of the profile that has it */
function wordsOf(option: OptionSpec, value: OptionValue, file: string | undefined): string[] {
  const { long, kind } = option;
  if ((kind === 'flag') !== (typeof value === 'boolean')) {
    const wanted = kind === 'flag' ? 'true or false' : 'a value';
    throw new BackupError('usage', `${file}: options.${long} takes ${wanted}, not ${JSON.stringify(value)}`);
  }
  if (kind === 'flag') return value === true ? [`--${long}`] : [];
  const values = (Array.isArray(value) ? value : [value]).map(one => atHome(String(one)));
  return values.map(one => `--${long}=${file === undefined ? one : placedIn(dirname(file), option, one)}`);
}

/** The value of an option; one that names a place on this machine begins in the folder. */
export function placedIn(folder: string, { long, kind }: OptionSpec, value: string): string {
  return kind === 'path' && !elsewhere.includes(long) ? resolve(folder, value) : value;
}

/** The long names of the options among regular words, as they were typed. */
export function namesIn(words: readonly string[]): Set<string> {
  const end = words.indexOf('--');
  const before = end < 0 ? words : words.slice(0, end);
  return new Set(before.flatMap(word => /^--([^=]+)/.exec(word)?.[1] ?? []));
}

/** `TSBACKUP_VOLSIZE=50`; lists have a line for each item. */
export function variableOf(long: string): string {
  return `TSBACKUP_${long.toUpperCase().replaceAll('-', '_')}`;
}

function fromEnvironment(environment: Environment): ReadonlyMap<string, OptionValue> {
  const found = new Map<string, OptionValue>();
  for (const { long, kind, repeatable, ordered } of options) {
    const text = environment[variableOf(long)];
    if (text === undefined || text === '') continue;
    if (kind === 'flag') found.set(long, isMeant(long, text));
    else found.set(long, repeatable || ordered ? text.split('\n').filter(line => line !== '') : text);
  }
  return found;
}

/** Guessing is no good here: `off` taken for yes would store without encryption. */
function isMeant(long: string, text: string): boolean {
  const word = text.trim().toLowerCase();
  if (['1', 'yes', 'true', 'on'].includes(word)) return true;
  if (['0', 'no', 'false', 'off'].includes(word)) return false;
  throw new BackupError('usage', `${variableOf(long)} takes yes or no, not '${text}'`);
}

/** Arguments with those that a profile has in place of those that were not typed; they end where one is missing. */
export function withPlaces(
  { action, positionals }: ActionSpec,
  typed: readonly string[],
  { source, target }: ProfileLayer,
): string[] {
  const own: Readonly<Record<string, string>> = { SOURCE: source, URL: target };
  const others = positionals.filter(name => own[name] === undefined);
  if (typed.length > others.length) return [...typed];
  // verify compares with the source itself unless it is told with what; a restore would write over it.
  const left = action === 'verify' && typed.length === 0 ? [source] : [...typed];
  const places = positionals.map(name => own[name] ?? left.shift());
  const missing = places.indexOf(undefined);
  return (missing < 0 ? places : places.slice(0, missing)) as string[];
}
