/**
 * A restore's thread as long as nobody has a job for it: see pack-thread.ts. Like that, a small file, which the launcher
 * loads before the rest.
 */

import { Worker } from 'node:worker_threads';
import { createRingMemory, createRingReader, createRingWriter, type RingMemory } from './byte-ring.ts';
import { endThread } from './end-thread.ts';
import { ownBuild } from './own-build.ts';
import { createThreadPlace } from './thread-place.ts';

/** The record that ends it. */
export const END = 0;

/** What it is given. */
export interface RestoreWorkerData {
  readonly ring: RingMemory;
  readonly beats: Int32Array;
}

export interface StartedRestoreThread extends RestoreWorkerData {
  readonly worker: Worker;
  /** Why it can't be used any more; undefined as long as it can. */
  failure(): Error | undefined;
  /** Called when that has changed. */
  onFailure(listener: (error: Error) => void): void;
  /** A thread that hangs is left behind, and keeps the process alive. */
  end(): Promise<void>;
}

/** @param file the launcher of its part of the bundle, or its module */
export function launchRestoreThread(file: string | URL): StartedRestoreThread {
  const ring = createRingMemory();
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(file, {
    argv: [ownBuild],
    workerData: { ring, beats } satisfies RestoreWorkerData,
    resourceLimits: { maxYoungGenerationSizeMb: 2 },
  });
  worker.unref(); // until it has a job, it keeps nobody from leaving
  let failure: Error | undefined;
  let listener = (_: Error) => {};
  const fail = (error: Error) => {
    failure ??= error;
    listener(failure);
  };
  worker.on('error', fail);
  worker.on('exit', () => {
    fail(new Error('the thread that writes ended early'));
    createRingReader(ring).end(); // out of memory it ends without a word to who waits for room
  });
  return {
    worker,
    ring,
    beats,
    failure: () => failure,
    onFailure(heard) {
      listener = heard;
    },
    async end() {
      worker.ref();
      if (!failure) createRingWriter(ring).push(END, 0);
      await endThread(worker);
    },
  };
}

/** For the launcher, which begins with it, and the program, which has a job for it. */
export const restoreThreadPlace = createThreadPlace<StartedRestoreThread>('restore');
