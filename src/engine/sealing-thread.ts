/** Seals volumes on a thread of its own, while others are reading, deflating and storing. */

import { Worker } from 'node:worker_threads';
import type { OpenSealer } from '../volumes/envelope.ts';
import { cipherTraits } from '../volumes/openpgp-session.ts';
import { endThread } from './end-thread.ts';
import { type SealAnswer, type SealRequest, whole } from './seal-messages.ts';

export interface SealingThread {
  readonly openSealer: OpenSealer;
  /** What is under way fails. */
  close(): Promise<void>;
}

/** The thread is started by the first message. */
export function createSealingThread(): SealingThread {
  let worker: Worker | undefined;
  let messages = 0;
  const waiting: { resolve(answer: SealAnswer): void; reject(error: Error): void }[] = [];
  let failure: Error | undefined;

  const fail = (error: Error) => {
    failure ??= error;
    for (const { reject } of waiting.splice(0)) reject(failure);
  };
  const start = () => {
    const started = new Worker(new URL('./seal-worker.js', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    started.on('message', (answer: SealAnswer) => waiting.shift()?.resolve(answer));
    started.on('error', fail);
    started.on('exit', () => fail(new Error('the sealing thread ended early')));
    return started;
  };
  const ask = (request: SealRequest, transfer: ArrayBuffer[] = []): Promise<SealAnswer> => {
    if (failure) return Promise.reject(failure);
    worker ??= start();
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      worker!.postMessage(request, transfer);
    });
  };

  return {
    openSealer(key, { random, ...options }) {
      const message = ++messages;
      const prefix = random(cipherTraits(key.algorithm).blockLength);
      let digest: string | undefined;
      return {
        start: async () => (await ask({ message, step: 'start', key, options, prefix })).bytes,
        async push(given) {
          const bytes = whole(given);
          return (await ask({ message, step: 'push', bytes }, [bytes.buffer as ArrayBuffer])).bytes;
        },
        async end() {
          const { bytes, sha1 } = await ask({ message, step: 'end' });
          digest = sha1;
          return bytes;
        },
        sha1: () => digest!,
      };
    },
    async close() {
      if (worker) await endThread(worker);
    },
  };
}
