/**
 * The part of a set that a run stored before it broke off, learnt from what it left in the archive cache: the sigtar
 * so far, and beside it what lstat said of the entries. The catalog itself need not have survived.
 */

import { createReadStream } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import { BackupError, clauseOf } from '../errors.ts';
import type { Chunks } from '../streams.ts';
import { createSegmentWrapper } from '../volumes/envelope.ts';
import { gunzip } from '../volumes/gzip.ts';
import { endOfArchive, readSigtar } from '../volumes/sigtar.ts';
import type { Catalog } from './catalog.ts';
import { readFingerprints } from './fingerprint-file.ts';

/** Plain data; paths as latin1 strings, sizes in bytes. */
export interface PendingSet {
  /** A gzip file of whole records without its end; of the tar bytes in it, their length and CRC-32. */
  readonly signatures: {
    readonly file: string;
    readonly size: number;
    readonly length: number;
    readonly crc: number;
  };
  /** A line for every record that is no deletion. */
  readonly fingerprints: { readonly file: string; readonly size: number };
}

/** Writes what the pending set has so far; `beginSet` has been called. @throws BackupError `journal-damaged` */
export async function learnPending(
  catalog: Catalog,
  { signatures, fingerprints }: PendingSet,
): Promise<void> {
  const stats = readFingerprints(fingerprints.file, fingerprints.size);
  try {
    for await (const records of readSigtar(sigtarOf(signatures))) {
      for (const { path, kind, attributes, offset } of records) {
        if (kind === 'deleted') {
          catalog.remove(path);
          continue;
        }
        const signatureOffset = kind === 'signature' ? offset : undefined;
        const { size, stat } = await stats.next();
        catalog.put({ ...attributes, path, size }, stat, signatureOffset);
      }
    }
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'damaged') throw error;
    throw new BackupError('journal-damaged', clauseOf(error), {}, { cause: error });
  } finally {
    await stats.close();
  }
}

async function* sigtarOf(signatures: PendingSet['signatures']): Chunks & AsyncGenerator<Uint8Array> {
  const { file, size, length } = signatures;
  async function* whole(): Chunks & AsyncGenerator<Uint8Array> {
    yield* createReadStream(bytesOf(file), { end: size - 1, highWaterMark: 256 * 1024 });
    yield createSegmentWrapper({ form: 'gz', mtimeSeconds: 0 }).end(signatures);
  }
  yield* gunzip(whole());
  yield endOfArchive(length);
}
