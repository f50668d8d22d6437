/** Where profiles and what runs leave of themselves are kept, by the XDG Base Directory Specification. */

import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { BackupError, messageOf, systemCode } from '../errors.ts';

export interface Environment {
  readonly [name: string]: string | undefined;
}

/** Of the whole machine: looked at when the user has none of that name, and where root's are written. */
function systemFolder({ TSBACKUP_SYSTEM_CONFIG: named }: Environment): string {
  return named && isAbsolute(named) ? named : '/etc/tsbackup';
}

/** The user's own. */
export function profileFolder(environment: Environment, uid: number | undefined): string {
  if (uid === 0 && !environment.XDG_CONFIG_HOME) return systemFolder(environment);
  return join(xdg(environment.XDG_CONFIG_HOME, '.config'), 'tsbackup');
}

/** Folders that are searched, in that order. */
export function profileFolders(environment: Environment): readonly string[] {
  return [join(xdg(environment.XDG_CONFIG_HOME, '.config'), 'tsbackup'), systemFolder(environment)];
}

/** Of one profile: state, lock, outbox, log. */
export function stateFolder(name: string, environment: Environment): string {
  return join(xdg(environment.XDG_STATE_HOME, join('.local', 'state')), 'tsbackup', name);
}

/**
 * Names of all profiles, sorted.
 * @throws BackupError `local-io` for a folder that can't be looked into, unless it is another's
 */
export function profileNames(environment: Environment): string[] {
  const names = profileFolders(environment).flatMap(folder => {
    try {
      return readdirSync(folder).flatMap(file => (file.endsWith('.toml') ? [file.slice(0, -5)] : []));
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'EACCES') return [];
      const message = `can't look for profiles in ${folder}: ${messageOf(error)}`;
      throw new BackupError('local-io', message, {}, { cause: error });
    }
  });
  return [...new Set(names)].filter(isProfileName).sort();
}

/** Names end up in names of files, of units and of crontab entries. */
export function isProfileName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name);
}

/** @throws BackupError `usage` */
export function requireProfileName(name: string): string {
  if (isProfileName(name)) return name;
  throw new BackupError(
    'usage',
    `'${name}' can't be the name of a profile: letters, digits, - and _ only, at most 64`,
  );
}

function xdg(value: string | undefined, fallback: string): string {
  return value && isAbsolute(value) ? value : resolve(homedir(), fallback);
}
