/** What is at a target, in numbers, from names alone. */

import { endOf } from '../manifest/names.ts';
import { lastFullTime } from '../manifest/status-text.ts';
import type { ArchiveFacts } from '../profiles/state.ts';
import { openArchive } from './archive.ts';
import type { CommonOptions, Host } from './host.ts';

export async function archiveFacts(
  request: CommonOptions & { readonly url: string },
  host: Host,
): Promise<ArchiveFacts> {
  const archive = await openArchive(request.url, request, host);
  try {
    let bytes = 0;
    for await (const { size } of archive.storage.list()) bytes += size;
    const { chains } = await archive.collection();
    const newest = chains.at(-1);
    return {
      chains: chains.length,
      sets: chains.reduce((sum, { sets }) => sum + sets.length, 0),
      chainLength: newest?.sets.length ?? 0,
      bytes,
      lastFull: lastFullTime(chains),
      lastSet: newest && endOf(newest.sets.at(-1)!.id),
    };
  } finally {
    await archive.close();
  }
}
