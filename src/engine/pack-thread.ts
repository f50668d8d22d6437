/**
 * The packer's thread as long as nobody has a job for it. It takes longer to start than the program itself, so the
 * launcher begins with it where the command line is clearly that of a backup, and leaves it here for the packer. It
 * stays a small file: the launcher is loaded before the rest.
 */

import { Worker } from 'node:worker_threads';
import { ownBuild } from './own-build.ts';
import { createThreadPlace } from './thread-place.ts';

/** Numbers that are shared with the thread: not 0 once the run is to end, which wakes a thread that waits; its beats. */
export const ENDING = 0;
export const BEATS = 1;

/** How long a thread that is asked to end may take, and then once more; it may hang in a system call on the source. */
const PATIENCE_MS = 3000;

export interface PackThread {
  readonly worker: Worker;
  readonly shared: Int32Array;
  /** Why it can't be used any more; undefined as long as it can. */
  failure(): Error | undefined;
  hasExited(): boolean;
  /** Called when what these say has changed. */
  onChange(listener: () => void): void;
  /** Also in the middle of its work. A thread that hangs is left behind, and keeps the process alive. */
  end(): Promise<void>;
}

/** @param file the launcher of its part of the bundle, or its module */
export function startPackThread(file: string | URL): PackThread {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(file, {
    argv: [ownBuild],
    // A thread's heap starts large; this one works in slabs and needs little.
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 1024 },
    workerData: shared,
  });
  worker.unref(); // until it has a job, it keeps nobody from leaving
  let failure: Error | undefined;
  let hasExited = false;
  let listener = () => {};
  let giveUp!: () => void;
  const exited = new Promise<void>(resolve => {
    giveUp = resolve;
    worker.on('exit', () => {
      hasExited = true;
      failure ??= new Error('the packer thread ended early');
      listener();
      resolve();
    });
  });
  worker.on('error', error => {
    failure ??= error;
    listener();
  });
  return {
    worker,
    shared,
    failure: () => failure,
    hasExited: () => hasExited,
    onChange(heard) {
      listener = heard;
    },
    async end() {
      Atomics.store(shared, ENDING, 1);
      Atomics.notify(shared, ENDING);
      if (!hasExited) worker.postMessage({ type: 'close' });
      worker.ref();
      const timers = [
        setTimeout(() => void worker.terminate(), PATIENCE_MS),
        setTimeout(giveUp, 2 * PATIENCE_MS), // not even that ends a thread that a system call holds
      ];
      await exited;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** For the launcher, which begins with it, and the program, which has a job for it. */
export const packThreadPlace = createThreadPlace<PackThread>('packer');
