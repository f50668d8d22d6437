/** The few words about streams that all rooms share. Currency: AsyncIterable<Uint8Array>, chunks of 64 KiB to 1 MiB. */

import type { Hash } from 'node:crypto';

export type Chunks = AsyncIterable<Uint8Array>;

/** Works on up to `width` given items at once; yields results in source order; the first failure ends the run. */
export async function* mapOrdered<In, Out>(
  source: AsyncIterable<In> | Iterable<In>,
  width: number,
  work: (item: In) => Promise<Out>,
): AsyncGenerator<Out, void, undefined> {
  const inFlight: Promise<Out>[] = [];
  try {
    for await (const item of source) {
      const result = work(item);
      result.catch(() => {}); // it is reported when its turn comes
      inFlight.push(result);
      if (inFlight.length >= width) yield await inFlight.shift()!;
    }
    while (inFlight.length > 0) yield await inFlight.shift()!;
  } finally {
    await Promise.allSettled(inFlight); // nothing keeps running behind the caller's back
  }
}

/** The work's outcome, or the signal's reason as soon as it fires; what the work does then is nobody's business. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {}); // it may fail when nobody listens any more
  signal.throwIfAborted();
  let abort!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
  });
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** All bytes of a stream in one array; only for things that are known to be small. */
export async function collect(source: Chunks): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of source) parts.push(Uint8Array.from(chunk));
  return Buffer.concat(parts);
}

/** The same chunks, lent as they are; each goes into `hash` on the way. */
export async function* hashing(source: Chunks, hash: Hash): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}

/** A stream of the given chunks. */
export async function* fromChunks(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}
