/**
 * The lists of changed files that manifests hold, in words. Programs read these lines, so wording and columns are those
 * of real duplicity (0.8.22), but for the mark of a Python literal about the kinds in a file's history. Pure.
 */

import { displayPath, pathFields } from '../bytes.ts';
import type { Item } from '../report.ts';
import type { Change } from './manifest.ts';
import { endOf } from './names.ts';
import { quote } from './quoting.ts';
import type { BackupSet } from './sets.ts';
import { RULE, setKind } from './status-text.ts';
import { asctime } from './time.ts';

const TITLE = 'Type of file change:';

/** What one set did to one path; `path` as a latin1 byte string. */
export interface PathChange {
  readonly change: Change;
  readonly path: string;
}

/** What one set did to the path that a history is about. */
export interface HistoryEntry {
  readonly set: BackupSet;
  readonly change: Change;
}

/** @param entries oldest first */
export function historyLines(path: string, entries: readonly HistoryEntry[]): string[] {
  const row = (type: string, time: string, kind: string) =>
    `${type.padStart(20)}   ${time.padStart(30)}  ${kind.padStart(20)}`;
  return [
    RULE,
    `File: ${displayPath(path)}`,
    `Total number of backup: ${entries.length}`,
    row('Type of backup set:', 'Time:', TITLE),
    ...entries.map(({ set, change }) =>
      row(setKind(set), asctime(endOf(set.id)), `${change[0]!.toUpperCase()}${change.slice(1)}`),
    ),
    RULE,
  ];
}

/** What a list of a set's changes needs to know before its first line. */
export interface ChangesSize {
  readonly count: number;
  /** Letters of the widest path, as `pathWidth` counts them. */
  readonly widest: number;
}

export function changesHead(set: BackupSet, { count, widest }: ChangesSize): string[] {
  return [
    RULE,
    ` Backup set time: ${asctime(endOf(set.id))}`,
    `Total number of changes: ${count}`,
    `${'File:'.padEnd(widest)}  ${TITLE}`,
  ];
}

/** Letters of a path as a word of the list: bytes of UTF-8 that go on with a letter do not count. */
export function pathWidth(path: string): number {
  return quote(path).replace(/[\x80-\xbf]/g, '').length;
}

/** A latin1 byte string: paths go out as the bytes that they are, quoted as manifests do. */
export function changeLine({ change, path }: PathChange, { widest }: ChangesSize): string {
  const blanks = ' '.repeat(widest - pathWidth(path));
  return `${quote(path)}${blanks}  ${change.padStart(TITLE.length)}`;
}

/** The same for programs; `time` is the set's, in seconds since 1970. */
export function changeItem(set: BackupSet, { change, path }: PathChange): Item {
  return {
    ...{ type: 'change', ...pathFields(path), change },
    ...{ kind: setKind(set).toLowerCase(), time: endOf(set.id) },
  };
}
