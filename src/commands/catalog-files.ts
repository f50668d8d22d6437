/** Where the catalogs lie: one a chain, named by its full set, in the archive cache. */

import { readdirSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import { removeCatalog } from '../catalog/chain-catalog.ts';
import { catalogFailure } from '../catalog/failure.ts';
import type { Collection } from '../manifest/chains.ts';
import { formatTime } from '../manifest/time.ts';
import type { Archive } from './archive.ts';

/** @param start time of the chain's full set. The name must not begin like one of duplicity's */
export function catalogFile({ cache }: Archive, start: number): string {
  return `${cache.folder}/${nameOf(start)}`;
}

/** Removes the catalogs of chains that are not at the target: their first runs did not end, or they are deleted. */
export function clearCatalogs({ cache }: Archive, { chains }: Collection): void {
  const known = new Set(chains.map(({ start }) => nameOf(start)));
  removeUnless(cache.folder, name => known.has(name));
}

/** Removes all catalogs: they are made again from the signatures. */
export function removeCatalogs({ cache }: Archive): void {
  removeUnless(cache.folder, () => false);
}

function removeUnless(folder: string, isKept: (name: string) => boolean): void {
  try {
    for (const name of readdirSync(bytesOf(folder), 'latin1')) {
      if (/^tsbackup-catalog-.*\.sqlite$/.test(name) && !isKept(name)) removeCatalog(`${folder}/${name}`);
    }
  } catch (error) {
    throw catalogFailure(error, folder);
  }
}

function nameOf(start: number): string {
  return `tsbackup-catalog-${formatTime(start)}.sqlite`;
}
