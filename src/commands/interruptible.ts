/**
 * A storage as a run has it that may be told to end. A server that does not answer is asked again for a quarter of an
 * hour: none of that may keep a run that a signal has ended.
 */

import type { CallOptions, Storage } from '../storage/storage.ts';

/** For what is asked for after the signal, to clear up. */
const CLEAR_UP_MS = 2000;

/** The same storage; where no signal is given to a call it is this one. */
export function interruptible(storage: Storage, signal: AbortSignal): Storage {
  const until = (options: CallOptions = {}) => ({
    signal: signal.aborted ? AbortSignal.timeout(CLEAR_UP_MS) : signal,
    ...options,
  });
  return {
    ...storage,
    exists: options => storage.exists(until(options)),
    put: (name, source, options) => storage.put(name, source, until(options)),
    get: (name, options) => storage.get(name, until(options)),
    stat: (name, options) => storage.stat(name, until(options)),
    list: options => storage.list(until(options)),
    delete: (name, options) => storage.delete(name, until(options)),
    removeStale: options => storage.removeStale(until(options)),
  };
}
