/** Home folders in paths that no shell has seen; apart from parse.ts, since every run wants this and few read TOML. */

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';

/**
 * `~/` at the front is the home folder, and `~anna/` that of a user, which no shell expands for us. What begins like
 * one and is nobody's stays as it is.
 */
export function atHome(path: string): string {
  const user = /^~([^/]*)/.exec(path)?.[1];
  if (user === undefined) return path;
  const home = user === '' ? homedir() : homeOf(user);
  return home === undefined ? path : `${home}${path.slice(1 + user.length)}`;
}

/** As /etc/passwd says; users that only a directory service knows are not found. */
function homeOf(user: string): string | undefined {
  try {
    const lines = readFileSync('/etc/passwd', 'latin1').split('\n');
    return lines.map(line => line.split(':')).find(([name]) => name === user)?.[5];
  } catch {
    return undefined;
  }
}
