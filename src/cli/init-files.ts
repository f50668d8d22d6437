/** What `init` writes: secrets and a profile, their owner's alone, all of them or none. */

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { BackupError, messageOf } from '../errors.ts';
import { syncFolderOf, syncOpen } from '../files/whole-file.ts';

/** Before anything is asked that could not be kept. @throws BackupError `local-io` */
export function requireWritable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new BackupError('local-io', `profiles can't be written to ${folder}: ${messageOf(error)}`);
  }
}

/**
 * Nothing is left of a try that fails: it would stand in the way of the next one.
 * @throws BackupError `usage` for a file that is there already, `local-io`
 */
export function writeFiles(files: readonly (readonly [path: string, text: string])[]): void {
  const made: string[] = [];
  try {
    for (const [path, text] of files) {
      if (existsSync(path))
        throw new BackupError('usage', `${path} is there already; remove it, or take another name`);
      write(path, text, () => made.push(path));
    }
  } catch (error) {
    for (const path of made) rmSync(path, { force: true });
    throw error;
  }
}

function write(path: string, text: string, onMade: () => void): void {
  try {
    const file = openSync(path, 'wx', 0o600);
    onMade();
    try {
      fchmodSync(file, 0o600); // whatever the umask is
      writeFileSync(file, text);
      syncOpen(file); // a passphrase that a power cut takes opens no backup
    } finally {
      closeSync(file);
    }
    syncFolderOf(path);
  } catch (error) {
    throw new BackupError('local-io', `can't write ${path}: ${messageOf(error)}`);
  }
}
