/** The text of a profile → its values, each of the kind that keys.ts says; what is not known is an error with a hint. */

import { dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { BackupError } from '../errors.ts';
import { parseInterval } from '../manifest/time.ts';
import { closest } from '../text.ts';
import { atHome } from './home.ts';
import {
  hasForms,
  INLINE_SECRETS,
  type KeyKind,
  type KeySpec,
  secretForms,
  type TableSpec,
  tables,
} from './keys.ts';
import type { SecretSource } from './secrets.ts';

export type ProfileValue = string | number | readonly string[] | SecretSource;

/** One table, by key; secrets by the name they have without `-file` and the like. */
export type ProfileTable = Readonly<Record<string, ProfileValue>>;

/** An option of the command line as the profile has it; flags are true. */
export type OptionValue = string | number | boolean | readonly string[];

export interface ParsedProfile {
  /** By the name of the table; `[[x]]` gives several. Absent tables have none. */
  readonly tables: Readonly<Record<string, readonly ProfileTable[]>>;
  /** In the order in which they stand in the file. */
  readonly options: ReadonlyMap<string, OptionValue>;
}

type Raw = Record<string, unknown>;
/** Refuses what stands at one key. */
type Wrong = (message: string) => never;

/**
 * @param file path of the profile, for messages, and for what is relative to its folder
 * @param isOption whether the command line knows an option of that name
 * @param optionNames all of them, for hints
 * @throws BackupError `usage`, naming file and key
 */
export function parseProfile(
  text: string,
  file: string,
  isOption: (name: string) => boolean,
  optionNames: readonly string[],
): ParsedProfile {
  const reader = createTableReader(text, file, isOption, optionNames);
  const root = reader.root();
  const parsed: Record<string, ProfileTable[]> = {};
  for (const spec of tables) {
    const list = reader.tablesOf(root, spec);
    if (list) parsed[spec.table] = list;
  }
  return { tables: parsed, options: reader.optionsOf(root.options) };
}

/**
 * What can still be understood of a profile with slips, to tell of them: lines that are no TOML and keys that are wrong
 * are passed over, and so are tables that then lack something. Never what a backup may be made by.
 */
export function salvageTables(text: string, file: string): ParsedProfile['tables'] {
  const reader = createTableReader(text, file, () => false, [], true);
  const root = mendedToml(text);
  const parsed: Record<string, ProfileTable[]> = {};
  for (const spec of tables) {
    try {
      const list = reader.tablesOf(root, spec);
      if (list) parsed[spec.table] = list;
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
    }
  }
  return parsed;
}

/** @param isLenient whether keys that are wrong are passed over */
function createTableReader(
  text: string,
  file: string,
  isOption: (name: string) => boolean,
  optionNames: readonly string[],
  isLenient = false,
) {
  const fail = (message: string): never => {
    throw new BackupError('usage', `${file}: ${message}`, { file });
  };
  /** Of one key, with its line. */
  const failAt = (table: string, key: string, message: string): never => {
    const line = lineOf(text, table, key);
    return fail(line === undefined ? message : `line ${line}: ${message}`);
  };
  let allowsInline = false;
  return { root, tablesOf, optionsOf };

  function root(): Raw {
    try {
      return parse(text) as Raw;
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      const what = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '');
      const key = KEY.exec(text.split('\n')[error.line - 1] ?? '')?.[1]; // not the line itself: it may hold a secret
      return fail(`line ${error.line}${key === undefined ? '' : ` (${key})`}: ${what}`);
    }
  }

  function tablesOf(whole: Raw, spec: TableSpec): ProfileTable[] | undefined {
    allowsInline = whole[INLINE_SECRETS] === true;
    const raw = find(whole, spec);
    if (raw === undefined) return undefined;
    const list = spec.many ? raw : [raw];
    if (!Array.isArray(list)) return fail(`${spec.table} is written [[${spec.table}]]`);
    return list.map(one => tableOf(one, spec));
  }

  function tableOf(raw: unknown, spec: TableSpec): ProfileTable {
    if (!isTable(raw)) return fail(`${spec.table} is a table: [${spec.table}]`);
    const values: Record<string, ProfileValue> = {};
    for (const [key, value] of Object.entries(raw)) {
      try {
        take(key, value);
      } catch (error) {
        if (!isLenient || !(error instanceof BackupError)) throw error;
      }
    }
    for (const { key, required } of spec.keys) {
      const place = spec.table === '' ? '' : ` in [${spec.table}]`;
      if (required && values[key] === undefined && !(isLenient && spec.table === ''))
        fail(`${key} is missing${place}`);
    }
    return values;

    function take(key: string, value: unknown): void {
      const isInner =
        isTableName(spec.table === '' ? key : `${spec.table}.${key}`) ||
        (spec.table === '' && key === 'options');
      if (isInner || (spec.table === '' && key === INLINE_SECRETS)) return;
      const wrong: Wrong = message => failAt(spec.table, key, message);
      const known = keyOf(spec, key) ?? wrong(unknown(key, namesOf(spec), spec.table));
      const place = spec.table === '' ? key : `${spec.table}.${key}`;
      if (values[known.spec.key] !== undefined) wrong(`${place}: it is given twice`);
      values[known.spec.key] = hasForms(known.spec.kind)
        ? secretOf(value, known.form, known.spec.kind, place, wrong)
        : typedValue(value, known.spec, place, wrong);
    }
  }

  function typedValue(
    value: unknown,
    { kind, choices }: KeySpec,
    place: string,
    refuse: Wrong,
  ): ProfileValue {
    const wrong = (wanted: string) => refuse(`${place} takes ${wanted}`);
    if (kind === 'count') {
      return Number.isSafeInteger(value) && (value as number) >= 0
        ? (value as number)
        : wrong('a whole number');
    }
    if (kind === 'texts') {
      const list = typeof value === 'string' ? [value] : value;
      if (!isTexts(list)) return wrong('texts: ["one", "two"]');
      const other = choices && list.find(text => !choices.includes(text));
      return other === undefined ? list : wrong(`one of ${choices!.join(', ')}, not '${other}'`);
    }
    if (typeof value !== 'string' || value === '') return wrong('a text in quotation marks');
    if (choices && !choices.includes(value)) return wrong(`one of ${choices.join(', ')}, not '${value}'`);
    if (kind === 'interval') {
      try {
        parseInterval(value);
      } catch {
        return wrong(`an interval such as 3D, 2W or 1M, not '${value}'`);
      }
    }
    return kind === 'path' ? pathIn(value) : value;
  }

  function secretOf(
    value: unknown,
    form: SecretSource['form'],
    kind: KeyKind,
    place: string,
    refuse: Wrong,
  ): SecretSource {
    if (typeof value !== 'string' || value === '') return refuse(`${place} takes a text in quotation marks`);
    if (form === 'inline' && kind === 'secret' && !allowsInline) {
      const safer = secretForms.map(name => `${place}-${name}`).join(', ');
      refuse(`${place} would be a secret in this file; use one of ${safer}, or say ${INLINE_SECRETS} = true`);
    }
    return { form, value: form === 'file' ? pathIn(value) : value, origin: `${place} in ${file}` };
  }

  function optionsOf(raw: unknown): ReadonlyMap<string, OptionValue> {
    if (raw === undefined) return new Map();
    if (!isTable(raw)) return fail('options is a table: [options]');
    for (const [name, value] of Object.entries(raw)) {
      if (!isOption(name)) failAt('options', name, unknown(name, optionNames, 'options'));
      const isValue = ['string', 'number', 'boolean'].includes(typeof value) || isTexts(value);
      if (!isValue)
        failAt('options', name, `options.${name} takes a text, a number, true, or a list of texts`);
    }
    return new Map(Object.entries(raw as Record<string, OptionValue>));
  }

  /** As a shell would read it in the folder of the profile. */
  function pathIn(text: string): string {
    return resolve(dirname(file), atHome(text));
  }
}

