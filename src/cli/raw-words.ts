/**
 * The words of the command line as they were typed. Node makes U+FFFD of bytes that are no UTF-8, so that a folder with
 * such a name could not be named; the system still has the bytes.
 */

import { readFileSync } from 'node:fs';
import { pathOf, textFromPath } from '../bytes.ts';

/**
 * @param argv without the program's own two
 * @param read gives all words of the process, each with a NUL behind it; it may fail
 * @returns text that `pathFromText` makes the bytes of again
 */
export function rawWords(
  argv: readonly string[],
  read: () => Uint8Array = () => readFileSync('/proc/self/cmdline'),
): readonly string[] {
  if (!argv.some(word => word.includes('\ufffd'))) return argv;
  try {
    const raw = pathOf(read()).split('\0').slice(0, -1).slice(-argv.length);
    const isSame = raw.length === argv.length && raw.every((word, i) => lossy(word) === argv[i]);
    return isSame ? raw.map(textFromPath) : argv;
  } catch {
    return argv; // a system that does not tell
  }
}

function lossy(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}
