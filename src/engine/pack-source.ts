/** One source from walk to batches; runs on whatever thread it is called. */

import { setImmediate as turn } from 'node:timers/promises';
import type { Catalog } from '../catalog/catalog.ts';
import { type CatalogedSet, openChainCatalog, removeCatalog } from '../catalog/chain-catalog.ts';
import { catalogFailure } from '../catalog/failure.ts';
import { fingerprintOf, hasStableInodes } from '../catalog/fingerprint.ts';
import { learnPending, type PendingSet } from '../catalog/pending.ts';
import { createSignatureReader } from '../catalog/signatures.ts';
import type { Piece, TreePlace } from '../catalog/versions.ts';
import { BackupError } from '../errors.ts';
import { createAnchors } from '../files/anchors.ts';
import { createIdNames } from '../files/ids.ts';
import { createPatience, type PatienceOptions } from '../files/patience.ts';
import { openSource } from '../files/read.ts';
import { createSelection } from '../files/select.ts';
import type { SelectionRule } from '../files/select-rules.ts';
import {
  asOpened,
  checkRoot,
  type FileIdentity,
  fileSystemTypeOf,
  type WalkStart,
  walk,
} from '../files/walk.ts';
import { createKernel } from '../rsync/kernel.ts';
import type { OpenFile, PackBatch, Passed, Place } from './batch.ts';
import { collate } from './collate.ts';
import type { Counts } from './counts.ts';
import { monotonicMs } from './monotonic.ts';
import { type PackStart, pack } from './pack.ts';
import { createReadAhead, type ReadAheadOptions } from './read-ahead.ts';
import type { Recorder } from './recorder.ts';
import type { SlabPool } from './slab-pool.ts';

/** What to pack; plain data, so that it can go to a thread. */
export interface PackJob {
  /** Bytes as a latin1 string, as the user gave it. */
  readonly source: string;
  /** What to take of it; everything if there are no rules. */
  readonly selection: readonly SelectionRule[];
  /** Left out of it all the same. */
  readonly except?: readonly FileIdentity[] | undefined;
  /** The catalog's path as a latin1 string. */
  readonly catalog: string;
  /** The chain that the set continues, oldest first; empty for a full set. */
  readonly sets: readonly CatalogedSet[];
  /** Of the new set. */
  readonly time: number;
  /** Upper limit of the signature block length, bytes; very large files pass it. */
  readonly maxBlockLength: number;
  /** Of the source's root, if that is a folder and it is known. */
  readonly device?: bigint | undefined;
  /** How long a source that is away is waited for. */
  readonly retryForMs: number;
  readonly resume?: PackResume | undefined;
}

/** What a run that broke off has stored of the set. */
export interface PackResume {
  /** The last member; `open` is the file in the middle of which it ends, if it does. */
  readonly end: Place;
  readonly open?: OpenFile | undefined;
  readonly counts: Readonly<Counts>;
  readonly pending: PendingSet;
}

export interface SourcePacker {
  readonly batches: AsyncIterable<PackBatch>;
  /** The set is complete: the catalog may say so. @param pieces of the set's cached sigtar */
  commit(pieces: readonly Piece[]): void;
  close(): void;
}

/** How the thread that packs waits, and tells so. */
export interface PackHost extends Pick<PatienceOptions, 'beat' | 'pause' | 'report'> {
  readonly passed?: ((passed: Passed) => void) | undefined;
  /** Where there are processors for threads that read ahead. */
  readonly readAhead?: ReadAheadOptions | undefined;
}

