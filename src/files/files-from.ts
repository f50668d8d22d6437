/** The list of `--files-from`: only these paths, and the folders that lead to them. */

import { pathOf } from '../bytes.ts';
import { textOf } from './path-text.ts';
import { quoted, ruleError } from './select-rules.ts';

/**
 * Every character counts: there are no comments, signs or quotes. A listed folder stands for itself alone.
 * @returns whether a path (latin1, from the root of the tree) is listed or leads to one that is
 * @throws {BackupError} `usage` for an empty list and for paths that are absolute or lead out of the source
 */
export function createFilesFrom(
  bytes: Uint8Array,
  { name, nullSeparated }: { readonly name: string; readonly nullSeparated: boolean },
): (path: string) => boolean {
  const wanted = new Set<string>();
  const list = quoted(textOf(name));
  for (const line of pathOf(bytes).split(nullSeparated ? '\0' : '\n')) {
    if (line.startsWith('/')) {
      throw ruleError(
        'files-from-absolute',
        `${quoted(textOf(line))} in ${list} is absolute: --files-from wants paths relative to the source.`,
        textOf(line),
      );
    }
    const parts = line.split('/').filter(part => part !== '' && part !== '.');
    if (parts.includes('..')) {
      throw ruleError(
        'files-from-absolute',
        `${quoted(textOf(line))} in ${list} may lead out of the source: --files-from wants paths without '..'.`,
        textOf(line),
      );
    }
    for (let length = parts.length; length > 0; length--) wanted.add(parts.slice(0, length).join('/'));
  }
  if (wanted.size === 0) {
    throw ruleError('files-from-empty', `${list} lists no files: --files-from needs at least one.`);
  }
  return path => wanted.has(path);
}
