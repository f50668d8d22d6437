/** Why SQLite can't be loaded, and what to do: an upgrade of Node.js takes away what its native part was made for. */

import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { messageOf } from '../errors.ts';

/** @param error what loading it has thrown @param folder the one that has the package's folder in its node_modules */
export function sqliteObstacle(error: unknown, folder: string | undefined = folderOfPackage()): string {
  const remedy =
    folder === undefined
      ? 'Install tsbackup anew, as it is packed for this version of Node.js; where npm has installed it, run "npm rebuild better-sqlite3".'
      : `Run "npm rebuild better-sqlite3" in ${folder}, with this Node.js; where no ready-made binary exists that needs python3, make and a C++ compiler.`;
  return `The SQLite module can't be loaded: ${reason(messageOf(error))}. ${remedy}`;
}

function reason(text: string): string {
  // The latter where it is tried once more.
  if (/NODE_MODULE_VERSION|^Module did not self-register/.test(text))
    return `it was made for another version of Node.js than this, ${process.versions.node}`;
  if (text.startsWith('Could not locate the bindings file')) return 'its native part is not installed';
  return text.split('\n')[0]!.replace(/\.$/, '');
}

/** Undefined where npm has not put it there: our own packages hold nothing but the native part. */
function folderOfPackage(): string | undefined {
  try {
    const file = createRequire(import.meta.url).resolve('better-sqlite3/package.json');
    return dirname(dirname(dirname(file)));
  } catch {
    return undefined;
  }
}
