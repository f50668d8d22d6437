/** Small files of ours that people and later runs rely on: whole or not at all, also where the power fails. */

import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isSyncUnknown } from '../errors.ts';

/**
 * Replaces what was there.
 * @param temporary where it is written first; in the same folder
 * @throws a system error
 */
export function replaceFile(path: string, text: string, mode: number, temporary = `${path}.new`): void {
  const file = openSync(temporary, 'w', mode);
  try {
    try {
      writeFileSync(file, text);
      syncOpen(file); // else the name may be on the disk before the content is
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    removeFailed(temporary);
    throw error;
  }
  syncFolderOf(path);
}

/** Never throws: what made it superfluous is the failure to tell. Left where it is, each night would add one. */
export function removeFailed(temporary: string): void {
  try {
    unlinkSync(temporary);
  } catch {}
}

/** Has the name of a new file on the disk. */
export function syncFolderOf(path: string): void {
  let folder: number;
  try {
    folder = openSync(dirname(path), 'r');
  } catch {
    return; // we may write there but not look
  }
  try {
    syncOpen(folder);
  } finally {
    closeSync(folder);
  }
}

/** fsync, where the file system has it. */
export function syncOpen(file: number): void {
  try {
    fsyncSync(file);
  } catch (error) {
    if (!isSyncUnknown(error)) throw error;
  }
}
