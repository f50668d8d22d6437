/** Where the launcher leaves a thread for the program: it is loaded apart from all else, and shares no module with that. */

export interface ThreadPlace<T> {
  leave(thread: T): void;
  /** The thread that the launcher has left, once. */
  take(): T | undefined;
}

export function createThreadPlace<T>(name: string): ThreadPlace<T> {
  const place = Symbol.for(`tsbackup: a ${name} thread without a job`);
  const places = globalThis as unknown as Record<symbol, T | undefined>;
  return {
    leave(thread) {
      places[place] = thread;
    },
    take() {
      const thread = places[place];
      places[place] = undefined;
      return thread;
    },
  };
}
