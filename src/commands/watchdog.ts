/**
 * Sees to it that no run hangs for ever: while something is waited for, there must be progress now and then. What
 * counts is the waiting for the source and for a target that is a folder; S3 has time limits of its own, and a person
 * who types a passphrase, a thaw or an agreed wait for a sleeping drive may take their time.
 */

import { BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { Chunks } from '../streams.ts';
import { formatDuration } from '../text.ts';

export type Stage = 'reading the source' | 'working at the target';

/** Something that is being waited for, or rests. Begins at work. */
export interface Watched {
  work(): void;
  rest(): void;
  /** The outcome of the work, or the watchdog's error if there is no progress. */
  race<T>(work: Promise<T>): Promise<T>;
  end(): void;
}

export interface Watchdog {
  /** Fires when nothing has moved for too long; what was at work then fails with the same error. */
  readonly signal: AbortSignal;
  /** @param beats a number that changes while there is progress that nobody else sees */
  begin(stage: Stage, beats?: () => number): Watched;
  /** Nothing is held against anybody until the function is called that comes out. */
  pause(): () => void;
  close(): void;
}

/** After it has barked once, what is to end in order gets this long. */
const SECOND_TIMEOUT_MS = 60_000;
const MOST_CHECKS = 60;

/** @param timeoutMs 0: never */
export function createWatchdog(timeoutMs: number): Watchdog {
  const controller = new AbortController();
  const atWork = new Map<object, { readonly stage: Stage; beats(): number; seen: number }>();
  const stalls = new Set<(error: BackupError) => void>();
  let pauses = 0;
  let silentMs = 0;
  const moved = () => {
    silentMs = 0;
  };

  const intervalMs = Math.ceil(timeoutMs / MOST_CHECKS);
  const timer = timeoutMs > 0 ? setInterval(check, intervalMs).unref() : undefined;

  function check(): void {
    for (const work of atWork.values()) {
      const now = work.beats();
      if (now !== work.seen) moved();
      work.seen = now;
    }
    if (pauses > 0 || atWork.size === 0) moved();
    else silentMs += intervalMs; // counted, not read off a clock: a machine that sleeps makes no progress either
    const limit = controller.signal.aborted ? Math.min(timeoutMs, SECOND_TIMEOUT_MS) : timeoutMs;
    if (silentMs <= limit) return;
    moved();
    const error = stalled([...new Set([...atWork.values()].map(({ stage }) => stage))], timeoutMs);
    for (const stall of stalls) stall(error);
    controller.abort(error);
  }

  return {
    signal: controller.signal,
    begin(stage, beats = () => 0) {
      const key = {};
      const work = () => {
        moved();
        atWork.set(key, { stage, beats, seen: beats() });
      };
      const rest = () => {
        moved();
        atWork.delete(key);
      };
      let failure: BackupError | undefined;
      const waiting = new Set<(error: BackupError) => void>();
      const stall = (error: BackupError) => {
        if (!atWork.has(key)) return;
        failure ??= error;
        for (const fail of waiting) fail(error);
      };
      // Not Promise.race() with one promise for all: that would keep every outcome until the end.
      const race = <T>(promise: Promise<T>): Promise<T> =>
        new Promise((resolve, reject) => {
          if (failure) reject(failure);
          else waiting.add(reject);
          const settle = (work: () => void) => {
            waiting.delete(reject);
            work();
          };
          promise.then(
            value => settle(() => resolve(value)),
            error => settle(() => reject(error)),
          );
        });
      stalls.add(stall);
      work();
      return {
        work,
        rest,
        race,
        end() {
          rest();
          stalls.delete(stall);
        },
      };
    },
    pause() {
      pauses++;
      let isOver = false;
      return () => {
        if (!isOver) pauses--;
        isOver = true;
        moved();
      };
    },
    close: () => clearInterval(timer),
  };
}

function stalled(stages: readonly Stage[], timeoutMs: number): BackupError {
  return new BackupError(
    stages[0] === 'reading the source' ? 'source-unavailable' : 'target-unreachable',
    `No progress for ${formatDuration(timeoutMs / 1000)} while ${stages.join(' and ')}; the run is ended. --stall-timeout sets how long that may be.`,
  );
}

/** Watches one piece of work. */
export async function during<T>(
  watchdog: Watchdog,
  stage: Stage,
  work: Promise<T>,
  beats?: () => number,
): Promise<T> {
  const watched = watchdog.begin(stage, beats);
  try {
    return await watched.race(work);
  } finally {
    watched.end();
  }
}

/** The same items; each is watched until it is there. */
export async function* watchEach<T>(
  watchdog: Watchdog,
  stage: Stage,
  items: AsyncIterable<T>,
  beats?: () => number,
): AsyncGenerator<T, void, undefined> {
  const watched = watchdog.begin(stage, beats);
  const iterator = items[Symbol.asyncIterator]();
  let hangs = false;
  try {
    for (;;) {
      watched.work();
      hangs = true;
      const next = await watched.race(iterator.next());
      hangs = false;
      watched.rest();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    watched.end();
    const end = iterator.return?.();
    if (!hangs) await end;
    else end?.catch(() => {}); // it would wait for what hangs
  }
}

/** A storage that is a folder, watched; any other as it is. */
export function watchStorage(storage: Storage, watchdog: Watchdog): Storage {
  if (!storage.localPath) return storage;
  const target = 'working at the target';
  const watch = <T>(work: Promise<T>) => during(watchdog, target, work);
  return {
    ...storage,
    exists: options => watch(storage.exists(options)),
    stat: (name, options) => watch(storage.stat(name, options)),
    delete: (name, options) => watch(storage.delete(name, options)),
    removeStale: options => watch(storage.removeStale(options)),
    list: options => watchEach(watchdog, target, storage.list(options)),
    get: (name, options) => watchEach(watchdog, target, storage.get(name, options)),
    async put(name, source, options) {
      const watched = watchdog.begin(target);
      const bytes = source instanceof Uint8Array ? source : resting(source, watched);
      try {
        return await watched.race(storage.put(name, bytes, options));
      } finally {
        watched.end();
      }
    },
  };
}

/** While our bytes are waited for, the target is not to blame. */
async function* resting(source: Chunks, watched: Watched): Chunks & AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      watched.rest();
      const next = await iterator.next();
      watched.work();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
