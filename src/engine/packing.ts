/**
 * Where the packer runs: on a thread of its own where there is a second processor, so that reading and signing go on
 * while the main thread seals and sends, and a source that hangs does not hang the program; else right here.
 */

import { Worker } from 'node:worker_threads';
import type { Piece } from '../catalog/catalog.ts';
import { BackupError, type ErrorCode } from '../errors.ts';
import type { PackBatch } from './batch.ts';
import type { PackJob, SourcePacker } from './pack-source.ts';

export interface Packing {
  /** Slabs in `difftar` are lent until they come back through `recycle`; a batch without members has none. */
  readonly batches: AsyncIterable<PackBatch>;
  recycle(difftar: Uint8Array): void;
  /** The set is complete at the target: the catalog is to say so. @param pieces of the set's cached sigtar */
  commit(pieces: readonly Piece[]): Promise<void>;
}

/** Slabs under way: in the packer's hand, waiting, and being deflated. */
const SLABS = 10;

/** How long a thread that is asked to end may take; it may hang in a system call on the source. */
const PATIENCE_MS = 3000;

/** A packer that waits for its job: a thread takes a while to start, which other work can hide. */
export interface Packer {
  /** To be called once; again only when it failed before its first batch. */
  start(job: PackJob): Packing;
  /** Ends it, also in the middle; without a commit the catalog forgets the set. */
  close(): Promise<void>;
}

/** @param cores processors that may be used */
export function createPacker(cores: number): Packer {
  return cores > 1 ? createThread() : createLocal();
}

function createLocal(): Packer {
  let opening: Promise<SourcePacker> | undefined;
  return {
    start(job) {
      const before = opening?.then(
        packer => packer.close(),
        () => {},
      );
      const local = Promise.resolve(before).then(() => openLocal(job));
      local.catch(() => {}); // who asks for batches hears of it
      opening = local.then(({ packer }) => packer);
      opening.catch(() => {});
      return {
        batches: (async function* () {
          yield* (await local).packer.batches;
        })(),
        async recycle(difftar) {
          (await local).pool.giveBack(difftar);
        },
        async commit(pieces) {
          (await local).packer.commit(pieces);
        },
      };
    },
    async close() {
      const packer = await opening?.catch(() => undefined);
      packer?.close();
    },
  };
}

/** Loaded only here: the main thread needs none of it where there is another one. */
async function openLocal(job: PackJob) {
  const { createSlabPool } = await import('./slab-pool.ts');
  const { openSourcePacker } = await import('./pack-source.ts');
  const pool = createSlabPool(SLABS);
  return { pool, packer: await openSourcePacker(job, pool) };
}

/** What the thread says. */
export type PackMessage =
  | { readonly type: 'batch'; readonly batch: PackBatch }
  | { readonly type: 'end' | 'committed' }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
  /** Something that nobody foresaw. */
  | { readonly type: 'crashed'; readonly message: string; readonly stack: string };

/** What the thread is told. */
export type PackRequest =
  | { readonly type: 'start'; readonly job: PackJob; readonly slabs: number }
  | { readonly type: 'slab'; readonly slab: Uint8Array }
  | { readonly type: 'commit'; readonly pieces: readonly Piece[] }
  | { readonly type: 'close' };

function createThread(): Packer {
  const worker = new Worker(new URL('./pack-worker.js', import.meta.url), {
    // A thread's heap starts large; this one works in slabs and needs little.
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
  worker.unref(); // until it has a job, it keeps nobody from leaving
  const arrived: PackMessage[] = [];
  let failure: Error | undefined;
  let hasExited = false;
  let wake: (() => void) | undefined;
  const notify = () => {
    wake?.();
    wake = undefined;
  };
  const exited = new Promise<void>(resolve => {
    worker.on('exit', () => {
      hasExited = true;
      failure ??= new Error('the packer thread ended early');
      notify();
      resolve();
    });
  });
  worker.on('message', (message: PackMessage) => {
    arrived.push(message);
    notify();
  });
  worker.on('error', error => {
    failure ??= error;
    notify();
  });
  const tell = (request: PackRequest, transfer: ArrayBuffer[] = []) => worker.postMessage(request, transfer);

  const next = async (): Promise<PackMessage> => {
    for (;;) {
      const message = arrived.shift();
      if (message?.type === 'failed') throw new BackupError(message.code, message.message);
      if (message?.type === 'crashed')
        throw Object.assign(new Error(message.message), { stack: message.stack });
      if (message) return message;
      if (failure) throw failure;
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
  };
  return {
    start(job) {
      worker.ref();
      tell({ type: 'start', job, slabs: SLABS });
      return {
        batches: (async function* () {
          for (let message = await next(); message.type === 'batch'; message = await next())
            yield message.batch;
        })(),
        recycle(difftar) {
          if (!hasExited) tell({ type: 'slab', slab: difftar }, [difftar.buffer as ArrayBuffer]);
        },
        async commit(pieces) {
          tell({ type: 'commit', pieces });
          await next();
        },
      };
    },
    async close() {
      if (!hasExited) tell({ type: 'close' });
      const timer = setTimeout(() => void worker.terminate(), PATIENCE_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}
