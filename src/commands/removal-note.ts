/**
 * Which sets are being removed. A removal that breaks off leaves sets without manifest of which the archive cache still
 * has it, as if it had been lost: nobody is to miss it, and the next removal ends what was begun.
 */

import { type SetId, setKey } from '../manifest/names.ts';
import { type OwnFolder, ownName, readOwn, writeOwn } from './own-files.ts';

const NOTE = 'removal.json';

/** @returns keys of sets */
export function setsBeingRemoved(archive: OwnFolder): readonly string[] {
  const known = readOwn(archive, NOTE);
  return Array.isArray(known) ? known : [];
}

/** Does the work, of which others know for as long as it has not come to its end. */
export async function whileNoted(
  archive: OwnFolder,
  sets: readonly SetId[],
  work: () => Promise<void>,
): Promise<void> {
  if (sets.length > 0) await writeOwn(archive, NOTE, sets.map(setKey));
  await work();
  await archive.cache.remove(ownName(archive, NOTE));
}
