/** May we restore there? */

import { lstatSync, statSync } from 'node:fs';
import { bytesOf, displayPath } from '../bytes.ts';
import { BackupError, systemCode } from '../errors.ts';
import { isEmptyFolder } from './folder-content.ts';
import { isLeftover } from './temporary.ts';

/**
 * A restore goes to a place that is absent or an empty folder, but for what a killed one has left; elsewhere only when
 * forced.
 * @param target latin1 path
 * @throws {BackupError} `target-not-empty`; `local-io` when it can't be looked at
 */
export function checkTarget(target: string, options: { readonly force?: boolean } = {}): void {
  let empty: boolean;
  try {
    empty = isAbsentOrEmpty(bytesOf(target));
  } catch (error) {
    const facts = { path: displayPath(target), systemCode: systemCode(error) ?? 'EUNKNOWN' };
    const message = `Can't look at the restore target ${facts.path}: ${facts.systemCode}.`;
    throw new BackupError('local-io', message, facts, { cause: error });
  }
  if (!empty && options.force !== true) {
    const path = displayPath(target);
    const message = `${path} exists and is not an empty folder; name another place, or use --force to overwrite what has the same names there.`;
    throw new BackupError('target-not-empty', message, { path });
  }
}

function isAbsentOrEmpty(target: Buffer): boolean {
  if (!lstatSync(target, { throwIfNoEntry: false })) return true;
  if (!leadsToFolder(target)) return false; // a link that leads nowhere counts as a file
  return isEmptyFolder(target, name => !isLeftover(name));
}

function leadsToFolder(target: Buffer): boolean {
  try {
    return statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (error) {
    if (['ELOOP', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) return false; // it is there itself
    throw error;
  }
}
