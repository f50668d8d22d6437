/** Names of owners and groups, and the way back; each is looked up once. */

import { execFileSync, type ExecFileSyncOptionsWithStringEncoding } from 'node:child_process';
import { readFileSync } from 'node:fs';
export interface Ids {
  /** '' where the number has no name. */
  userName(uid: number): string;
  groupName(gid: number): string;
  uidOf(name: string): number | undefined;
  gidOf(name: string): number | undefined;
}

export function createIds(): Ids {
  const users = createTable('passwd');
  const groups = createTable('group');
  return { userName: users.nameOf, groupName: groups.nameOf, uidOf: users.idOf, gidOf: groups.idOf };
}

function createTable(database: 'passwd' | 'group') {
  const names = new Map<number, string>();
  const ids = new Map<string, number | undefined>();
  const learn = (text: string) => {
    for (const line of text.split('\n')) {
      const [name, , id] = line.split(':');
      if (!name || !id || !/^\d+$/.test(id)) continue;
      if (!names.has(Number(id))) names.set(Number(id), name);
      if (!ids.has(name)) ids.set(name, Number(id));
    }
  };
  try {
    learn(readFileSync(`/etc/${database}`, 'latin1'));
  } catch {
    // Hosts without these files ask getent below.
  }
  /** Directories (LDAP and the like) that the file does not know. */
  const ask = (key: string) => {
    try {
      const options: ExecFileSyncOptionsWithStringEncoding = { encoding: 'latin1', timeout: 5000, stdio: ['ignore', 'pipe', 'ignore'] };
      learn(execFileSync('getent', [database, key], options));
    } catch {
      // Nobody knows it.
    }
  };
  return {
    nameOf(id: number): string {
      if (!names.has(id)) ask(String(id));
      if (!names.has(id)) names.set(id, '');
      return names.get(id)!;
    },
    idOf(name: string): number | undefined {
      if (!ids.has(name)) ask(name);
      if (!ids.has(name)) ids.set(name, undefined);
      return ids.get(name);
    },
  };
}
