/**
 * Where the packer runs: on a thread of its own where there is a second processor, so that reading and signing go on
 * while the main thread seals and sends, and a source that hangs does not hang the program; else right here.
 */

import { Worker } from 'node:worker_threads';
import { BackupError, type ErrorCode } from '../errors.ts';
import type { PackBatch } from './batch.ts';
import { type PackJob, packSource } from './pack-source.ts';
import { createSlabPool } from './slab-pool.ts';

export interface Packing {
  /** Slabs in `difftar` are lent until they come back through `recycle`; a batch without members has none. */
  readonly batches: AsyncIterable<PackBatch>;
  recycle(difftar: Uint8Array): void;
  /** Ends the packer, also in the middle. */
  close(): Promise<void>;
}

/** Slabs under way: in the packer's hand, waiting, and being deflated. */
export const SLABS = 16;

/** @param cores processors that may be used */
export function startPacking(job: PackJob, cores: number): Packing {
  return cores > 1 ? packOnThread(job) : packHere(job);
}

function packHere(job: PackJob): Packing {
  const pool = createSlabPool(SLABS);
  return {
    batches: packSource(job, pool),
    recycle: pool.giveBack,
    close: async () => {},
  };
}

/** What the thread says. */
export type PackMessage =
  | { readonly type: 'batch'; readonly batch: PackBatch }
  | { readonly type: 'end' }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string };

function packOnThread(job: PackJob): Packing {
  const worker = new Worker(new URL('./pack-worker.js', import.meta.url), {
    workerData: { job, slabs: SLABS },
    // A thread's heap starts large; this one works in slabs and needs little.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  const arrived: PackMessage[] = [];
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const notify = () => {
    wake?.();
    wake = undefined;
  };
  worker.on('message', (message: PackMessage) => {
    arrived.push(message);
    notify();
  });
  const fail = (error: Error) => {
    failure ??= error;
    notify();
  };
  worker.on('error', fail);
  worker.on('exit', () => fail(new Error('the packer thread ended early')));

  async function* batches(): AsyncGenerator<PackBatch, void, undefined> {
    for (;;) {
      const message = arrived.shift();
      if (!message) {
        if (failure) throw failure;
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      } else if (message.type === 'batch') yield message.batch;
      else if (message.type === 'end') return;
      else throw new BackupError(message.code, message.message);
    }
  }

  return {
    batches: batches(),
    recycle(difftar) {
      if (difftar.length > 0) worker.postMessage(difftar, [difftar.buffer as ArrayBuffer]);
    },
    async close() {
      await worker.terminate();
    },
  };
}
