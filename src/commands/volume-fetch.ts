/**
 * A volume's stored bytes, proved against the manifest before one of them is used: a local file is read twice, what
 * comes over a network is kept in a temporary file (unnamed, mode 0600) meanwhile.
 */

import { createHash } from 'node:crypto';
import { createSpool, type Spool } from '../engine/spool.ts';
import { BackupError } from '../errors.ts';
import type { VolumeEntry } from '../manifest/manifest.ts';
import type { Storage } from '../storage/storage.ts';
import type { Chunks } from '../streams.ts';

export interface WantedVolume {
  /** Name of the object. */
  readonly object: string;
  readonly entry: VolumeEntry;
  /** For people. */
  readonly name: string;
}

export interface FetchedVolume {
  /** Whether the manifest has a checksum, and the bytes agree with it. */
  readonly isProved: boolean;
  /** The stored bytes. @param isLast whether they will not be read again */
  read(isLast: boolean): Chunks;
}

/** @throws BackupError `volume-missing`, `volume-damaged`, or of the storage */
export async function fetchVolume(
  storage: Storage,
  volume: WantedVolume,
  tempdir: string,
  signal: AbortSignal,
): Promise<FetchedVolume> {
  const bytes = () => storage.get(volume.object, { signal });
  if (storage.localPath) {
    const isProved = await prove(bytes(), volume, () => {});
    return { isProved, read: bytes };
  }
  const spool = createSpool(tempdir);
  try {
    const isProved = await prove(bytes(), volume, chunk => spool.push(chunk));
    return { isProved, read: isLast => readSpool(spool, isLast) };
  } catch (error) {
    spool.close();
    throw error;
  }
}

async function* readSpool(spool: Spool, isLast: boolean): Chunks & AsyncGenerator<Uint8Array> {
  const slab = Buffer.allocUnsafeSlow(256 * 1024);
  try {
    for (let at = 0; at < spool.size; ) {
      const read = spool.read(at, slab);
      yield slab.subarray(0, read);
      at += read;
    }
  } finally {
    if (isLast) spool.close();
  }
}

/** @returns false if the manifest has no checksum */
async function prove(
  stored: Chunks,
  { entry, name }: WantedVolume,
  keep: (chunk: Uint8Array) => void,
): Promise<boolean> {
  const expected = entry.sha1 ?? entry.md5;
  const hash = createHash(entry.sha1 === undefined ? 'md5' : 'sha1');
  try {
    for await (const chunk of stored) {
      hash.update(chunk);
      keep(chunk);
    }
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'object-missing') throw error;
    throw new BackupError('volume-missing', `${name} is not at the target`, {}, { cause: error });
  }
  if (expected !== undefined && hash.digest('hex') !== expected) {
    throw new BackupError('volume-damaged', `${name} is damaged: its checksum is not that of the manifest`);
  }
  return expected !== undefined;
}
