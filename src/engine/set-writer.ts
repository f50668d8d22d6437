/**
 * The metadata of a set that is being written: its signatures and manifest grow as partial files in the archive cache
 * and become objects at the target at the end. The manifest goes last, because it is what makes the set count; only
 * then do the partial files get their final names, so a cache never knows a set that the target does not. A journal
 * beside them tells a later run how to go on if this one breaks off.
 */

import { createHash } from 'node:crypto';
import type { ArchiveCache, Extent, PartialFile } from '../cache/archive-cache.ts';
import type { Piece } from '../catalog/versions.ts';
import {
  formatChecksum,
  formatFilelistHeader,
  formatHeader,
  formatIncomplete,
  formatVolume,
} from '../manifest/manifest.ts';
import { manifestName, signaturesName } from '../manifest/names.ts';
import type { Storage } from '../storage/storage.ts';
import type { Chunks } from '../streams.ts';
import { createDeflater, type Deflater } from '../volumes/deflate.ts';
import {
  createEnvelope,
  createSegmentWrapper,
  type EnvelopeOptions,
  type WrapOptions,
} from '../volumes/envelope.ts';
import { gunzip } from '../volumes/gzip.ts';
import { endOfArchive } from '../volumes/sigtar.ts';
import type { OpenFile, PackBatch, Place } from './batch.ts';
import { type Counts, createCounts } from './counts.ts';
import { Growable } from './growable.ts';
import {
  formatCheckpoint,
  formatJournalHeader,
  type Journal,
  type JournalHeader,
  partialNames,
  type SetMark,
} from './journal.ts';
import { tidied } from './tidy.ts';
import type { StoredVolume } from './volumes.ts';

export interface SetWriterOptions {
  readonly cache: ArchiveCache;
  readonly storage: Storage;
  readonly header: JournalHeader;
  /** The journal of a run that broke off, whose last checkpoint is where this one goes on. */
  readonly journal?: Journal | undefined;
  /** How one object is enveloped. */
  envelope(): Promise<EnvelopeOptions>;
  readonly signal: AbortSignal;
}

export interface SetWriter {
  /** Takes what a batch says besides its members; in order. */
  add(batch: PackBatch): Promise<void>;
  /** What is true of the set with all that was added. */
  mark(): Promise<SetMark>;
  /** A volume that is at the target; in order. Once this is done a later run can go on from there. */
  volumeStored(volume: StoredVolume): Promise<void>;
  /**
   * Puts signatures and manifest: after this the set is complete.
   * @param mayCount asked while the signatures travel; throws where the set is not to be completed, and they go again
   * @param learn tells the catalog, given the pieces of the cached sigtar; what it would need to find out for itself is
   *   kept until then
   */
  commit(steps: {
    readonly mayCount?: () => Promise<void>;
    readonly learn: (pieces: readonly Piece[]) => Promise<void>;
  }): Promise<void>;
  /** Whether the manifest may be at the target: from then on the set counts, whatever fails afterwards. */
  readonly mayBeComplete: boolean;
  /** Whether a later run can continue the set. */
  readonly isResumable: boolean;
  /** Nobody is to continue the set. */
  discard(): void;
  /** Closes files; removes them unless a later run needs them. */
  close(): Promise<void>;
}

/** Sigtar bytes that are deflated in one piece, decodable without what stands before. */
const PIECE = 256 * 1024;

/** The last volume is followed by the commit at once: a small one is sooner sent again than noted down. */
const WORTH_A_CHECKPOINT = 2 ** 20;

