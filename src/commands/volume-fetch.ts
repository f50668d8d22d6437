/**
 * A volume's stored bytes, proved against the manifest before one of them is used: a small one is kept in memory
 * meanwhile, a local file is read twice, what comes over a network is kept in a temporary file (unnamed, mode 0600).
 */

import { createHash } from 'node:crypto';
import { pathOf } from '../bytes.ts';
import type { FileHasher } from '../engine/restore-thread.ts';
import { createSpool, type Spool } from '../engine/spool.ts';
import { BackupError, clauseOf, systemCode } from '../errors.ts';
import type { VolumeEntry } from '../manifest/manifest.ts';
import type { Storage } from '../storage/storage.ts';
import type { Chunks } from '../streams.ts';
import type { Host } from './host.ts';
import { readAgain } from './read-again.ts';
import { during, type Watchdog } from './watchdog.ts';

export interface WantedVolume {
  readonly object: { readonly name: string; readonly size: number };
  readonly entry: VolumeEntry;
  /** For people. */
  readonly name: string;
}

export interface FetchedVolume {
  /** Whether the manifest has a checksum, and the bytes agree with it. */
  readonly isProved: boolean;
  /** The stored bytes. @param isLast whether they will not be read again @param chunk about so many at once */
  read(isLast: boolean, chunk: number | undefined): Chunks;
}

export interface VolumeFetcher {
  /** @throws BackupError `volume-missing`, `volume-damaged`, or of the storage */
  fetch(volume: WantedVolume): Promise<FetchedVolume>;
  /** Begins to fetch a volume that will be wanted next. */
  prefetch(volume: WantedVolume): void;
  close(): Promise<void>;
}

/** So many bytes are kept in memory; a thread or a file for them would cost more. */
const SMALL = 1024 * 1024;
/** Of all volumes that are read side by side: a chain may have hundreds of sets. */
const MOST_KEPT = 8 * SMALL;

/** @param hasher proves local files, if there is one */
export function createVolumeFetcher(
  storage: Storage,
  hasher: FileHasher | undefined,
  { tempdir, signal, watchdog }: Pick<Host, 'signal' | 'watchdog'> & { readonly tempdir: string },
): VolumeFetcher {
  const ahead = new Map<string, Promise<FetchedVolume>>();
  const spools = new Set<Spool>();
  let keptBytes = 0;

  const begin = async (volume: WantedVolume): Promise<FetchedVolume> => {
    const { name, size } = volume.object;
    const hasChecksum = isSummed(volume.entry);
    const bytes = (_isLast?: boolean, chunk?: number) => storage.get(name, { signal, chunk, hasChecksum });
    const isKept = size <= SMALL && keptBytes + size <= MOST_KEPT;
    if (!isKept && storage.localPath) {
      const path = storage.localPath(volume.object.name);
      const isProved =
        path && hasher
          ? await proveFile(hasher, path, volume, bytes, watchdog)
          : await proveVolume(bytes(), volume);
      return { isProved, read: bytes };
    }
    const inMemory = isKept ? size : 0;
    keptBytes += inMemory;
    const spool = createSpool(tempdir, inMemory);
    spools.add(spool);
    const close = () => {
      if (spools.delete(spool)) keptBytes -= inMemory;
      spool.close();
    };
    const all = storage.get(name, { signal, hasChecksum, ...(isKept && { length: SMALL }) });
    const isProved = await proveVolume(all, volume, chunk => spool.push(chunk)).catch(error => {
      close();
      throw error;
    });
    return {
      isProved,
      read: (isLast, chunk = SLAB) => readSpool(spool, chunk, isLast ? close : undefined),
    };
  };
  const start = (volume: WantedVolume) => readAgain(storage, () => begin(volume));
  return {
    fetch(volume) {
      const begun = ahead.get(volume.object.name);
      ahead.delete(volume.object.name);
      return begun ?? start(volume);
    },
    prefetch(volume) {
      if (ahead.has(volume.object.name)) return;
      const begun = start(volume);
      begun.catch(() => {}); // who fetches it hears of it
      ahead.set(volume.object.name, begun);
    },
    async close() {
      await Promise.allSettled(ahead.values());
      for (const spool of spools) spool.close();
    },
  };
}

/** Proves a local file on the other thread; whatever goes wrong there is found, and explained, by reading it here. */
async function proveFile(
  hasher: FileHasher,
  path: Uint8Array,
  volume: WantedVolume,
  bytes: () => Chunks,
  watchdog: Watchdog,
): Promise<boolean> {
  const { sha1, md5 } = volume.entry;
  const expected = sha1 ?? md5;
  if (expected === undefined) return false;
  try {
    const digest = hasher.digest(pathOf(path), sha1 === undefined ? 'md5' : 'sha1');
    if ((await during(watchdog, 'working at the target', digest, hasher.beats)) === expected) return true;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
  return proveVolume(bytes(), volume);
}

const SLAB = 256 * 1024;

/** @param end called at the end, however that comes */
async function* readSpool(
  spool: Spool,
  chunk: number,
  end: (() => void) | undefined,
): Chunks & AsyncGenerator<Uint8Array> {
  const slab = Buffer.allocUnsafeSlow(Math.min(chunk, spool.size));
  try {
    for (let at = 0; at < spool.size; ) {
      const read = spool.read(at, slab);
      yield slab.subarray(0, read);
      at += read;
    }
  } finally {
    end?.();
  }
}

/** Whether the manifest has a checksum of a volume. */
export function isSummed({ sha1, md5 }: VolumeEntry): boolean {
  return (sha1 ?? md5) !== undefined;
}

/** @returns false if the manifest has no checksum */
export async function proveVolume(
  stored: Chunks,
  { entry, name }: WantedVolume,
  keep: (chunk: Uint8Array) => void = () => {},
): Promise<boolean> {
  const expected = entry.sha1 ?? entry.md5;
  const hash = createHash(entry.sha1 === undefined ? 'md5' : 'sha1');
  try {
    for await (const chunk of stored) {
      hash.update(chunk);
      keep(chunk);
    }
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    const cause = { cause: error };
    if (error.code === 'object-missing')
      throw new BackupError('volume-missing', `${name} is not at the target`, {}, cause);
    if (error.code === 'damaged')
      throw new BackupError('volume-damaged', `${name} is damaged: ${clauseOf(error)}`, {}, cause);
    throw error;
  }
  if (expected !== undefined && hash.digest('hex') !== expected) {
    throw new BackupError('volume-damaged', `${name} is damaged: its checksum is not that of the manifest`);
  }
  return expected !== undefined;
}
