/** A profile as the program uses it: found by its name, read, and given types. */

import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BackupError, messageOf, systemCode } from '../errors.ts';
import { parseInterval } from '../manifest/time.ts';
import { parseCalendar } from '../schedule/calendar.ts';
import { closest } from '../text.ts';
import { atHome } from './home.ts';
import {
  type OptionValue,
  type ParsedProfile,
  type ProfileTable,
  parseProfile,
  salvageTables,
} from './parse.ts';
import { type Environment, profileFolders, profileNames, requireProfileName } from './places.ts';
import type { SecretSource } from './secrets.ts';

export interface Profile {
  readonly name: string;
  readonly file: string;
  readonly source: string;
  readonly target: string;
  /** As written. */
  readonly schedule: string | undefined;
  /** As written, for `--full-if-older-than`. */
  readonly fullEvery: string | undefined;
  /** As written, for `--sample`. */
  readonly check: string | undefined;
  /** As written. */
  readonly maxAge: string | undefined;
  readonly maxAgeSeconds: number | undefined;
  readonly nice: number;
  readonly metricsFile: string | undefined;
  readonly passphrase: SecretSource | undefined;
  readonly signPassphrase: SecretSource | undefined;
  /** Of the command line, in the order of the file. */
  readonly options: ReadonlyMap<string, OptionValue>;
  /** Options of `prune`; undefined: nothing is ever removed. */
  readonly prune: ReadonlyMap<string, OptionValue> | undefined;
  /** Tables of the profile that have rooms of their own. */
  readonly s3: ProfileTable | undefined;
  readonly mail: ProfileTable | undefined;
  readonly smtp: ProfileTable | undefined;
  readonly pings: readonly ProfileTable[];
  readonly webhooks: readonly ProfileTable[];
  readonly ntfy: ProfileTable | undefined;
}

/** What the command line knows; it lies above this room. */
export interface KnownOptions {
  readonly names: readonly string[];
}

/**
 * @param name of a profile, or the path of its file: what has a slash in it
 * @throws BackupError `usage`
 */
export function loadProfile(name: string, known: KnownOptions, environment: Environment): Profile {
  const { file, text } = name.includes('/') ? readAt(name) : findProfile(name, environment);
  const own = name.includes('/')
    ? requireProfileName(file.replace(/^.*\//, '').replace(/\.toml$/, ''))
    : name;
  try {
    return readProfile(own, file, text, known);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    throw new ProfileError(own, noticesIn(text, file), error);
  }
}

/**
 * A profile from the text of its file, which need not be there yet.
 * @throws BackupError `usage`
 */
export function readProfile(name: string, file: string, text: string, known: KnownOptions): Profile {
  const names = new Set(known.names);
  return profileOf(
    name,
    file,
    parseProfile(text, file, option => names.has(option), known.names),
  );
}

/** What a profile says of who is to be told, whatever else is wrong with it. */
export type ProfileNotices = Pick<Profile, 'mail' | 'smtp' | 'pings' | 'webhooks' | 'ntfy' | 'metricsFile'>;

/** A profile that can't be used, but may say who wants to know that. */
export class ProfileError extends BackupError {
  /** Its name. */
  readonly profile: string;
  readonly notices: ProfileNotices;

  constructor(profile: string, notices: ProfileNotices, { code, message, facts }: BackupError) {
    super(code, message, facts);
    this.profile = profile;
    this.notices = notices;
  }
}

function noticesIn(text: string, file: string): ProfileNotices {
  const found = salvageTables(text, file);
  return { ...noticeTables(found), metricsFile: found['']?.[0]?.['metrics-file'] as string | undefined };
}

function noticeTables(tables: ParsedProfile['tables']) {
  return {
    mail: tables.mail?.[0],
    smtp: tables['mail.smtp']?.[0],
    pings: tables.ping ?? [],
    webhooks: tables.webhook ?? [],
    ntfy: tables.ntfy?.[0],
  };
}

function findProfile(name: string, environment: Environment): { file: string; text: string } {
  requireProfileName(name);
  for (const folder of profileFolders(environment)) {
    const file = join(folder, `${name}.toml`);
    try {
      return { file, text: readFileSync(file, 'utf8') };
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw unreadable(file, error);
    }
  }
  const hint = closest(name, profileNames(environment));
  const remedy = hint === undefined ? `make one with tsbackup init ${name}` : `did you mean ${hint}?`;
  throw new BackupError(
    'usage',
    `there is no profile ${name} in ${profileFolders(environment).join(' or ')}; ${remedy}`,
  );
}

function readAt(path: string): { file: string; text: string } {
  try {
    return { file: path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(file: string, error: unknown): BackupError {
  return new BackupError(
    'usage',
    `can't read the profile ${file}: ${messageOf(error)}`,
    {},
    { cause: error },
  );
}

function profileOf(name: string, file: string, { tables, options }: ParsedProfile): Profile {
  const top = tables['']![0]!;
  const text = (key: string) => top[key] as string | undefined;
  const seconds = (key: string) => {
    const value = text(key);
    return value === undefined ? undefined : parseInterval(value);
  };
  const fail = (message: string): never => {
    throw new BackupError('usage', `${file}: ${message}`);
  };
  const nice = (top.nice as number | undefined) ?? 10;
  if (nice > 19) fail(`nice takes 0 to 19, not ${nice}`);
  const schedule = text('schedule');
  if (schedule !== undefined) {
    try {
      parseCalendar(schedule);
    } catch (error) {
      fail(`schedule: ${messageOf(error)}`);
    }
  }
  const prune = tables.prune?.[0];
  return {
    name,
    file,
    source: text('source')!,
    target: targetIn(resolve(dirname(file)), text('target')!),
    schedule,
    fullEvery: text('full-every'),
    check: text('check'),
    maxAge: text('max-age'),
    maxAgeSeconds: seconds('max-age'),
    nice,
    metricsFile: text('metrics-file'),
    passphrase: top.passphrase as SecretSource | undefined,
    signPassphrase: top['sign-passphrase'] as SecretSource | undefined,
    options,
    prune: prune && new Map(Object.entries(prune) as [string, OptionValue][]),
    s3: tables.s3?.[0],
    ...noticeTables(tables),
  };
}

/** A file URL that is relative begins in the folder; all others stay as they are, as the archive cache is named by them. */
function targetIn(folder: string, url: string): string {
  const text = url.replace(/(?<=^file:\/\/)~.*/i, atHome);
  const [, first, more, tail] = /^file:\/\/([^/?#]+)([^?#]*)(.*)$/is.exec(text) ?? [];
  if (first === undefined) return text;
  const literal = (path: string) => path.replace(/[%?#]/g, encodeURIComponent); // what is not decoded where it stands
  return `file://${join(literal(folder), literal(first) + more)}${tail}`;
}
