/**
 * A limit of bytes per second that is kept smoothly: every piece waits for its moment, in the order of asking. What
 * was not used is saved up for a tenth of a second only, so a pause is not followed by a burst.
 */

import type { Chunks } from '../streams.ts';

/** Time as the storage sees it, handed in so that tests need not wait. */
export interface Clock {
  /** Milliseconds, from any start. */
  now(): number;
  /** @throws the signal's reason as soon as it fires */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

const SAVED_MS = 100;
const PIECES_PER_SECOND = 20;

export interface Throttle {
  /** Most bytes to ask for at once, so that the flow stays smooth. */
  readonly piece: number;
  /** Resolves when `bytes` may pass. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** @param bytesPerSecond above 0 */
export function createThrottle(bytesPerSecond: number, clock: Clock): Throttle {
  const piece = Math.max(1, Math.min(64 * 1024, Math.floor(bytesPerSecond / PIECES_PER_SECOND)));
  let paidUntil = Number.NEGATIVE_INFINITY; // when all that was taken so far has passed at the wanted rate
  return {
    piece,
    async take(bytes, signal) {
      const now = clock.now();
      paidUntil = Math.max(paidUntil, now - SAVED_MS) + (bytes * 1000) / bytesPerSecond;
      const wait = paidUntil - now;
      if (wait > 0) await clock.sleep(wait, signal);
    },
  };
}

/** The same bytes, no faster than the throttle lets pass. Chunks stay lent. */
export async function* throttled(
  source: Chunks | Iterable<Uint8Array>,
  throttle: Throttle,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    for (let offset = 0; offset < chunk.length; offset += throttle.piece) {
      const piece = chunk.subarray(offset, offset + throttle.piece);
      await throttle.take(piece.length, signal);
      yield piece;
    }
  }
}
