/**
 * How manifests write paths, so that white space in a name never splits a line. Bytes, not characters: only nine byte
 * values are special, all others stay raw.
 * @see FORMAT.md, "Quoting"
 */

import { BackupError } from '../errors.ts';

const SPECIAL = /[\t-\r "'\\]/;
const EACH_SPECIAL = /[\t-\r "'\\]/g;

/** A latin1 byte string as one word: itself, or in double quotes with `\x` and two digits for the special bytes. */
export function quote(bytes: string): string {
  if (!SPECIAL.test(bytes)) return bytes;
  return `"${bytes.replace(EACH_SPECIAL, char => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;
}

/**
 * What `quote` was given.
 * @throws BackupError 'damaged' if the word begins with a quote and is not well formed
 */
export function unquote(word: string): string {
  if (!word.startsWith('"')) return word;
  if (!/^"(?:[^"\\]|\\x[\da-f]{2})*"$/is.test(word)) {
    throw new BackupError('damaged', 'A manifest holds a quoted path that is not well formed.');
  }
  return word
    .slice(1, -1)
    .replace(/\\x(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
