/**
 * Fills the archive cache from the target: manifests as plain text, signatures gzipped, whatever form they have there.
 * What to fetch was planned by the caller; here it only happens, each file whole or not at all.
 */

import { displayPath } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import { type Reporter, silentReporter } from '../report.ts';
import type { Storage } from '../storage/storage.ts';
import type { Chunks } from '../streams.ts';
import type { ArchiveCache } from './archive-cache.ts';
import { type MetadataKind, plausible } from './plausible.ts';

/** How an object is stored at the target. */
export type StoredForm = 'gpg' | 'gz' | 'plain';

/** An object to copy into the cache. Names are bytes as latin1 strings. */
export interface MetadataCopy {
  readonly kind: MetadataKind;
  readonly remoteName: string;
  /** Bytes of the object as the target lists it; checked if given. */
  readonly size?: number | undefined;
  readonly form: StoredForm;
  /** Name in the cache: `….manifest` or `….sigtar.gz`. */
  readonly localName: string;
}

export interface SyncTools {
  /** Decrypts and gunzips: stored bytes → plain bytes. Throws what its format does. */
  open(stored: Chunks, form: StoredForm): Chunks;
  /** gzip, for signatures. */
  compress(plain: Chunks): Chunks;
  readonly reporter?: Reporter;
  readonly signal?: AbortSignal;
}

/**
 * Copies in the order given; what was copied stays when a later one fails.
 * @returns bytes written to the cache
 * @throws BackupError of the storage, of `open`, 'damaged' for another size than the listed one or what is not plausible,
 * 'local-io' of the cache
 */
export async function copyToCache(
  copies: readonly MetadataCopy[],
  storage: Storage,
  cache: ArchiveCache,
  { open, compress, reporter = silentReporter, signal }: SyncTools,
): Promise<number> {
  const options = signal ? { signal } : {};
  let bytesDone = 0;
  for (const [entriesDone, { kind, remoteName, size, form, localName }] of copies.entries()) {
    reporter.progress({ stage: 'sync', bytesDone, entriesDone, path: displayPath(remoteName) });
    const stored = whole(storage.get(remoteName, options), size);
    const plain = plausible(stored, kind, chunks => open(chunks, form));
    const bytes = await cache.write(localName, kind === 'manifest' ? plain : compress(plain), options);
    bytesDone += bytes;
    reporter.report({
      level: 'info',
      code: 'cache-filled',
      message: `Copied ${displayPath(remoteName)} to the archive cache.`,
      facts: { object: remoteName, bytes },
    });
  }
  return bytesDone;
}

/** The bytes themselves. A plain manifest has no end that would tell a part from the whole, and the cache keeps it. */
async function* whole(stored: Chunks, size: number | undefined): Chunks & AsyncGenerator<Uint8Array> {
  let came = 0;
  for await (const chunk of stored) {
    came += chunk.length;
    yield chunk;
  }
  if (size !== undefined && came !== size) {
    throw new BackupError('damaged', `${came} bytes came of the ${size} that the target lists`);
  }
}
