/**
 * Names of user and group numbers, and back. /etc/passwd and /etc/group are read once, as bytes; what is not in them
 * is asked of `getent` where that exists (LDAP, systemd and other directories), once per number or name. Nothing here
 * throws: an unknown number has the name '', an unknown name no number, and archives then hold the number alone.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { systemCode } from '../errors.ts';

export interface IdNames {
  /** Bytes of the name as a latin1 string; '' when unknown. */
  uname(uid: number): string;
  gname(gid: number): string;
  uid(uname: string): number | undefined;
  gid(gname: string): number | undefined;
}

export interface IdSources {
  readonly passwd?: string;
  readonly group?: string;
  /** Program asked for what the files do not hold; '' asks none. */
  readonly getent?: string;
}

export function createIdNames(sources: IdSources = {}): IdNames {
  const ask = createGetent(sources.getent ?? 'getent');
  const users = createTable(sources.passwd ?? '/etc/passwd', key => ask('passwd', key));
  const groups = createTable(sources.group ?? '/etc/group', key => ask('group', key));
  return { uname: users.name, gname: groups.name, uid: users.id, gid: groups.id };
}

interface Row {
  readonly name: string;
  readonly id: number;
}

/** Both databases have the name first and the number third. */
function parseRow(line: string): Row | undefined {
  const [name = '', , id = ''] = line.split(':', 3);
  return name !== '' && /^\d{1,10}$/.test(id) ? { name, id: Number(id) } : undefined;
}

function createTable(file: string, ask: (key: string) => Row | undefined) {
  const names = new Map<number, string>();
  const ids = new Map<string, number | undefined>();
  for (const line of linesOf(file)) {
    const row = parseRow(line);
    if (!row) continue;
    // As the C library does it: the first line counts.
    if (!names.has(row.id)) names.set(row.id, row.name);
    if (!ids.has(row.name)) ids.set(row.name, row.id);
  }
  return {
    name(id: number): string {
      let name = names.get(id);
      if (name === undefined) {
        const row = ask(String(id));
        name = row?.id === id ? row.name : '';
        names.set(id, name);
      }
      return name;
    },
    id(name: string): number | undefined {
      if (ids.has(name)) return ids.get(name);
      const id = askableName.test(name) ? ask(name)?.id : undefined;
      ids.set(name, id);
      return id;
    },
  };
}

/** getent takes digits for a number, a dash for an option, and Node can only hand on valid UTF-8. */
const askableName = /^(?!-|\d+$)[\x20-\x7e]{1,255}$/;

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').split('\n');
  } catch {
    return [];
  }
}

/** After so many timeouts a directory service counts as down: a restore must not wait for it at every file. */
const mostTimeouts = 3;

function createGetent(program: string) {
  let timeouts = program === '' ? mostTimeouts : 0;
  return (database: string, key: string): Row | undefined => {
    if (timeouts >= mostTimeouts) return undefined;
    try {
      const line = execFileSync(program, [database, key], {
        encoding: 'latin1',
        timeout: 5000,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      return parseRow(line);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ETIMEDOUT') timeouts++;
      else if (code !== undefined) timeouts = mostTimeouts; // it can't be started: not installed, most likely
      return undefined;
    }
  };
}
