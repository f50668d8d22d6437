/** Our version, and what `--version` prints: for the launcher, which does not even load the bundle for that. */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** @param packageFile package.json */
export function versionIn(packageFile: string | URL): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}

/**
 * The one whose command line wrappers may use: the newest that we know. Both generations' options are understood, and
 * duply 2.5, for one, refuses to work with what is older than 2.1.
 */
const DUPLICITY_VERSION = '3.0.4';

/** Called by that name, through a link, we speak to its wrappers as it would: they read the version. */
export function isDuplicity(program = ''): boolean {
  return basename(program) === 'duplicity';
}

/** The line to print; undefined if the words ask for something else. @param program as it was called */
export function versionLine(
  words: readonly string[],
  program: string | undefined,
  packageFile: string | URL,
): string | undefined {
  if (words.length !== 1 || (words[0] !== '--version' && words[0] !== '-V')) return undefined;
  return isDuplicity(program) ? `duplicity ${DUPLICITY_VERSION}\n` : `tsbackup ${versionIn(packageFile)}\n`;
}

/** Of each line of Node.js the first version with `zlib.crc32`; package.json says the same. */
const FIRST_MINOR = new Map([
  [20, 15],
  [22, 2],
]);

/** @param node its version @returns what to say of one that we can't run on; else undefined */
export function tooOld(node: string): string | undefined {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  if (major > 22 || minor >= (FIRST_MINOR.get(major) ?? Number.POSITIVE_INFINITY)) return undefined;
  return `Error: tsbackup needs Node.js 20.15, 22.2 or newer; this is ${node}.\n`;
}
