/** collection-status: the chains and sets at a target, from names alone; no passphrase is needed. */

import { exitStatus } from '../errors.ts';
import { statusLines } from '../manifest/status-text.ts';
import { openArchive } from './archive.ts';
import type { CommonOptions, Host } from './host.ts';
import { requireTarget } from './require-target.ts';

export async function status(request: CommonOptions & { readonly url: string }, host: Host): Promise<number> {
  const archive = await openArchive(request.url, request, host);
  try {
    await requireTarget(archive.storage);
    const collection = await archive.collection();
    const place = { backend: archive.storage.description, archiveDir: archive.cache.folder };
    await host.print(`${statusLines(collection, place).join('\n')}\n`);
    return exitStatus.done;
  } finally {
    await archive.close();
  }
}
