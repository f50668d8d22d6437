/** Selection options → rules, in the order of the command line. Lists are read here. */

import { displayPath, pathFromText } from '../bytes.ts';
import { BackupError, messageOf } from '../errors.ts';
import type { FilterMode, SelectionRule } from '../files/select-rules.ts';
import { parseTimeArgument } from '../manifest/time.ts';
import { readInput } from '../profiles/input.ts';
import type { Invocation } from './parse.ts';

/**
 * @param now seconds since 1970
 * @param signal ends the waiting for a list; its reason is thrown
 * @throws BackupError `usage` for a list that can't be read
 */
export async function selectionRules(
  { ordered, values }: Invocation,
  now: number,
  signal: AbortSignal,
): Promise<SelectionRule[]> {
  const nullSeparated = values['null-separator'] === true;
  const list = async (file: string | number) => ({ ...(await readList(file, signal)), nullSeparated });
  const rules: SelectionRule[] = [];
  for (const { option, value } of ordered) rules.push(await ruleOf(option, value));
  return rules;

  async function ruleOf(option: string, value: string): Promise<SelectionRule> {
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
        return { kind: 'filelist', include, ...(await list(value)) };
      case 'include-filelist-stdin':
      case 'exclude-filelist-stdin':
        return { kind: 'filelist', include, ...(await list(0)) };
      case 'files-from':
        return { kind: 'files-from', ...(await list(value)) };
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
  }
}

async function readList(
  file: string | number,
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly bytes: Uint8Array }> {
  const name = file === 0 ? 'standard input' : String(file);
  try {
    return { name, bytes: await readInput(file, signal) };
  } catch (error) {
    signal.throwIfAborted();
    const shown = displayPath(pathFromText(name));
    throw new BackupError(
      'usage',
      `cannot read the list ${shown}: ${messageOf(error)}`,
      {},
      { cause: error },
    );
  }
}