export async function openSourcePacker(job: PackJob, pool: SlabPool, host: PackHost): Promise<SourcePacker> {
  const { source, device, retryForMs } = job;
  const explain = (error: unknown) => {
    throw catalogFailure(error, job.catalog);
  };
  const catalog = await openChainCatalog(job.catalog, job.sets).catch(explain);
  const fileOf = new Map(job.sets.map(({ time, file }) => [time, file]));
  const signatures = createSignatureReader(catalog, set => fileOf.get(catalog.timeOfSet(set))!);

  const ahead = host.readAhead && createReadAhead(source, host.readAhead);

  async function* batches(): AsyncGenerator<PackBatch, void, undefined> {
    const { place, from } = await begin(catalog, job).catch(explain);
    const patience = createPatience(source, device, { ...host, retryForMs, now: monotonicMs });
    const stableInodes = hasStableInodes(fileSystemTypeOf(source, patience));
    const names = createIdNames();
    const anchors = createAnchors(source);
    const selection = job.selection.length > 0 ? createSelection(job.selection, source) : undefined;
    const plan = collate(
      walk(source, { ...selection, except: job.except, names, patience, from }),
      catalog.entries(place),
      {
        stableInodes,
        timeOfSet: catalog.timeOfSet,
        localUid: ({ uid, uname }) => (uname === '' ? uid : (names.uid(uname) ?? uid)),
        localGid: ({ gid, gname }) => (gname === '' ? gid : (names.gid(gname) ?? gid)),
      },
    );
    const packed = pack(ahead?.over(plan) ?? plan, {
      kernel: createKernel(),
      open(listed) {
        const read = ahead?.take(listed);
        if (read) return { file: read, entry: listed };
        const file = openSource(anchors, listed.path, patience);
        return { file, entry: asOpened(listed, file.stats, names) };
      },
      signatureAt: signatures.at,
      buffers: pool,
      maxBlockLength: job.maxBlockLength,
      recorder: createCatalogRecorder(catalog, stableInodes),
      fingerprintOf: entry => fingerprintOf(entry, stableInodes),
      resume: job.resume && startOf(job.resume),
      passed: passed => host.passed?.(passed),
    });
    try {
      for await (const batch of packed) {
        // A source that has gone must not become a batch that says so: a later run may go on from there.
        if (device !== undefined) checkRoot(source, device, patience);
        yield batch;
        if (ahead) {
          await turn(); // in which slabs come back that nobody needs any more
          ahead.batchDone(pool.underWay() <= 2); // the one at hand, and the one that has just gone out
        }
        await pool.ready();
      }
    } catch (error) {
      explain(error);
    } finally {
      ahead?.close();
    }
  }

  return {
    batches: batches(),
    commit(pieces) {
      try {
        for (const piece of pieces) catalog.addPiece(piece);
        catalog.completeSet();
      } catch (error) {
        const failure = catalogFailure(error, job.catalog);
        if (!(failure instanceof BackupError) || failure.code !== 'catalog-damaged') throw failure;
        removeCatalog(job.catalog); // the set is complete whatever becomes of its index
      }
    },
    close() {
      ahead?.close();
      signatures.close();
      catalog.close();
    },
  };
}

/**
 * Begins the set; if a run that broke off has stored some of it, the catalog learns that.
 * @returns where that ends, and where to walk on
 */
async function begin(
  catalog: Catalog,
  { time, resume }: PackJob,
): Promise<{ readonly place?: TreePlace; readonly from?: WalkStart }> {
  catalog.beginSet(time);
  if (!resume) return {};
  const { end, open, pending } = resume;
  await learnPending(catalog, pending);
  const place = { path: end.path, inclusive: open !== undefined };
  const noFolder = catalog.goOn(place);
  if (noFolder === undefined) return { place, from: { ...place, enter: true } };
  // What was gone, or no folder, when it was stored has nothing in it for this set, whatever it may be by now.
  return { place, from: { path: noFolder, inclusive: false, enter: false } };
}

function startOf({ end, open, counts, pending }: PackResume): PackStart {
  const cut = open && { ...open, path: end.path, parts: end.block! };
  return { counts, sigtarLength: pending.signatures.length, cut };
}

function createCatalogRecorder(catalog: Catalog, stableInodes: boolean): Recorder {
  return {
    stored: (entry, stat, signatureOffset) => catalog.put(entry, stat, signatureOffset),
    unchanged(entry, known, fingerprint) {
      if (known?.folder !== undefined) catalog.enter(entry.path, known.folder);
      if (entry.type !== 'file') return;
      const stat = fingerprint ?? fingerprintOf(entry, stableInodes);
      if (known?.stat !== stat) catalog.touch(entry.path, entry.size, stat);
    },
    removed: path => catalog.remove(path),
  };
}
