/** argv → one action with its arguments and options as plain values; commander does the parsing. */

import { Command, CommanderError, Option } from 'commander';
import { BackupError } from '../errors.ts';
import { parseTimeArgument } from '../manifest/time.ts';
import type { Environment } from '../profiles/places.ts';
import type { Profile } from '../profiles/profile.ts';
import { isTargetUrl } from '../storage/url.ts';
import { closest } from '../text.ts';
import { type Action, type ActionSpec, actions, type Positional } from './actions.ts';
import { exitStatuses } from './exit-statuses.ts';
import { foreignOptions } from './foreign-options.ts';
import { layered, namesIn, withPlaces } from './layers.ts';
import { withLocalPaths } from './local-path.ts';
import { knows, type OptionSpec, tellsOf } from './option-spec.ts';
import { optionGroups, options } from './options.ts';
import { parseVerbosity } from './reporters.ts';
import { regularWords, type Words } from './words.ts';

export interface Invocation {
  readonly action: Action;
  readonly arguments: readonly string[];
  /** By long name; flags are true, counts numbers, repeatable options arrays of text. */
  readonly values: Readonly<Record<string, OptionValue>>;
  /** Options whose order counts, as they came; flags have an empty value. */
  readonly ordered: readonly { readonly option: string; readonly value: string }[];
  /** What was passed over or understood, to be told. */
  readonly notices: readonly string[];
  /** Options of other actions, which duplicity passes over without a word. */
  readonly passedOver: readonly string[];
  /** The options as typed, by their full names. */
  readonly typed: readonly string[];
  /** What `--profile` named, or the argument of `run`. */
  readonly profile?: Profile | undefined;
  /** Of a backup for which no action was typed: the one that its source is called almost like. */
  readonly resembles?: Action | undefined;
}

/** Where options come from that are not typed. */
export interface Background {
  readonly environment: Environment;
  /**
   * @param isRun whether it is for a run, where whoever the profile names hears of a slip in it
   * @throws BackupError `usage`
   */
  loadProfile(name: string, isRun: boolean): Promise<Profile>;
}

export type OptionValue = string | number | boolean | readonly string[];

/**
 * @param argv without the program's own two
 * @param version the line that tells it
 * @param show prints help
 * @returns undefined when help was asked for and printed
 * @throws BackupError `usage`
 */
export async function parseCommandLine(
  argv: readonly string[],
  version: string,
  show: (text: string) => void,
  background: Background,
): Promise<Invocation | undefined> {
  const words = regularWords(argv);
  const meant = words.action ?? actionMeant(words.positionals);
  const named = actions.find(({ action }) => action === meant);
  const name = meant === 'run' ? words.positionals[0] : valueIn(words.options, 'profile');
  const isRun = meant === 'run' && !words.options.includes('--dry-run');
  const profile = name === undefined ? undefined : await background.loadProfile(name, isRun);
  const parts = { words, named, profile, environment: background.environment };
  try {
    return parse(parts, version, show);
  } catch (error) {
    if (meant !== 'run' || !profile) throw error;
    // A slip in the profile (not in what was typed) is met again by the run's first part, which tells of it by mail.
    const typed = { ...parts, profile: { ...profile, options: new Map() }, environment: {} };
    const invocation = parse(typed, version, show);
    return invocation && { ...invocation, profile };
  }
}

interface Parts {
  readonly words: Words;
  readonly named: ActionSpec | undefined;
  readonly profile: Profile | undefined;
  readonly environment: Environment;
}

/** One action with a profile behind it, for what has several done. */
export function parseStep(
  action: Action,
  positionals: readonly string[],
  typed: readonly string[],
  profile: Profile,
  environment: Environment,
): Invocation {
  const named = actions.find(spec => spec.action === action)!;
  const words = { action, rest: typed, positionals, options: typed };
  return parse({ words, named, profile, environment }, '', () => {})!;
}

