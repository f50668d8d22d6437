/**
 * When to try again, and after how long: exponential backoff with full jitter, bounded by a number of attempts for
 * failures that the service answered with, and by time for silence (an uplink that drops comes back). What the service
 * asks for (Retry-After) is honoured. Time and chance are handed in.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from './throttle.ts';

export interface RetryPolicy {
  /** Attempts in total while the service answers, however badly. */
  readonly attempts: number;
  /** Every retry begins within so many milliseconds of the first failure. */
  readonly budgetMs: number;
}

export interface RetryHost extends Clock {
  /** From 0 up to, but not, 1. */
  random(): number;
}

/** What a failure means: never try again; within the number of attempts; as long as the time lasts. */
export interface Verdict {
  readonly retry: 'never' | 'counted' | 'timed';
  /** The service's own wish, milliseconds. */
  readonly afterMs?: number;
  /** The service is overloaded: wait longer. */
  readonly slowDown?: boolean;
}

export interface Retry {
  /** Which attempt failed, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
}

/** One piece of work that may take several attempts. */
export interface Trial {
  /**
   * Waits until the next attempt may begin.
   * @throws `error` when it is the last word, the signal's reason when that fires
   */
  failed(
    error: unknown,
    verdict: Verdict,
    onRetry: (retry: Retry) => void,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Something got done since: the next failure counts as the first. */
  progressed(): void;
}

const FIRST_MS = 500;
const FIRST_SLOW_MS = 2000;
const LONGEST_MS = 20_000; // a returned uplink is noticed soon enough

export function createTrial(policy: RetryPolicy, host: RetryHost): Trial {
  let attempt = 0;
  let answered = 0; // silence that was outlived costs none of the attempts
  let since = 0;
  return {
    async failed(error, { retry, afterMs = 0, slowDown = false }, onRetry, signal) {
      const now = host.now();
      if (attempt === 0) since = now;
      attempt++;
      if (retry === 'counted') answered++;
      if (retry === 'never' || (retry === 'counted' && answered >= policy.attempts)) throw error;
      const ceiling = Math.min(
        LONGEST_MS,
        (slowDown ? FIRST_SLOW_MS : FIRST_MS) * 2 ** Math.min(attempt - 1, 16),
      );
      const delayMs = Math.round(afterMs + host.random() * ceiling);
      if (now - since + delayMs > policy.budgetMs) throw error;
      onRetry({ attempt, delayMs });
      await host.sleep(delayMs, signal);
    },
    progressed() {
      attempt = 0;
      answered = 0;
    },
  };
}

/** The real clock and chance. */
export const realHost: RetryHost = {
  now: () => performance.now(),
  random: Math.random,
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal ? { signal } : {});
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};
