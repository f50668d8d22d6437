/** collection-status: the chains and sets at a target, from names alone; no passphrase is needed. */

import { readdirSync, statSync } from 'node:fs';
import { bytesOf, displayPath } from '../bytes.ts';
import { exitStatus } from '../errors.ts';
import { statusItems, statusLines } from '../manifest/status-text.ts';
import { formatSize } from '../text.ts';
import { openArchive } from './archive.ts';
import type { CommonOptions, Host } from './host.ts';
import { requireTarget } from './require-target.ts';

export async function status(request: CommonOptions & { readonly url: string }, host: Host): Promise<number> {
  const archive = await openArchive(request.url, request, host);
  try {
    await requireTarget(archive.storage);
    const collection = await archive.collection();
    const place = { backend: archive.storage.description, archiveDir: displayPath(archive.cache.folder) };
    const lines = [...statusLines(collection, place), ...catalogLines(archive.cache.folder)];
    await host.print(`${lines.join('\n')}\n`, () => statusItems(collection));
    return exitStatus.done;
  } finally {
    await archive.close();
  }
}

/** The catalogs in the archive cache with their sizes: they can be removed, and are made again when they are needed. */
function catalogLines(folder: string): string[] {
  const names = readdirSync(bytesOf(folder), 'latin1').filter(name =>
    /^tsbackup-catalog-.*\.sqlite$/.test(name),
  );
  return names
    .sort()
    .map(name => `Catalog: ${name}, ${formatSize(statSync(bytesOf(`${folder}/${name}`)).size)}`);
}
