/**
 * The catalog of a chain, brought up to its last set: sets that it does not know yet (another program's, or all of
 * them after the catalog was lost) are learnt from their sigtars in the archive cache. While these are read they are
 * written anew in independent pieces, so that signatures can be picked out of them later.
 */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { bytesOf, comparePaths, displayPath } from '../bytes.ts';
import { BackupError, clauseOf } from '../errors.ts';
import { TEMPORARY_PREFIX } from '../storage/storage.ts';
import type { Chunks } from '../streams.ts';
import { createDeflater } from '../volumes/deflate.ts';
import { createSegmentWrapper } from '../volumes/envelope.ts';
import { gunzip } from '../volumes/gzip.ts';
import { readSigtar } from '../volumes/sigtar.ts';
import type { Catalog } from './catalog.ts';
import { doubtfulUpTo, later } from './doubtful.ts';
import { readFingerprints } from './fingerprint-file.ts';
import { openCatalog } from './open-catalog.ts';

/** A set of the chain with its cached signatures; paths as latin1 strings. */
export interface CatalogedSet {
  readonly time: number;
  readonly file: string;
  /** The copy of its manifest. */
  readonly manifest: string;
  /** Where the run that made it broke off before the catalog knew: what lstat said, see pending.ts. */
  readonly fingerprints?: string | undefined;
}

const PIECE = 256 * 1024;

/**
 * @param file the catalog's path as a latin1 string
 * @param sets the chain, oldest first
 * @throws BackupError `cache-damaged` when a set that the catalog does not know can't be learnt
 */
export async function openChainCatalog(file: string, sets: readonly CatalogedSet[]): Promise<Catalog> {
  let catalog = await openOrBegin(file);
  try {
    let known = catalog.completeSets();
    const current = catalog;
    if (!known.every((time, index) => time === sets[index]?.time && isIndexed(current, sets[index]))) {
      catalog.close(); // of another chain, of one that has lost its end, or of other copies of its signatures
      removeCatalog(file);
      catalog = await openOrBegin(file);
      known = [];
    }
    if (known.length === sets.length) return catalog;
    let doubtful = ''; // later sets may have changes of what is in doubt
    for (const [index, set] of sets.entries()) {
      doubtful = later(doubtful, await doubtfulUpTo(set.manifest));
      if (index >= known.length) await learn(catalog, set, doubtful, known.length === 0);
    }
    return catalog;
  } catch (error) {
    catalog.close();
    throw error;
  }
}

/** Whether the catalog's pieces are those of this copy: one that was made again has others. */
function isIndexed(catalog: Catalog, { time, file }: CatalogedSet): boolean {
  const end = catalog.endOfPieces(time);
  const found = statSync(bytesOf(file), { throwIfNoEntry: false });
  return end !== undefined && found !== undefined && found.size === end + GZIP_END;
}

/** Bytes of a gzip file of ours behind the last piece: the empty last block, CRC and length. */
const GZIP_END = 10;

/** A file that is no catalog, or a broken one, is no loss. */
async function openOrBegin(file: string): Promise<Catalog> {
  try {
    return await openCatalog(file);
  } catch {
    removeCatalog(file);
    return openCatalog(file);
  }
}

/** Removes a catalog with what SQLite keeps beside it. */
export function removeCatalog(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(bytesOf(file + suffix), { force: true });
}

/**
 * @param doubtful no signature up to this path is trusted
 * @param isNew whether all that the catalog says comes from signatures, so that what does not fit is their fault
 */
async function learn(
  catalog: Catalog,
  { time, file, fingerprints }: CatalogedSet,
  doubtful: string,
  isNew: boolean,
): Promise<void> {
  catalog.beginSet(time);
  const stats = fingerprints === undefined ? undefined : readFingerprints(fingerprints);
  const rewriter = createRewriter(catalog, file);
  try {
    const plain = rewriter.tee(gunzip(createReadStream(bytesOf(file), { highWaterMark: 256 * 1024 })));
    for await (const records of readSigtar(plain)) {
      for (const { path, kind, attributes, offset } of records) {
        if (kind === 'deleted') catalog.remove(path);
        else {
          const isTrusted = kind === 'signature' && comparePaths(path, doubtful) > 0;
          const signatureOffset = isTrusted ? offset : undefined;
          const { size, stat } = (await stats?.next()) ?? {};
          catalog.put({ ...attributes, path, size }, stat, signatureOffset);
        }
      }
      rewriter.boundary(records.at(-1)!.offset);
    }
    await rewriter.finish();
    catalog.completeSet();
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    const isUnfit = isNew && error.code === 'catalog-damaged';
    if (!isUnfit && error.code !== 'damaged') throw error;
    const reason = isUnfit ? 'it lacks folders of things that it names' : clauseOf(error);
    throw new BackupError(
      'cache-damaged',
      `${displayPath(file)} is damaged: ${reason}`,
      {},
      { cause: error },
    );
  } finally {
    await stats?.close();
    rewriter.close();
  }
}

/** Writes a sigtar that passes by as a gzip file in independent pieces, which begin where records begin. */
function createRewriter(catalog: Catalog, file: string) {
  // A name by which the archive cache clears what a run leaves that is killed.
  const temporary = `${file.slice(0, file.lastIndexOf('/') + 1)}${TEMPORARY_PREFIX}${randomBytes(12).toString('hex')}`;
  const fd = openSync(bytesOf(temporary), 'wx', 0o600);
  let isOpen = true;
  const deflater = createDeflater({ dictionary: false });
  const wrapper = createSegmentWrapper({ form: 'gz', mtimeSeconds: 0 });
  let written = 0;
  let held: Buffer[] = [];
  let heldFrom = 0; // where what is held begins in the tar bytes
  let heldLength = 0;
  let boundary = 0;

  const write = (bytes: Uint8Array) => {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    written += bytes.length;
  };
  const writePiece = async (length: number) => {
    const all = Buffer.concat(held);
    const gzipOffset = written;
    write(wrapper.push(await deflater.push(all.subarray(0, length))));
    catalog.addPiece({ plainOffset: heldFrom, gzipOffset, gzipEnd: written });
    held = [all.subarray(length)];
    heldFrom += length;
    heldLength -= length;
  };
  return {
    async *tee(plain: Chunks): Chunks & AsyncGenerator<Uint8Array> {
      write(wrapper.start());
      for await (const chunk of plain) {
        held.push(Buffer.from(chunk));
        heldLength += chunk.length;
        yield chunk;
        if (boundary - heldFrom >= PIECE) await writePiece(boundary - heldFrom);
      }
    },
    /** A record begins here; all before it have been seen. */
    boundary(offset: number) {
      boundary = offset;
    },
    async finish() {
      await writePiece(heldLength);
      write(wrapper.end(deflater));
      fsyncSync(fd);
      closeSync(fd);
      isOpen = false;
      renameSync(bytesOf(temporary), bytesOf(file));
    },
    close() {
      if (!isOpen) return;
      closeSync(fd);
      unlinkSync(bytesOf(temporary));
      isOpen = false;
    },
  };
}
