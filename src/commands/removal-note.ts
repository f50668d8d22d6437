/**
 * Which sets are being removed. A removal that breaks off leaves sets without manifest of which the archive cache still
 * has it, as if it had been lost: nobody is to take them for backups, and the next removal ends what was begun.
 */

import { BackupError } from '../errors.ts';
import { type OwnFolder, ownName, readOwn, writeOwn } from './own-files.ts';

const NOTE = 'removal.json';

/** @returns keys of sets */
export function setsBeingRemoved(archive: OwnFolder): ReadonlySet<string> {
  const known = readOwn(archive, NOTE);
  return new Set(Array.isArray(known) ? known : []);
}

/**
 * Does the work, of which others know for as long as it has not come to its end.
 * @param sets keys of those that are gone then
 * @param forget takes from the archive cache what it has of them: where there is no room for the note it is not needed then
 */
export async function whileNoted(
  archive: OwnFolder,
  sets: readonly string[],
  forget: () => Promise<void>,
  work: () => Promise<void>,
): Promise<void> {
  const known = setsBeingRemoved(archive);
  const noted = [...new Set([...known, ...sets])];
  try {
    if (noted.length > 0) await writeOwn(archive, NOTE, noted);
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'local-io') throw error;
    await forget();
  }
  await work();
  const left = [...known].filter(key => !sets.includes(key));
  if (left.length > 0) await writeOwn(archive, NOTE, left);
  else await archive.cache.remove(ownName(archive, NOTE));
}
