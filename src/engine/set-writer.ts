/**
 * The metadata of a set that is being written: its signatures and manifest grow as partial files in the archive cache
 * and become objects at the target at the end. The manifest goes last, because it is what makes the set count; only
 * then do the partial files get their final names, so a cache never knows a set that the target does not.
 */

import type { ArchiveCache, PartialFile } from '../cache/archive-cache.ts';
import type { Piece } from '../catalog/catalog.ts';
import { formatFilelistHeader, formatHeader, formatIncomplete, formatVolume } from '../manifest/manifest.ts';
import { cacheName, manifestName, type Prefixes, type SetId, signaturesName } from '../manifest/names.ts';
import type { Storage } from '../storage/storage.ts';
import type { Chunks } from '../streams.ts';
import { createDeflater, type Deflater } from '../volumes/deflate.ts';
import {
  createEnvelope,
  createSegmentWrapper,
  type EnvelopeForm,
  type EnvelopeOptions,
  type WrapOptions,
} from '../volumes/envelope.ts';
import { gunzip } from '../volumes/gzip.ts';
import { endOfArchive } from '../volumes/sigtar.ts';
import type { PackBatch } from './batch.ts';
import type { StoredVolume } from './volumes.ts';

export interface SetWriterOptions {
  readonly cache: ArchiveCache;
  readonly storage: Storage;
  readonly set: SetId;
  readonly prefixes: Prefixes;
  readonly hostname: string;
  /** As `canonicalLocaldir` gives it. */
  readonly localdir: string;
  readonly form: EnvelopeForm;
  /** How one object is enveloped. */
  envelope(): Promise<EnvelopeOptions>;
  readonly signal: AbortSignal;
}

export interface SetWriter {
  /** Takes what a batch says besides its members. */
  add(batch: PackBatch): Promise<void>;
  /** A volume that is at the target; in order. */
  volumeStored(volume: StoredVolume): Promise<void>;
  /** Puts signatures and manifest: after this the set is complete. @returns the pieces of the cached sigtar */
  commit(): Promise<readonly Piece[]>;
  /** Whether the manifest may be at the target: from then on the set counts, whatever fails afterwards. */
  readonly mayBeComplete: boolean;
  /** Closes files; what was not committed is removed. */
  close(): Promise<void>;
}

/** Sigtar bytes that are deflated in one piece, decodable without what stands before. */
const PIECE = 256 * 1024;

export async function createSetWriter(options: SetWriterOptions): Promise<SetWriter> {
  const { cache, storage, set, prefixes, signal } = options;
  const names = {
    manifest: cacheName('manifest', set, 'final', prefixes),
    signatures: cacheName('signatures', set, 'final', prefixes),
    filelist: `${cacheName('manifest', set, 'final', prefixes)}.filelist`,
  };
  const open: PartialFile[] = [];
  const openNew = async (name: string) => {
    await cache.removePartial(name);
    const file = await cache.openPartial(name);
    open.push(file);
    return file;
  };
  const manifest = await openNew(names.manifest);
  const signatures = await openNew(names.signatures);
  const filelist = await openNew(names.filelist);
  let filelistLines = 0;
  let incomplete: string[] = [];

  await manifest.append(formatHeader({ hostname: options.hostname, localdir: options.localdir }));
  const deflater: Deflater = createDeflater({ dictionary: false });
  const gzip = createSegmentWrapper({ form: 'gz', mtimeSeconds: 0 });
  await signatures.append(gzip.start());
  const pieces: Piece[] = [];
  let pending: Uint8Array[] = [];
  let pendingLength = 0;

  const flushSignatures = async () => {
    const piece = Buffer.concat(pending, pendingLength);
    const plainOffset = deflater.length;
    const gzipOffset = signatures.size;
    pending = [];
    pendingLength = 0;
    await signatures.append(gzip.push(await deflater.push(piece)));
    pieces.push({ plainOffset, gzipOffset, gzipEnd: signatures.size });
  };
  const addSignatures = async (bytes: Uint8Array) => {
    if (bytes.length === 0) return;
    pending.push(bytes);
    pendingLength += bytes.length;
    if (pendingLength >= PIECE) await flushSignatures();
  };

  /** The signatures as they go to the target: the deflated pieces are those of the cache, only their frame differs. */
  async function* remoteSignatures(): Chunks & AsyncGenerator<Uint8Array> {
    const stored = cache.readPartial(names.signatures, { signal });
    if (options.form === 'gz') yield* stored;
    else if (options.form === 'plain') yield* gunzip(stored);
    else {
      const wrapper = createSegmentWrapper((await options.envelope()) as WrapOptions);
      yield wrapper.start();
      for await (const bytes of inner(stored, GZIP_HEADER, signatures.size - GZIP_END))
        yield wrapper.push(bytes);
      yield wrapper.end(deflater);
    }
  }

  async function* remoteManifest(): Chunks & AsyncGenerator<Uint8Array> {
    const plain = cache.readPartial(names.manifest, { signal });
    if (options.form !== 'gpg') yield* plain;
    else {
      const envelope = createEnvelope(await options.envelope());
      yield envelope.start();
      for await (const bytes of plain) yield await envelope.push(bytes);
      yield await envelope.end();
    }
  }

  const put = (name: string, source: Chunks) => storage.put(name, source, { signal, kind: 'metadata' });
  const closeAll = async () => {
    for (const file of open.splice(0)) await file.close();
  };

  let mayBeComplete = false;
  return {
    get mayBeComplete() {
      return mayBeComplete;
    },
    async add(batch) {
      await addSignatures(batch.sigtar);
      if (batch.filelist.length > 0) await filelist.append(batch.filelist);
      filelistLines += batch.filelistLines;
      incomplete.push(...batch.incomplete);
    },
    async volumeStored({ number, start, end, sha1 }) {
      await manifest.append(formatVolume({ number, start, end, sha1 }));
      for (const path of incomplete) await manifest.append(formatIncomplete(path));
      incomplete = [];
    },
    async commit() {
      await addSignatures(endOfArchive(deflater.length + pendingLength));
      await flushSignatures();
      await signatures.append(gzip.end(deflater));
      await put(signaturesName(set, options.form, prefixes), remoteSignatures());
      await manifest.append(formatFilelistHeader(filelistLines));
      for await (const bytes of cache.readPartial(names.filelist)) await manifest.append(bytes);
      mayBeComplete = true;
      await put(manifestName(set, options.form === 'gpg' ? 'gpg' : 'plain', prefixes), remoteManifest());
      await closeAll();
      await cache.publish(names.signatures, names.signatures);
      await cache.publish(names.manifest, names.manifest);
      return pieces;
    },
    async close() {
      await closeAll();
      for (const name of Object.values(names)) await cache.removePartial(name);
    },
  };
}

/** Bytes of a gzip file around the segments: its header; the empty last block, CRC and length. */
const GZIP_HEADER = 10;
const GZIP_END = 10;

/** The bytes of a stream from one offset to another. */
async function* inner(source: Chunks, from: number, to: number): Chunks & AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const chunk of source) {
    const part = chunk.subarray(Math.max(0, from - at), Math.max(0, to - at));
    at += chunk.length;
    if (part.length > 0) yield part;
  }
}
