/** Selection options → rules, in the order of the command line. Lists are read here. */

import { readFileSync } from 'node:fs';
import { displayPath, pathFromText } from '../bytes.ts';
import { BackupError, messageOf } from '../errors.ts';
import type { FilterMode, SelectionRule } from '../files/select-rules.ts';
import { parseTimeArgument } from '../manifest/time.ts';
import type { Invocation } from './parse.ts';

/**
 * @param now seconds since 1970
 * @throws BackupError `usage` for a list that can't be read
 */
export function selectionRules({ ordered, values }: Invocation, now: number): SelectionRule[] {
  const nullSeparated = values['null-separator'] === true;
  const list = (file: string | number) => ({ ...readList(file), nullSeparated });
  return ordered.map(({ option, value }): SelectionRule => {
    const include = option.startsWith('include');
    switch (option) {
      case 'include':
      case 'exclude':
        return { kind: 'pattern', include, pattern: pathFromText(value) };
      case 'include-regexp':
      case 'exclude-regexp':
        return { kind: 'regexp', include, pattern: pathFromText(value) };
      case 'include-filelist':
      case 'exclude-filelist':
        return { kind: 'filelist', include, ...list(value) };
      case 'include-filelist-stdin':
      case 'exclude-filelist-stdin':
        return { kind: 'filelist', include, ...list(0) };
      case 'files-from':
        return { kind: 'files-from', ...list(value) };
      case 'exclude-if-present':
        return { kind: 'exclude-if-present', name: pathFromText(value) };
      case 'exclude-older-than':
        return { kind: 'exclude-older-than', seconds: parseTimeArgument(value, now) };
      case 'exclude-other-filesystems':
      case 'exclude-device-files':
        return { kind: option };
      default:
        return { kind: 'filter', mode: option.replace('filter-', '') as FilterMode };
    }
  });
}

function readList(file: string | number): { readonly name: string; readonly bytes: Uint8Array } {
  const name = file === 0 ? 'standard input' : String(file);
  try {
    return { name, bytes: readFileSync(file) };
  } catch (error) {
    const shown = displayPath(pathFromText(name));
    throw new BackupError(
      'usage',
      `cannot read the list ${shown}: ${messageOf(error)}`,
      {},
      { cause: error },
    );
  }
}