function parse(
  { words, named, profile, environment }: Parts,
  version: string,
  show: (text: string) => void,
): Invocation | undefined {
  let invocation: Invocation | undefined;
  const ordered: { option: string; value: string }[] = [];
  const program = new Command('tsbackup');
  const quiet = { writeOut: show, writeErr: () => {}, outputError: () => {} };
  program
    .exitOverride()
    .configureOutput(quiet)
    .version(version, '-V, --version')
    .usage('[action] [options] arguments')
    .description('Incremental, encrypted backups in the archive format of duplicity.')
    .addHelpText('after', programNotes)
    .helpCommand(false)
    .showSuggestionAfterError();
  const notices: string[] = [];
  const passedOver: string[] = [];
  if (named?.action === 'restore' && words.action === undefined)
    notices.push('URL and DIR: this is a restore.');
  const main = named ?? actions.find(({ action }) => action === 'backup')!;
  const isPlaced = profile && main.positionals.includes('URL');
  const typed = isPlaced
    ? [...words.options, '--', ...withPlaces(main, words.positionals, profile)]
    : words.rest;
  const given = layered(main, typed, environment, profile);
  for (const spec of named ? [named] : actions) {
    const command = program.command(spec.action, { isDefault: spec.action === 'backup' });
    describe(command, spec, (option, value) => ordered.push({ option, value }));
    acceptForeign(command, spec, given, notices, passedOver);
    command.configureOutput(quiet).action((...received: unknown[]) => {
      const self = received.at(-1) as Command;
      const { action } = spec;
      const empty = self.args.indexOf('');
      if (empty >= 0)
        throw new BackupError('usage', `${called(spec.positionals[empty]!)} is empty; see tsbackup --help`);
      const values = valuesOf(self);
      const parsed = {
        action,
        arguments: [...self.args],
        values,
        ordered,
        notices,
        passedOver,
        typed: words.options,
        profile,
        resembles: action === 'backup' ? actionLike(words) : undefined,
      };
      invocation = withLocalPaths(parsed, spec, environment);
    });
  }
  try {
    program.parse([...(named ? [named.action] : []), ...given], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    const skipped = error.code === 'commander.missingArgument' && skippedBefore(main, words.positionals);
    const message = skipped ? `missing required argument '${skipped}'` : error.message;
    const text = message
      .replace(/^error: /, '')
      .replaceAll('\n', ' ')
      .replace(/\.$/, '');
    const hint = /^commander\.(?:excess|missing)Argument/.test(error.code) ? hintOnAction(words) : '';
    throw new BackupError('usage', `${text}${hint}; see tsbackup --help`, {}, { cause: error });
  }
  return invocation;
}

const programNotes = `
Without an action, SOURCE URL is a backup.

URL is file:///folder, file://folder relative to the current folder, or s3://bucket/prefix.

First backup and its way back, with a passphrase that is asked for:
  tsbackup full ~/Documents "file://$HOME/backups"
  tsbackup restore "file://$HOME/backups" ~/restored

Help for one action: tsbackup restore --help

Exit status:
${exitStatuses.map(([status, meaning]) => `  ${status.padEnd(7)}${meaning}`).join('\n')}`;

function describe(
  command: Command,
  spec: ActionSpec,
  onOrdered: (option: string, value: string) => void,
): void {
  command
    .summary(spec.summary)
    .description(`${spec.summary[0]!.toUpperCase()}${spec.summary.slice(1)}.\n\n${spec.detail}`);
  for (const name of spec.positionals) {
    command.argument(name.endsWith('?') ? `[${called(name)}]` : `<${name}>`);
  }
  command.allowExcessArguments(false).showSuggestionAfterError();
  const last = optionGroups.findLast(({ options: grouped }) => grouped.some(({ actions }) => !actions))!;
  command.addHelpOption(new Option('-h, --help', 'show this help').helpGroup(`${last.title}:`));
  for (const { title, options: grouped } of optionGroups) {
    for (const option of grouped) {
      if (!knows(spec, option)) continue;
      const shown = toOption(option, option.long, option.short).helpGroup(`${title}:`);
      command.addOption(shown.hideHelp(!tellsOf(spec, option)));
      for (const alias of option.aliases ?? []) command.addOption(toOption(option, alias).hideHelp());
      if (!option.ordered) continue;
      for (const name of [option.long, ...(option.aliases ?? [])]) {
        command.on(`option:${name}`, (value: string | null) => onOrdered(option.long, value ?? ''));
      }
    }
  }
}

function called(name: Positional): string {
  return name.replace('?', '');
}

function toOption(spec: OptionSpec, long: string, short?: string): Option {
  // Commander reads `--no-x` as the negation of `--x`; ours are names like any other, so the key is set by hand.
  const flags = `${short ? `-${short}, ` : ''}--${long}${spec.kind === 'flag' ? '' : ` <${spec.value}>`}`;
  const option = new Option(flags, spec.help);
  option.negate = false;
  option.attributeName = () => spec.long;
  if (spec.kind !== 'flag') {
    option.argParser((text: string, previous: unknown) => {
      const value = convert(spec, text);
      return spec.repeatable ? [...((previous as string[] | undefined) ?? []), value] : value;
    });
  }
  return option;
}

function convert(spec: OptionSpec, text: string): string | number {
  const wrong = (wanted: string) =>
    new BackupError('usage', `--${spec.long} takes ${wanted}, not '${text}'`, { option: spec.long });
  switch (spec.kind) {
    case 'count': {
      if (!/^[0-9]+$/.test(text)) throw wrong('a whole number');
      if (text.length > 9) throw wrong('a number of at most nine digits');
      return Number(text);
    }
    case 'verbosity': {
      const level = parseVerbosity(text);
      if (level === undefined) throw wrong('0-9 or one of error, warning, notice, info, debug');
      return level;
    }
    case 'time':
      parseTimeArgument(text, Date.now() / 1000); // a slip is told before anything is touched
      return text;
    case 'pair': {
      if (text.split('\0').length !== 2) throw wrong('two paths');
      return text;
    }
    default: {
      if (text === '') throw wrong('something that is not empty');
      return text;
    }
  }
}

function valuesOf(command: Command): Record<string, OptionValue> {
  const { [FOREIGN]: _, ...values } = command.opts<Record<string, OptionValue>>();
  return values;
}

/** The value of an option among regular words; undefined without it. */
function valueIn(words: readonly string[], long: string): string | undefined {
  const start = `--${long}=`;
  return words.find(word => word.startsWith(start))?.slice(start.length);
}

/** Without an action: a URL in front is a restore. */
function actionMeant([first = '', second]: readonly string[]): Action | undefined {
  return isTargetUrl(first) && second !== undefined && !isTargetUrl(second) ? 'restore' : undefined;
}

/**
 * Options of other actions are passed over, as duplicity does; so are those of duplicity's that we do not need. The
 * command learns of those only that are among the words, as commander looks at all that it has for each one more.
 */
function acceptForeign(
  command: Command,
  action: ActionSpec,
  words: readonly string[],
  notices: string[],
  passedOver: string[],
): void {
  const there = namesIn(words);
  for (const spec of options) {
    if (knows(action, spec) || mustBeMeant.includes(spec.long)) continue;
    for (const long of [spec.long, ...(spec.aliases ?? [])]) {
      if (!there.has(long)) continue;
      const option = toOption(spec, long, long === spec.long ? spec.short : undefined).hideHelp();
      option.attributeName = () => FOREIGN;
      command.addOption(option.argParser(() => undefined));
      command.on(`option:${long}`, () => {
        if (action.action === 'init') {
          const remedy = spec.typedOnly ? '' : '; write it into the profile that init makes';
          throw new BackupError('usage', `--${long} means nothing to init${remedy}`);
        }
        passedOver.push(`--${long} means nothing to ${action.action} and is ignored.`);
      });
    }
  }
  for (const { long, takes, fate, reason } of foreignOptions) {
    if (!there.has(long)) continue;
    const flags = takes === 'nothing' ? '' : ' <value>';
    const option = new Option(`--${long}${flags}`).hideHelp();
    option.negate = false;
    option.attributeName = () => FOREIGN;
    command.addOption(option);
    command.on(`option:${long}`, () => {
      if (fate === 'refused') throw new BackupError('usage', `--${long} is not supported: ${reason}`);
      notices.push(`--${long} is ignored: ${reason}.`);
    });
  }
}

/** Passed over, it would do harm. */
const mustBeMeant = ['dry-run'];
const FOREIGN = ' foreign';

/** The argument in whose place a URL stands. */
function skippedBefore({ positionals }: ActionSpec, typed: readonly string[]): Positional | undefined {
  const name = positionals[typed.findIndex(isTargetUrl)];
  return name?.startsWith('URL') ? undefined : name;
}

function actionLike({ action, positionals: [first] }: Words): Action | undefined {
  if (action !== undefined || first === undefined || first.includes('/')) return undefined;
  return closest(
    first,
    actions.map(spec => spec.action),
  );
}

/** One word or three without an action are often a mistyped action. */
function hintOnAction(words: Words): string {
  const {
    action,
    positionals: [first],
  } = words;
  if (action !== undefined || first === undefined || isTargetUrl(first)) return '';
  const like = actionLike(words);
  return `, and '${first}' is no action${like === undefined ? '' : ` (${like} is)`}`;
}
