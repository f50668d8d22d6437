/** Selection options as the command line gives them, and the errors in them. */

import { displayPath } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import { pathOfText } from './path-text.ts';

/** How patterns that follow are read (`--filter-globbing` …). */
export type FilterMode = 'globbing' | 'literal' | 'regexp' | 'ignorecase' | 'strictcase';

/** A list that was read whole; `name` is for messages. */
interface ListRule {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly nullSeparated: boolean;
}

/** One selection option. Patterns and names are bytes as latin1 strings. */
export type SelectionRule =
  | { readonly kind: 'pattern' | 'regexp'; readonly include: boolean; readonly pattern: string }
  | ({ readonly kind: 'filelist'; readonly include: boolean } & ListRule)
  | ({ readonly kind: 'files-from' } & ListRule)
  | { readonly kind: 'exclude-if-present'; readonly name: string }
  | { readonly kind: 'exclude-older-than'; readonly seconds: number }
  | { readonly kind: 'exclude-other-filesystems' }
  | { readonly kind: 'exclude-device-files' }
  | { readonly kind: 'filter'; readonly mode: FilterMode };

/** Exit statuses that duplicity has for each. */
const duplicityExits = {
  outside: 14,
  'double-slash': 15,
  'include-last': 16,
  'bad-pattern': 30,
  'filter-idle': 70,
  'filter-last': 71,
  'files-from-absolute': 72,
  'files-from-empty': 73,
} as const;

/**
 * @param fault also tells the exit status that duplicity has for it (fact `duplicityExit`)
 * @param pattern characters as path-text.ts says
 */
export function ruleError(
  fault: keyof typeof duplicityExits,
  message: string,
  pattern?: string,
  cause?: unknown,
): BackupError {
  const facts = {
    duplicityExit: duplicityExits[fault],
    ...(pattern === undefined ? {} : { pattern: displayPath(pathOfText(pattern)) }),
  };
  return new BackupError('usage', message, facts, cause === undefined ? undefined : { cause });
}

/** A pattern or file name in a message; characters as path-text.ts says. */
export function quoted(pattern: string): string {
  return `'${pattern === '' ? '' : displayPath(pathOfText(pattern))}'`;
}