const HEADER = /^\s*\[\[?\s*([\w.-]+)\s*\]\]?\s*(?:#.*)?$/;
const KEY = /^\s*"?([\w.-]+)"?\s*=/;

/** Where a key stands, counted from 1; undefined where it is written in a way that is not looked for. */
function lineOf(text: string, table: string, key: string): number | undefined {
  let current = '';
  for (const [index, line] of text.split('\n').entries()) {
    const header = HEADER.exec(line)?.[1];
    if (header !== undefined && table === '' && header === key) return index + 1;
    current = header ?? current;
    if (current === table && KEY.exec(line)?.[1] === key) return index + 1;
  }
  return undefined;
}

/** Lines left out of one part of the file at most; more, and nobody knows what it means. */
const LINES_LEFT_OUT = 10;

/** TOML with lines that are none, read table by table, so that what is never closed costs one table. */
function mendedToml(text: string): Raw {
  const parts: string[][] = [[]];
  for (const line of text.split('\n')) {
    if (HEADER.test(line)) parts.push([]);
    parts.at(-1)!.push(line);
  }
  const root: Raw = {};
  for (const lines of parts) merge(root, mended(lines));
  return root;
}

function mended(lines: string[]): Raw {
  for (let left = LINES_LEFT_OUT; left >= 0; left--) {
    try {
      return parse(lines.join('\n')) as Raw;
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      lines[Math.min(error.line, lines.length) - 1] = '';
    }
  }
  return {};
}

function merge(root: Raw, more: Raw): void {
  for (const [key, value] of Object.entries(more)) {
    const known = Object.hasOwn(root, key) ? root[key] : undefined;
    if (isTable(known) && isTable(value)) merge(known, value);
    else if (Array.isArray(known) && Array.isArray(value)) known.push(...value);
    else root[key] = value;
  }
}

function find(root: Raw, { table }: TableSpec): unknown {
  if (table === '') return root;
  let at: unknown = root;
  for (const part of table.split('.')) at = isTable(at) ? at[part] : undefined;
  return at;
}

function isTable(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string');
}

function isTableName(name: string): boolean {
  return tables.some(({ table }) => table === name || table.startsWith(`${name}.`));
}

function keyOf(
  { keys }: TableSpec,
  name: string,
): { readonly spec: KeySpec; readonly form: SecretSource['form'] } | undefined {
  for (const spec of keys) {
    if (spec.key === name) return { spec, form: 'inline' };
    const form = secretForms.find(form => hasForms(spec.kind) && name === `${spec.key}-${form}`);
    if (form) return { spec, form };
  }
  return undefined;
}

function namesOf({ table, keys }: TableSpec): string[] {
  const own = keys.flatMap(({ key, kind }) =>
    hasForms(kind) ? secretForms.map(form => `${key}-${form}`) : [key],
  );
  return table === '' ? [...own, 'options', ...tables.map(spec => spec.table).filter(name => name)] : own;
}

function unknown(key: string, known: readonly string[], table: string): string {
  const hint = closest(key, known);
  const place = table === '' ? '' : ` in [${table}]`;
  return `${key} is not known${place}${hint === undefined ? '' : `; did you mean ${hint}?`}`;
}
