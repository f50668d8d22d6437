/**
 * Which build of the program this is. An installation may be replaced while a run is under way: what the run loads by then
 * is another program's, and its threads would not mean the same by what they tell each other. So all files of the bundle
 * end with their build.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BackupError } from '../errors.ts';

declare const BUILD: string; // in the bundle

/** Empty outside the bundle, where nothing is asked for. */
export const ownBuild = typeof BUILD === 'undefined' ? '' : BUILD;

/** @param source of a file of the bundle @throws BackupError `local-io` if it is another build's */
export function requireOwnBuild(source: string): void {
  if (!isOfBuild(source)) throw replaced();
}

/** For the launcher of a thread. @param build of who has started it */
export function requireSameBuild(build: string | undefined): void {
  if (build !== ownBuild) throw replaced();
}

/** Whether a thread's files are still those of this build. @param launcher of the thread */
export function isOwnThread(launcher: URL): boolean {
  if (ownBuild === '') return true;
  try {
    const file = fileURLToPath(launcher);
    return [file, file.replace(/js$/, 'cjs')].every(one => isOfBuild(readFileSync(one, 'latin1')));
  } catch {
    return false; // gone, or just being replaced
  }
}

function isOfBuild(source: string): boolean {
  return source.trimEnd().endsWith(`//${ownBuild}`) || ownBuild === '';
}

function replaced(): BackupError {
  return new BackupError(
    'local-io',
    'the installed tsbackup was replaced by another version while it was running; run it again',
  );
}
