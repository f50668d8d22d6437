/**
 * Which sets are being removed. A removal that breaks off leaves sets without manifest of which the archive cache still
 * has it, as if it had been lost: nobody is to take them for backups, and the next removal ends what was begun.
 */

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
 */
export async function whileNoted(
  archive: OwnFolder,
  sets: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const known = setsBeingRemoved(archive);
  const noted = [...new Set([...known, ...sets])];
  if (noted.length > 0) await writeOwn(archive, NOTE, noted);
  await work();
  const left = [...known].filter(key => !sets.includes(key));
  if (left.length > 0) await writeOwn(archive, NOTE, left);
  else await archive.cache.remove(ownName(archive, NOTE));
}
