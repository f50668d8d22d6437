/**
 * Manifests and signatures on their way into the archive cache, stopped where they can't be true. Nothing vouches for
 * those of an archive without encryption, and a few megabytes may unpack to more than the disk of the cache holds.
 */

import { BackupError } from '../errors.ts';
import { createManifestReader } from '../manifest/manifest-reader.ts';
import type { Chunks } from '../streams.ts';
import { createTarReader } from '../volumes/tar-reader.ts';

export type MetadataKind = 'manifest' | 'signatures';

/** What may come of an object: so many bytes in any case, or so many times as many as it has. */
const bounds = {
  // Names that resemble each other become thirty times shorter, checksums hardly.
  manifest: { least: 64 * 1024 * 1024, times: 256 },
  // The sums of a sparse file are all the same; deflate comes to 1032 at most.
  signatures: { least: 1024 * 1024 * 1024, times: 2048 },
} as const satisfies Record<MetadataKind, unknown>;

/** tar fills its last record up with zeros, of 10 KiB as a rule. */
const MOST_PADDING = 1024 * 1024;

/**
 * What `open` makes of an object's bytes.
 * @throws BackupError `damaged` for what unpacks to too much, or is nothing of its kind; of `open` and the source
 */
export async function* plausible(
  stored: Chunks,
  kind: MetadataKind,
  open: (stored: Chunks) => Chunks,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { least, times } = bounds[kind];
  let storedBytes = 0;
  let plainBytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of stored) {
      storedBytes += chunk.length;
      yield chunk;
    }
  }
  const read = kind === 'manifest' ? createManifestReader().push : createRecordTrial();
  for await (const chunk of open(counted())) {
    plainBytes += chunk.length;
    if (plainBytes > Math.max(least, times * storedBytes)) {
      throw new BackupError('damaged', `${storedBytes} bytes of it unpack to ${plainBytes} and more`);
    }
    read(chunk);
    yield chunk;
  }
}

function createRecordTrial(): (chunk: Uint8Array) => void {
  const tar = createTarReader({ member() {}, data() {}, memberEnd() {} });
  let behind = 0; // the end of the archive
  return chunk => {
    if (tar.hasEnded()) behind += chunk.length;
    if (behind > MOST_PADDING) throw new BackupError('damaged', 'signatures go on behind their end');
    tar.push(chunk);
  };
}
