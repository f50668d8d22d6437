/**
 * Signatures that may not be those of what is stored. duplicity goes on with an interrupted set without looking whether
 * files of its first volumes have changed since: there are their old contents, and the signatures, which it makes anew, are
 * of the new ones. A delta against such a signature would be applied to something else, so none is to be made.
 * @see FORMAT.md, "Manifest"
 */

import { createReadStream } from 'node:fs';
import { bytesOf, comparePaths } from '../bytes.ts';
import { BackupError, systemCode } from '../errors.ts';
import { createManifestReader } from '../manifest/manifest-reader.ts';

/**
 * @param manifest the copy in the archive cache, its path as a latin1 string
 * @returns the last path in doubt; empty if there is none, or nobody can tell
 */
export async function doubtfulUpTo(manifest: string): Promise<string> {
  const reader = createManifestReader();
  try {
    for await (const chunk of createReadStream(bytesOf(manifest))) reader.push(chunk);
    const { volumes } = reader.end();
    return volumes.reduce((last, { resumed, start }) => (resumed ? later(last, start.path) : last), '');
  } catch (error) {
    if (error instanceof BackupError || systemCode(error) !== undefined) return '';
    throw error;
  }
}

export function later(one: string, other: string): string {
  return comparePaths(one, other) < 0 ? other : one;
}
