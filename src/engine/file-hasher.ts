/** Digests of local files, made on a thread of their own. */

import { Worker } from 'node:worker_threads';
import { endThread } from './end-thread.ts';

export interface HashRequest {
  readonly id: number;
  readonly path: Uint8Array;
  readonly algorithm: string;
}

export type HashAnswer = { readonly id: number } & (
  | { readonly digest: string }
  | { readonly code: string; readonly message: string }
);

export interface FileHasher {
  /** @returns lower-case hex @throws a system error with its `code` */
  digest(path: Uint8Array, algorithm: 'sha1' | 'md5'): Promise<string>;
  /** A number that changes while there is progress. */
  beats(): number;
  /** A thread that hangs is left behind, and keeps the process alive. */
  close(): Promise<void>;
}

/** The thread is started by the first file. */
export function createFileHasher(): FileHasher {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  let worker: Worker | undefined;
  let lastId = 0;
  const waiting = new Map<number, { resolve(digest: string): void; reject(error: Error): void }>();

  const start = () => {
    const started = new Worker(new URL('./hash-worker.js', import.meta.url), {
      workerData: shared,
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    started.on('message', (answer: HashAnswer) => {
      const { resolve, reject } = waiting.get(answer.id)!;
      waiting.delete(answer.id);
      if ('digest' in answer) resolve(answer.digest);
      else reject(Object.assign(new Error(answer.message), { code: answer.code }));
    });
    const fail = (error: Error) => {
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    };
    started.on('error', fail);
    started.on('exit', () => fail(new Error('the hashing thread ended early')));
    return started;
  };
  return {
    digest(path, algorithm) {
      worker ??= start();
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker!.postMessage({ id, path, algorithm } satisfies HashRequest);
      });
    },
    beats: () => Atomics.load(shared, 0),
    async close() {
      if (worker) await endThread(worker);
    },
  };
}
