/**
 * What we note of an archive in its archive cache, beside copies of what is at the target. Archives with other prefixes
 * at the same URL share the folder, and must not take each other's notes for their own.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import type { ArchiveCache } from '../cache/archive-cache.ts';
import { type Prefixes, parseName } from '../manifest/names.ts';

/** What tells an archive from others in the folder. */
export interface OwnFolder {
  readonly cache: ArchiveCache;
  readonly prefixes: Prefixes;
}

/** The name of a note of ours: it must not begin like one of duplicity's. */
export function ownName({ prefixes }: OwnFolder, name: string): string {
  const given = Object.entries(prefixes).filter(([, prefix]) => prefix !== '');
  if (given.length === 0) return `tsbackup-${name}`;
  const tag = createHash('sha256').update(JSON.stringify(given.sort())).digest('hex').slice(0, 12);
  return `tsbackup-${tag}-${name}`;
}

/** @returns undefined where there is none, or none that can be read: notes are a help, and no truth */
export function readOwn(archive: OwnFolder, name: string): unknown {
  try {
    return JSON.parse(readFileSync(bytesOf(`${archive.cache.folder}/${ownName(archive, name)}`), 'utf8'));
  } catch {
    return undefined;
  }
}

/** @throws BackupError `local-io` */
export async function writeOwn(archive: OwnFolder, name: string, value: unknown): Promise<void> {
  const text = JSON.stringify(value, undefined, 1);
  await archive.cache.write(ownName(archive, name), Buffer.from(`${text}\n`));
}

/** Names of the partial files of the archive's runs. */
export async function ownPartials({ cache, prefixes }: OwnFolder): Promise<string[]> {
  return (await cache.listPartial()).filter(name => parseName(name, prefixes) !== undefined);
}
