/**
 * Where the packer runs: on a thread of its own where there is a second processor, so that reading and signing go on
 * while the main thread seals and sends, or where the source may hang, so that it does not hang the program; else
 * right here.
 */

import type { Piece } from '../catalog/versions.ts';
import { BackupError, type ErrorCode } from '../errors.ts';
import type { Report } from '../report.ts';
import type { DeriveKey, S2k } from '../volumes/openpgp-s2k.ts';
import { createAnswers } from './answers.ts';
import type { PackBatch, Passed } from './batch.ts';
import type { PackHost, PackJob, SourcePacker } from './pack-source.ts';
import { BEATS, packThreadPlace, startPackThread } from './pack-thread.ts';

export interface Packing {
  /** Slabs in `difftar` are lent until they come back through `recycle`; a batch without members has none. */
  readonly batches: AsyncIterable<PackBatch>;
  recycle(difftar: Uint8Array): void;
  /** The same for `sigtar`. */
  recycleRecords(sigtar: Uint8Array): void;
  /** The set is complete at the target: the catalog is to say so. @param pieces of the set's cached sigtar */
  commit(pieces: readonly Piece[]): Promise<void>;
  /** Where the packer has a thread of its own: once all is read that has time for keys, and then this resolves. */
  readonly deriver?: Promise<DeriveKey>;
}

/** A packer that waits for its job: a thread takes a while to start, which other work can hide. */
export interface Packer {
  /** To be called once; again only when it failed before its first batch. @param passed hears of large deltas */
  start(job: PackJob, passed?: (passed: Passed) => void): Packing;
  /** A number that changes while the source answers. */
  beats(): number;
  /**
   * Ends it, also in the middle; without a commit the catalog forgets the set. A thread that hangs is left behind, and
   * keeps the process alive.
   */
  close(): Promise<void>;
}

export interface PackerOptions extends Omit<PackHost, 'beat' | 'passed' | 'readAhead'> {
  /** Whether it gets a thread of its own. */
  readonly ownThread: boolean;
  /** Whether that may have others read for it. */
  readonly readsAhead: boolean;
  /** Most that are under way: in the packer's hand, waiting, and being deflated. */
  readonly slabs: number;
  /** Ends a wait for the next batch, whatever the source does. */
  readonly signal: AbortSignal;
}

export function createPacker(options: PackerOptions): Packer {
  return options.ownThread ? createThread(options) : createLocal(options);
}

function createLocal({ slabs, signal, ...options }: PackerOptions): Packer {
  let beats = 0;
  const beat = () => {
    beats++;
    signal.throwIfAborted();
  };
  const host = { ...options, beat };
  let opening: Promise<SourcePacker> | undefined;
  return {
    start(job, passed) {
      const before = opening?.then(
        packer => packer.close(),
        () => {},
      );
      const local = Promise.resolve(before).then(() => openLocal(job, slabs, { ...host, passed }));
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
        async recycleRecords(sigtar) {
          (await local).pool.giveBackRecords(sigtar);
        },
        async commit(pieces) {
          (await local).packer.commit(pieces);
        },
      };
    },
    beats: () => beats,
    async close() {
      const packer = await opening?.catch(() => undefined);
      packer?.close();
    },
  };
}

/** Loaded only here: the main thread needs none of it where there is another one. */
async function openLocal(job: PackJob, slabs: number, host: PackHost) {
  const { createSlabPool } = await import('./slab-pool.ts');
  const { openSourcePacker } = await import('./pack-source.ts');
  const pool = createSlabPool(slabs);
  return { pool, packer: await openSourcePacker(job, pool, host) };
}

/** What the thread says. */
export type PackMessage =
  | { readonly type: 'batch'; readonly batch: PackBatch }
  | { readonly type: 'end' | 'committed' }
  | { readonly type: 'report'; readonly report: Report }
  | { readonly type: 'passed'; readonly passed: Passed }
  | { readonly type: 'key'; readonly key: Uint8Array }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
  /** Something that nobody foresaw. */
  | { readonly type: 'crashed'; readonly message: string; readonly stack: string };

export interface PackStartRequest extends Pick<PackerOptions, 'slabs' | 'readsAhead'> {
  readonly type: 'start';
  readonly job: PackJob;
}

/** What the thread is told. */
export type PackRequest =
  | PackStartRequest
  | { readonly type: 'slab'; readonly slab: Uint8Array }
  | { readonly type: 'records'; readonly records: Uint8Array }
  | { readonly type: 'commit'; readonly pieces: readonly Piece[] }
  | {
      readonly type: 'derive';
      readonly passphrase: Uint8Array;
      readonly s2k: S2k;
      readonly keyLength: number;
    }
  | { readonly type: 'close' };

function createThread({ report, signal, slabs, readsAhead }: PackerOptions): Packer {
  const thread = packThreadPlace.take() ?? startPackThread(new URL('./pack-worker.js', import.meta.url));
  const { worker, shared } = thread;
  const arrived: PackMessage[] = [];
  let interruption: Error | undefined;
  let onPassed: ((passed: Passed) => void) | undefined;
  let wake: (() => void) | undefined;
  const keys = createAnswers<Uint8Array>();
  let onRead: (() => void) | undefined;
  const broken = () => interruption ?? thread.failure();
  const notify = () => {
    wake?.();
    wake = undefined;
    const failure = broken();
    if (failure) keys.fail(failure);
  };
  thread.onChange(notify);
  worker.on('message', (message: PackMessage) => {
    if (message.type === 'report') return report(message.report);
    if (message.type === 'passed') return onPassed?.(message.passed);
    if (message.type === 'key') return keys.give(message.key);
    if (message.type === 'end') onRead?.();
    arrived.push(message);
    notify();
  });
  const abort = () => {
    interruption = signal.reason;
    notify();
  };
  signal.addEventListener('abort', abort);
  const tell = (request: PackRequest, transfer: ArrayBuffer[] = []) => worker.postMessage(request, transfer);
  const deriveKey: DeriveKey = (passphrase, s2k, keyLength) => {
    const failure = broken();
    if (failure) return Promise.reject(failure);
    tell({ type: 'derive', passphrase, s2k, keyLength });
    return keys.next();
  };

  const next = async (): Promise<PackMessage> => {
    for (;;) {
      const message = arrived.shift();
      if (message?.type === 'failed') throw new BackupError(message.code, message.message);
      if (message?.type === 'crashed')
        throw Object.assign(new Error(message.message), { stack: message.stack });
      if (message) return message;
      const failure = broken();
      if (failure) throw failure;
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
  };
  return {
    start(job, passed) {
      onPassed = passed;
      worker.ref();
      tell({ type: 'start', job, slabs, readsAhead });
      return {
        batches: (async function* () {
          for (let message = await next(); message.type === 'batch'; message = await next())
            yield message.batch;
        })(),
        recycle(difftar) {
          if (!thread.hasExited()) tell({ type: 'slab', slab: difftar }, [difftar.buffer as ArrayBuffer]);
        },
        recycleRecords(sigtar) {
          if (!thread.hasExited()) tell({ type: 'records', records: sigtar }, [sigtar.buffer as ArrayBuffer]);
        },
        async commit(pieces) {
          tell({ type: 'commit', pieces });
          await next();
        },
        deriver: new Promise(resolve => {
          onRead = () => resolve(deriveKey);
        }),
      };
    },
    beats: () => Atomics.load(shared, BEATS),
    async close() {
      signal.removeEventListener('abort', abort);
      await thread.end();
    },
  };
}
