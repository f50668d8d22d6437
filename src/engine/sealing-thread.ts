/** Seals volumes on a thread of its own, while others are reading, deflating and storing. */

import { Worker } from 'node:worker_threads';
import type { Buffers, OpenSealer } from '../volumes/envelope.ts';
import { createSealedContent } from '../volumes/openpgp-seal.ts';
import { createAnswers } from './answers.ts';
import { endThread } from './end-thread.ts';
import { isOwnThread, ownBuild } from './own-build.ts';
import { goesRound, ROUND_LENGTH, type SealAnswer, type SealRequest, whole } from './seal-messages.ts';

export interface SealingThread {
  readonly openSealer: OpenSealer;
  /** Not where the program was replaced since it began. */
  canStart(): boolean;
  /** Starts the thread, which takes a while; else the first message does. */
  start(): void;
  /** What is under way fails. */
  close(): Promise<void>;
}

const LAUNCHER = new URL('./seal-worker.js', import.meta.url);

/** More are not kept: they only pile up while the target is slow. */
const MOST_SPARE = 2;

export function createSealingThread(): SealingThread {
  let worker: Worker | undefined;
  let messages = 0;
  const answers = createAnswers<SealAnswer>();
  let failure: Error | undefined;

  const fail = (error: Error) => {
    failure ??= error;
    answers.fail(failure);
  };
  const start = () => {
    if (worker) return;
    worker = new Worker(LAUNCHER, {
      argv: [ownBuild],
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    worker.on('message', answers.give);
    worker.on('error', fail);
    worker.on('exit', () => fail(new Error('the sealing thread ended early')));
  };
  const ask = (request: SealRequest, transfer: ArrayBuffer[] = []): Promise<SealAnswer> => {
    if (failure) return Promise.reject(failure);
    start();
    worker!.postMessage(request, transfer);
    return answers.next();
  };

  const spare: ArrayBufferLike[] = [];
  const buffers: Buffers = {
    take(length) {
      if (length > ROUND_LENGTH) return Buffer.allocUnsafeSlow(length);
      const buffer = spare.pop();
      return buffer
        ? Buffer.from(buffer as ArrayBuffer, 0, length)
        : Buffer.allocUnsafeSlow(ROUND_LENGTH).subarray(0, length);
    },
    give(bytes) {
      if (!goesRound(bytes) || spare.length === MOST_SPARE) return false;
      spare.push(bytes.buffer);
      return true;
    },
  };

  return {
    canStart: () => worker !== undefined || isOwnThread(LAUNCHER),
    start,
    openSealer(key, options) {
      const message = ++messages;
      const content = createSealedContent(key, options); // here, for encrypting takes longer than all else
      let digest: string | undefined;
      return {
        start: async () => (await ask({ message, step: 'start', key, bytes: content.start() })).bytes,
        async push(given) {
          const bytes = whole(content.push(given));
          return (await ask({ message, step: 'push', bytes }, [bytes.buffer as ArrayBuffer])).bytes;
        },
        async end() {
          const { bytes, sha1 } = await ask({ message, step: 'end', bytes: content.end() });
          digest = sha1;
          return bytes;
        },
        sha1: () => digest!,
        buffers,
      };
    },
    async close() {
      if (worker) await endThread(worker);
    },
  };
}
