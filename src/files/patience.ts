/**
 * Patience with a source that is away for a while: a network drive that wakes up, a server that restarts, a cable.
 * A call that fails with an error of that kind is tried again, at growing intervals. What tells a source that is away
 * from one thing in it that can't be read is its root: does that answer, the thing alone is at fault.
 */

import { statfsSync, statSync } from 'node:fs';
import { bytesOf, displayPath } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import type { Report } from '../report.ts';
import { formatDuration } from '../text.ts';
import { isEmptyFolder } from './folder-content.ts';
import { isAway, systemName } from './problem.ts';

export interface Patience {
  /**
   * Calls; while the source is away, waits and calls again.
   * @param again run before each further try: opens anew what was open
   * @throws what `work` throws in the end; BackupError `source-unavailable` when the root itself stays away,
   *   `source-unmounted` when another file system is there by now
   */
  call<T>(work: () => T, again?: () => void): T;
}

export interface PatienceOptions {
  /** How long the root is waited for, each time that it is away. */
  readonly retryForMs: number;
  /** Told of every call, so that somebody can see that there is progress. */
  beat(): void;
  /** Blocks. May throw, which ends the wait. */
  pause(ms: number): void;
  /** Milliseconds. */
  now(): number;
  report(report: Report): void;
}

/** All waits of a run for things that fail while the root answers; a disk may have thousands of bad sectors. */
const LONE_MS = 60_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

export const impatient: Patience = { call: work => work() };

/**
 * @param root latin1 path of the source
 * @param device of the root as it was found; another one means that it was unmounted
 */
export function createPatience(
  root: string,
  device: bigint | undefined,
  { retryForMs, beat, pause, now, report }: PatienceOptions,
): Patience {
  let loneMs = Math.min(LONE_MS, retryForMs);

  /** @returns whether the root answers */
  function answers(): boolean {
    try {
      checkDevice(root, device, askRoot(root));
      return true;
    } catch (error) {
      if (systemName(error) === undefined) throw error;
      return false;
    }
  }

  function persist<T>(first: unknown, work: () => T, again: () => void): T {
    const begun = now();
    let error = first;
    let wasAway = false;
    for (let delay = FIRST_PAUSE_MS; ; delay = Math.min(2 * delay, LONGEST_PAUSE_MS)) {
      const isThere = answers();
      if (isThere && wasAway) isBack(); // the one thing may fail for good, and the wait for the source is over
      wasAway &&= !isThere;
      const left = isThere ? loneMs : begun + retryForMs - now();
      if (left <= 0) throw isThere ? error : stayedAway(root, error, retryForMs);
      if (!isThere && !wasAway) report(waitingFor(error, retryForMs));
      wasAway ||= !isThere;
      const ms = Math.min(delay, left);
      pause(ms);
      if (isThere) loneMs -= ms;
      try {
        again();
        const result = work();
        if (wasAway) {
          answers(); // it may be another file system
          isBack();
        }
        return result;
      } catch (thrown) {
        if (!isAway(thrown)) {
          if (wasAway && answers()) isBack(); // a folder without its disk gives other errors than the disk
          throw thrown;
        }
        error = thrown;
      }
    }
  }

  /** Whoever was told to let the wait be has to hear that it is over. */
  function isBack(): void {
    report({ level: 'notice', code: 'source-back', message: 'The source answers again.' });
  }

  return {
    call(work, again = () => {}) {
      beat();
      try {
        return work();
      } catch (error) {
        if (!isAway(error)) throw error;
        return persist(error, work, again);
      }
    },
  };
}

/** Asks what no cache answers: a listing, and the state of the file system. @returns the device */
function askRoot(root: string): bigint {
  const path = bytesOf(root);
  const stats = statSync(path, { bigint: true });
  if (stats.isDirectory()) isEmptyFolder(path);
  statfsSync(path);
  return stats.dev;
}

/** @throws BackupError `source-unmounted` */
export function checkDevice(root: string, before: bigint | undefined, now: bigint): void {
  if (before === undefined || now === before) return;
  const path = displayPath(root);
  throw new BackupError(
    'source-unmounted',
    `${path} was unmounted while it was read. Nothing that it held is taken for deleted; run again when it is there.`,
    { path },
  );
}

export function waitingFor(error: unknown, retryForMs: number): Report {
  const message = `the source does not answer (${systemName(error)}); waiting up to ${formatDuration(retryForMs / 1000)}`;
  return { level: 'warning', code: 'source-away', message };
}

export function stayedAway(root: string, error: unknown, retryForMs: number): BackupError {
  const waited = retryForMs > 0 ? `, not within ${formatDuration(retryForMs / 1000)} either` : '';
  return new BackupError(
    'source-unavailable',
    `The source ${displayPath(root)} does not answer (${systemName(error)})${waited}. Nothing that it held is taken for deleted; run again when it is there.`,
    { path: displayPath(root), systemCode: systemName(error) ?? '' },
    { cause: error },
  );
}
