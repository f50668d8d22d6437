/** Where the catalogs lie: one a chain, named by its full set, in the archive cache. */

import { readdirSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import { removeCatalog } from '../catalog/chain-catalog.ts';
import { catalogFailure } from '../catalog/failure.ts';
import type { Collection } from '../manifest/chains.ts';
import { formatTime } from '../manifest/time.ts';
import { type OwnFolder, ownName } from './own-files.ts';

/** @param start time of the chain's full set */
export function catalogFile(archive: OwnFolder, start: number): string {
  return `${archive.cache.folder}/${nameOf(archive, start)}`;
}

/** The catalogs of an archive by name, sorted. */
export function catalogNames(archive: OwnFolder): string[] {
  const beginning = ownName(archive, CATALOG);
  const names = readdirSync(bytesOf(archive.cache.folder), 'latin1');
  return names.filter(name => name.startsWith(beginning) && name.endsWith(SUFFIX)).sort();
}

/** Removes the catalogs of chains that are not at the target: their first runs did not end, or they are deleted. */
export function clearCatalogs(archive: OwnFolder, { chains }: Collection): void {
  const known = new Set(chains.map(({ start }) => nameOf(archive, start)));
  removeUnless(archive, name => known.has(name));
}

/** Removes all catalogs: they are made again from the signatures. */
export function removeCatalogs(archive: OwnFolder): void {
  removeUnless(archive, () => false);
}

function removeUnless(archive: OwnFolder, isKept: (name: string) => boolean): void {
  const { folder } = archive.cache;
  try {
    for (const name of catalogNames(archive)) if (!isKept(name)) removeCatalog(`${folder}/${name}`);
  } catch (error) {
    throw catalogFailure(error, folder);
  }
}

const CATALOG = 'catalog-';
const SUFFIX = '.sqlite';

function nameOf(archive: OwnFolder, start: number): string {
  return ownName(archive, `${CATALOG}${formatTime(start)}${SUFFIX}`);
}
