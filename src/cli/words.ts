/**
 * The words of a command line made regular before they are parsed: the action first, whichever of its names was used,
 * and options by their full names. duplicity lets both be cut short wherever that is unambiguous.
 */

import { BackupError } from '../errors.ts';
import { type Action, actions } from './actions.ts';
import { foreignOptions } from './foreign-options.ts';
import type { OptionKind } from './option-spec.ts';
import { options } from './options.ts';

/** Short names of newer duplicities. */
const aliases: Readonly<Record<string, Action>> = {
  bu: 'backup',
  fb: 'full',
  inc: 'incremental',
  incr: 'incremental',
  ib: 'incremental',
  rb: 'restore',
  vb: 'verify',
  st: 'collection-status',
  ls: 'list-current-files',
  ro: 'remove-older-than',
  ra: 'remove-all-but-n-full',
  ri: 'remove-all-inc-of-but-n-full',
  cl: 'cleanup',
};

interface Known {
  readonly long: string;
  /** Words that follow it. */
  readonly values: number;
  /** What it is another name of. */
  readonly meaning: string;
}

const wordsAfter: Partial<Record<OptionKind, number>> = { flag: 0, pair: 2 };

const knownOptions: readonly Known[] = [
  ...options.flatMap(({ long, aliases: others = [], kind }) =>
    [long, ...others].map(name => ({ long: name, values: wordsAfter[kind] ?? 1, meaning: long })),
  ),
  ...foreignOptions.map(({ long, takes }) => ({
    ...{ long, meaning: long },
    values: takes === 'nothing' ? 0 : 1,
  })),
  ...['help', 'version'].map(long => ({ long, values: 0, meaning: long })),
];

/** New in duplicity 3.1: cut short they give way to what it had before, which scripts mean. */
const newest: ReadonlySet<string> = new Set(['full-if-n-inc', 'no-check-remote', 'use-gpgsm']);

export interface Words {
  /** Undefined if none was named: then the arguments tell. */
  readonly action: Action | undefined;
  /** Options by their full names, in one word with their values, and arguments. */
  readonly rest: readonly string[];
  /** The arguments alone. */
  readonly positionals: readonly string[];
  /** The options alone. */
  readonly options: readonly string[];
}

/** @throws BackupError `usage` for what is ambiguous */
export function regularWords(argv: readonly string[]): Words {
  if (asksForHelp(argv)) return regularWords([...argv.slice(1), '--help']);
  const rest: string[] = [];
  const typed: string[] = [];
  const positionals: { word: string; at: number }[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--') {
      rest.push('--');
      for (const more of argv.slice(i + 1)) positionals.push({ word: more, at: rest.push(more) - 1 });
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      positionals.push({ word, at: rest.push(word) - 1 });
      continue;
    }
    const option = fullOption(word);
    const values = argv.slice(i + 1, i + 1 + option.values);
    i += values.length;
    // Made one, so that a value is never taken for an option. No word of a command line holds a NUL.
    const whole = values.length === 0 ? option.word : `${option.word}=${values.join('\0')}`;
    rest.push(whole);
    typed.push(whole);
  }
  const first = positionals[0];
  const isBeforeArguments = first !== undefined && !rest.slice(0, first.at).includes('--');
  const action = isBeforeArguments ? actionOf(first.word, positionals.length - 1) : undefined;
  if (action !== undefined) {
    rest.splice(first!.at, 1);
    positionals.shift();
  }
  return { action, rest, positionals: positionals.map(({ word }) => word), options: typed };
}

/** `help` or `help ACTION`, as of many programs; a folder of that name is backed up to a URL. */
function asksForHelp([first, second, ...more]: readonly string[]): boolean {
  const isAction = second === undefined || actions.some(({ action }) => action === second);
  return first === 'help' && isAction && more.length === 0;
}

/** `--name=value` and unknown words as they are but for the name, and how many words of values follow. */
function fullOption(word: string): { word: string; values: number } {
  if (!word.startsWith('--')) {
    const short = options.find(option => option.short === word[1]);
    if (!short || short.kind === 'flag') return { word, values: 0 };
    const long = `--${short.long}`;
    return word.length === 2 ? { word: long, values: 1 } : { word: `${long}=${word.slice(2)}`, values: 0 };
  }
  const equals = word.indexOf('=');
  const name = word.slice(2, equals < 0 ? undefined : equals);
  const tail = equals < 0 ? '' : word.slice(equals);
  const exact = knownOptions.find(({ long }) => long === name);
  const meant = exact ? [exact] : optionsFrom(name);
  const meanings = [...new Set(meant.map(({ meaning }) => meaning))];
  if (meanings.length > 1 && name !== '') {
    const names = meanings.slice(0, 4).map(long => `--${long}`);
    throw new BackupError(
      'usage',
      `--${name} may be ${names.join(', ')}${meanings.length > 4 ? ' …' : ''}; see tsbackup --help`,
    );
  }
  const option = meanings.length === 1 ? meant[0] : undefined;
  if (!option) return { word, values: 0 };
  if (option.values === 0 && equals >= 0) throw new BackupError('usage', `--${option.long} takes no value`);
  return { word: `--${option.long}${tail}`, values: equals < 0 ? option.values : 0 };
}

function optionsFrom(beginning: string): readonly Known[] {
  const all = knownOptions.filter(({ long }) => long.startsWith(beginning));
  const older = all.filter(({ long }) => !newest.has(long));
  return older.length > 0 ? older : all;
}

/**
 * A word that is cut short is an action's only if as many arguments follow as that one wants. Actions without a URL are
 * new and written out: otherwise a folder `s` could no longer be backed up.
 */
function actionOf(word: string, argumentsAfter: number): Action | undefined {
  const exact =
    actions.find(({ action }) => action === word)?.action ??
    (Object.hasOwn(aliases, word) ? aliases[word] : undefined);
  if (exact) return exact;
  const meant = actions.filter(
    ({ action, positionals }) =>
      action.startsWith(word) && positionals.length === argumentsAfter && positionals.includes('URL'),
  );
  if (word === '' || meant.length === 0) return undefined;
  if (meant.length === 1) return meant[0]!.action;
  const names = meant.map(({ action }) => action).join(', ');
  throw new BackupError('usage', `'${word}' may be ${names}; see tsbackup --help`);
}
