/** collection-status: the chains and sets at a target, from names alone; no passphrase is needed for that. */

import { statSync } from 'node:fs';
import { bytesOf, displayPath } from '../bytes.ts';
import { exitStatus } from '../errors.ts';
import { type Collection, collectSets, continuable } from '../manifest/chains.ts';
import { lastFullLine, statusItems, statusLines } from '../manifest/status-text.ts';
import { formatSize } from '../text.ts';
import { type Archive, openArchive } from './archive.ts';
import { catalogNames } from './catalog-files.ts';
import { printChanges, printHistory } from './changes.ts';
import type { CommonOptions, Host } from './host.ts';
import { noBackup, requireTarget } from './require-target.ts';

export interface StatusRequest extends CommonOptions {
  readonly url: string;
  /** Whether a target that is not there is shown as an empty one as well, for scripts that ask so before the first backup. */
  readonly isAbsentShown: boolean;
  /** The history of this path in the newest chain, else in all others, in place of the chains. */
  readonly fileChanged?: string | undefined;
  /** The changes of this set of the newest chain in place of the chains: 0 is the newest, -1 stands for all. */
  readonly changesInSet?: number | undefined;
}

export async function status(request: StatusRequest, host: Host): Promise<number> {
  const archive = await openArchive(request.url, request, host);
  try {
    const backend = archive.storage.description;
    const show = (collection: Collection) => {
      const archiveDir = displayPath(archive.cache.folder);
      const place = { backend, archiveDir, archiveNotes: catalogLines(archive) };
      const text = `${statusLines(collection, place).join('\n')}\n`;
      return host.print(text, () => statusItems(collection, backend));
    };
    if (request.isAbsentShown && !(await archive.storage.exists())) await show(collectSets([]));
    await requireTarget(archive.storage);
    const collection = await archive.collection();
    const { changesInSet, fileChanged } = request;
    if (changesInSet !== undefined || fileChanged !== undefined) {
      const next = continuable(collection);
      const chain = 'chain' in next ? next.chain : collection.chains.at(-1);
      if (!chain) throw noBackup(archive.storage, collection);
      await host.print(`${lastFullLine(collection)}\n`, () => []);
      await (changesInSet === undefined
        ? printHistory(
            fileChanged!,
            chain,
            collection.chains.filter(one => one !== chain),
            archive,
            host,
          )
        : printChanges(changesInSet, chain, archive, host));
      return exitStatus.done;
    }
    await show(collection);
    return exitStatus.done;
  } finally {
    await archive.close();
  }
}

/** The catalogs in the archive cache with their sizes: they can be removed, and are made again when they are needed. */
function catalogLines(archive: Archive): string[] {
  const sizeOf = (name: string) => statSync(bytesOf(`${archive.cache.folder}/${name}`)).size;
  return catalogNames(archive).map(name => `Catalog: ${name}, ${formatSize(sizeOf(name))}`);
}
