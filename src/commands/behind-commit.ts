/** What a run leaves in the archive cache that broke off between its commit at the target and the end. */

import { partialNames } from '../engine/journal.ts';
import { BackupError } from '../errors.ts';
import type { Collection } from '../manifest/chains.ts';
import { createManifestReader } from '../manifest/manifest-reader.ts';
import type { Chunks } from '../streams.ts';
import { gunzip } from '../volumes/gzip.ts';
import type { Archive } from './archive.ts';
import { ownPartials } from './own-files.ts';

/**
 * Manifests and signatures of runs that broke off just behind their commit are what the archive cache is to have: who has
 * the public key only can't copy them from the target. What a power cut has torn is left for that all the same.
 */
export async function keepWhatIsComplete(archive: Archive, { chains }: Collection): Promise<void> {
  const { cache, prefixes } = archive;
  const left = new Set(await ownPartials(archive));
  for (const { id } of left.size > 0 ? chains.flatMap(({ sets }) => sets) : []) {
    const { manifest, signatures } = partialNames(id, prefixes);
    for (const [name, isWhole] of [
      [signatures, isWholeGzip],
      [manifest, isWholeManifest],
    ] as const) {
      if (!left.has(name) || (await cache.has(name)) || !(await isWhole(cache.readPartial(name)))) continue;
      await cache.publish([[name, name]]);
    }
  }
}

function isWholeGzip(stored: Chunks): Promise<boolean> {
  return unlessDamaged(async () => {
    for await (const _ of gunzip(stored));
    return true;
  });
}

function isWholeManifest(text: Chunks): Promise<boolean> {
  return unlessDamaged(async () => {
    const reader = createManifestReader();
    for await (const chunk of text) reader.push(chunk);
    const { ending, isProved } = reader.end();
    return ending === 'filelist' && isProved === true;
  });
}

async function unlessDamaged(isWhole: () => Promise<boolean>): Promise<boolean> {
  try {
    return await isWhole();
  } catch (error) {
    if (error instanceof BackupError && error.code === 'damaged') return false;
    throw error;
  }
}