export async function createSetWriter(options: SetWriterOptions): Promise<SetWriter> {
  const { cache, storage, header, signal } = options;
  const { set, prefixes, form } = header;
  const names = partialNames(set, prefixes);
  const done = options.journal?.checkpoints ?? [];
  const from = done.at(-1);
  const open: PartialFile[] = [];
  /** A new file, or what a run that broke off is known to have written of it. */
  const openAt = async (name: string, extent: Extent | undefined) => {
    if (!extent) await cache.removePartial(name);
    const file = await cache.openPartial(name);
    open.push(file);
    if (extent) await file.cutBack(extent);
    return file;
  };
  const [manifest, signatures, filelist, fingerprints, journal] = await Promise.all([
    openAt(names.manifest, from?.manifest),
    openAt(names.signatures, from?.mark.signatures.file),
    openAt(names.filelist, from?.mark.filelist.file),
    openAt(names.fingerprints, from?.mark.fingerprints.file),
    openAt(names.journal, from && options.journal!.extentOf(done.length)),
  ]);
  let filelistLines = from?.mark.filelist.lines ?? 0;
  let incomplete: string[] = [];
  let end: Place = from?.mark.end ?? { path: '' };
  let openFile: OpenFile | undefined = from?.mark.open;
  let counts: Readonly<Counts> = from?.mark.counts ?? createCounts();

  const deflater: Deflater = createDeflater({ dictionary: false, after: from?.mark.signatures });
  const gzip = createSegmentWrapper({ form: 'gz', mtimeSeconds: 0 });
  const sum = createHash('sha256');
  const appendToManifest = async (bytes: Uint8Array) => {
    sum.update(bytes);
    await manifest.append(bytes);
  };
  if (from) {
    for await (const bytes of cache.readPartial(names.manifest, { signal })) sum.update(bytes);
  } else {
    await journal.append(formatJournalHeader(header));
    await appendToManifest(formatHeader(header));
    await signatures.append(gzip.start());
  }
  const pieces: Piece[] = done.flatMap(({ mark }) => mark.pieces);
  let markedPieces = pieces.length;
  const pending = new Growable(PIECE);
  let spare: Buffer | undefined; // what was deflated last; records are gathered in two buffers by turns

  const flushSignatures = async () => {
    if (pending.length === 0) return;
    const plainOffset = deflater.length;
    const gzipOffset = signatures.size;
    const piece = pending.swap(spare ?? Buffer.allocUnsafeSlow(PIECE));
    spare = undefined;
    await signatures.append(gzip.push(await deflater.push(piece)));
    spare = Buffer.from(piece.buffer);
    pieces.push({ plainOffset, gzipOffset, gzipEnd: signatures.size });
  };
  const addSignatures = async (bytes: Uint8Array) => {
    if (bytes.length === 0) return;
    pending.push(bytes);
    if (pending.length >= PIECE) await flushSignatures();
  };

  /** The signatures as they go to the target: the deflated pieces are those of the cache, only their frame differs. */
  async function* remoteSignatures(): Chunks & AsyncGenerator<Uint8Array> {
    const stored = cache.readPartial(names.signatures, { signal });
    if (form === 'gz') yield* stored;
    else if (form === 'plain') yield* gunzip(stored);
    else {
      const how = await options.envelope();
      if ('signer' in how && how.signer) return yield* sealed(gunzip(stored), how);
      const wrapper = createSegmentWrapper(how as WrapOptions);
      yield wrapper.start();
      for await (const bytes of inner(stored, GZIP_HEADER, signatures.size - GZIP_END))
        yield wrapper.push(bytes);
      yield wrapper.end(deflater);
    }
  }

  async function* remoteManifest(): Chunks & AsyncGenerator<Uint8Array> {
    const plain = cache.readPartial(names.manifest, { signal });
    if (form !== 'gpg') yield* plain;
    else yield* sealed(plain, await options.envelope());
  }

  /** Sealed on the way: bytes as they were read, encrypted, and in packets. */
  const put = (name: string, source: Chunks) =>
    storage.put(name, tidied(source, 3), { signal, kind: 'metadata' });
  const closeAll = async () => {
    for (const file of open.splice(0)) await file.close();
  };

  let mayBeComplete = false;
  let isDone = false;
  let isResumable = from !== undefined;
  return {
    get mayBeComplete() {
      return mayBeComplete;
    },
    get isResumable() {
      return isResumable;
    },
    async add(batch) {
      await addSignatures(batch.sigtar);
      if (batch.filelist.length > 0) await filelist.append(batch.filelist);
      if (batch.fingerprints.length > 0) await fingerprints.append(batch.fingerprints);
      filelistLines += batch.filelistLines;
      incomplete.push(...batch.incomplete);
      end = batch.last ?? end;
      openFile = batch.last ? batch.open : openFile;
      counts = batch.counts;
    },
    async mark() {
      await flushSignatures(); // so that the file can be cut here
      const mark: SetMark = {
        end,
        open: openFile,
        counts,
        signatures: { file: signatures.extent, length: deflater.length, crc: deflater.crc },
        pieces: pieces.slice(markedPieces),
        filelist: { file: filelist.extent, lines: filelistLines },
        fingerprints: { file: fingerprints.extent },
        incomplete,
      };
      markedPieces = pieces.length;
      incomplete = [];
      return mark;
    },
    async volumeStored({ number, start, end, sha1, size, mark, isLast }) {
      await appendToManifest(formatVolume({ number, start, end, sha1 }));
      for (const path of mark.incomplete) await appendToManifest(formatIncomplete(path));
      if (isLast && size < WORTH_A_CHECKPOINT) return;
      await Promise.all([manifest, signatures, filelist, fingerprints].map(file => file.sync()));
      await journal.append(formatCheckpoint({ volume: number, size, manifest: manifest.extent, mark }));
      await journal.sync();
      isResumable = true;
    },
    async commit({ mayCount, learn }) {
      await addSignatures(endOfArchive(deflater.length + pending.length));
      await flushSignatures();
      await signatures.append(gzip.end(deflater));
      const sigtar = signaturesName(set, form, prefixes);
      const sent = put(sigtar, remoteSignatures());
      sent.catch(() => {}); // it is reported when its turn comes
      await mayCount?.().catch(async error => {
        await sent.then(() => storage.delete(sigtar)).catch(() => {}); // the first failure is the one to tell
        throw error;
      });
      await sent;
      const head = formatFilelistHeader(filelistLines);
      sum.update(head);
      for await (const bytes of cache.readPartial(names.filelist)) sum.update(bytes);
      await manifest.append(formatChecksum(sum.digest('hex')));
      await manifest.append(head);
      for await (const bytes of cache.readPartial(names.filelist)) await manifest.append(bytes);
      // Once the set counts, these are all that is needed of it here, whatever breaks off.
      await Promise.all([manifest, signatures].map(file => file.sync()));
      mayBeComplete = true;
      await put(manifestName(set, form === 'gpg' ? 'gpg' : 'plain', prefixes), remoteManifest());
      await closeAll();
      await cache.publish([names.signatures, names.manifest].map(name => [name, name]));
      await learn(pieces);
      isDone = true;
    },
    discard() {
      isResumable = false;
    },
    async close() {
      await closeAll();
      if (!isDone && (isResumable || mayBeComplete)) return;
      for (const name of Object.values(names)) await cache.removePartial(name);
    },
  };
}

async function* sealed(plain: Chunks, how: EnvelopeOptions): Chunks & AsyncGenerator<Uint8Array> {
  const envelope = createEnvelope(how);
  yield await envelope.start();
  for await (const bytes of plain) yield await envelope.push(bytes);
  yield await envelope.end();
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
