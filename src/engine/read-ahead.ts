/**
 * Small files are read on threads of their own before the packer comes to them, where all else waits for the packer: with
 * many of them most of its time goes into opening and reading, and a disk is asked for one thing at a time. What a thread
 * has read counts only if the file was then what the walk had found; else, and on any trouble, the packer opens it
 * itself, with the patience and the messages that it has.
 */

import { Worker } from 'node:worker_threads';
import { comparePaths } from '../bytes.ts';
import { messageOf } from '../errors.ts';
import type { ReadableFile } from '../files/read.ts';
import type { SourceEntry } from '../files/walk.ts';
import type { Report } from '../report.ts';
import {
  createRingMemory,
  createRingReader,
  createRingWriter,
  type RingReader,
  type RingWriter,
} from './byte-ring.ts';
import { monotonicMs } from './monotonic.ts';
import { ownBuild } from './own-build.ts';
import type { PlanItem } from './plan-item.ts';
import {
  ANSWER_HEAD,
  answers,
  encodeRequest,
  HAS_CHANGED,
  IS_FRESH,
  LARGEST_FILE,
  LONGEST_PATH,
  type ReadAheadData,
  requestLength,
  requests,
} from './read-ahead-records.ts';

export interface ReadAhead {
  /** The plan, of which some is held back while its files are being read. */
  over(plan: Iterable<readonly PlanItem[]>): Iterable<readonly PlanItem[]>;
  /**
   * A file of the plan, in its order; to be closed before the next one is taken.
   * @returns undefined if the packer is to open it itself
   */
  take(entry: SourceEntry): ReadableFile | undefined;
  /** Told after each batch. @param isAwaited whether others have nothing to do until the next one */
  batchDone(isAwaited: boolean): void;
  /** Ends the threads; also in the middle. */
  close(): void;
}

export interface ReadAheadOptions {
  /** Called now and then while a thread is waited for; may throw, which ends that. */
  checkEnd(): void;
  report(report: Report): void;
  /** So many awaited batches of many small files are worth a thread; default 12. */
  readonly batches?: number;
}

interface ReadingThread {
  readonly worker: Worker;
  readonly requests: RingWriter;
  readonly answers: RingReader;
  /** Requests of which it may not know. */
  untold: number;
}

const BATCHES = 12;
const MANY = 16;
/** A second one pays where they wait for a disk; where all is in memory it takes processor time from others. */
const MOST_THREADS = 2;
/** Items that are held back. */
const AHEAD = 256;
/** So many requests are worth waking a thread. */
const TOGETHER = 96;
/** Bytes of the rings: all requests under way fit in, so that none is waited for. */
const REQUESTS = 1024 * 1024;
const ANSWERS = 512 * 1024;
/** For so long a thread may be silent before all are given up: a disk may have to spin up. */
const PATIENCE_MS = 15_000;
const PAUSE_MS = 100;

/** @param source its root, bytes as a latin1 string */
export function createReadAhead(
  source: string,
  { checkEnd, report, batches = BATCHES }: ReadAheadOptions,
): ReadAhead {
  const threads: ReadingThread[] = [];
  /** What is under way, oldest first. */
  const asked: { readonly entry: SourceEntry; readonly thread: ReadingThread }[] = [];
  let isGivenUp = false;
  let turns = 0;

  let files = 0; // small ones, of the batch under way
  let awaited = 0; // batches of many files; others that were not count against them
  let slow = 0; // batches in a row for which the threads took most of the time
  let batchBegan = monotonicMs();
  let waitedMs = 0; // in the batch under way
  const isActive = () => awaited >= batches && !isGivenUp;

  function tell(message: string): void {
    report({ level: 'debug', code: 'read-ahead', message });
  }

  function giveUp(why: string): void {
    if (!isGivenUp) tell(`Files are not read ahead any more: ${why}.`);
    isGivenUp = true;
  }

  function start(): void {
    tell(`Small files are read ahead by thread ${threads.length + 1}.`);
    const requestRing = createRingMemory(REQUESTS);
    const answerRing = createRingMemory(ANSWERS);
    const worker = new Worker(new URL('./read-ahead-worker.js', import.meta.url), {
      argv: [ownBuild],
      workerData: { source, requestRing, answerRing } satisfies ReadAheadData,
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    worker.unref();
    worker.on('error', error => giveUp(messageOf(error)));
    worker.on('exit', () => giveUp('a thread has ended'));
    threads.push({
      worker,
      requests: createRingWriter(requestRing),
      answers: createRingReader(answerRing),
      untold: 0,
    });
  }

  /** Asks one thread for the files among the items; another one will be asked for the next. */
  function ask(items: readonly PlanItem[]): void {
    const wanted = items.filter(isSmallFile);
    files += wanted.length;
    if (wanted.length === 0 || !isActive()) return;
    if (threads.length === 0) start();
    const thread = threads[turns++ % threads.length]!;
    for (const { entry } of wanted) {
      thread.requests.push(requests.read, requestLength(entry), to => encodeRequest(entry, to), false);
      asked.push({ entry, thread });
    }
    thread.untold += wanted.length;
    if (thread.untold >= TOGETHER) tellAll(thread);
  }

  function tellAll(thread: ReadingThread): void {
    thread.requests.flush();
    thread.untold = 0;
  }

  /** The next answer of a thread; undefined when the threads are given up. */
  function answerOf(thread: ReadingThread) {
    const { answers: given } = thread;
    const ready = given.peek();
    if (ready) return ready;
    tellAll(thread);
    const began = monotonicMs();
    try {
      while (!isGivenUp) {
        given.wait(PAUSE_MS);
        const record = given.peek();
        if (record) return record;
        checkEnd();
        if (monotonicMs() - began >= PATIENCE_MS) giveUp('a thread does not answer');
      }
      return undefined;
    } finally {
      waitedMs += monotonicMs() - began;
    }
  }

  return {
    *over(plan) {
      const held: (readonly PlanItem[])[] = [];
      let count = 0;
      for (const items of plan) {
        ask(items);
        held.push(items);
        count += items.length;
        while (held.length > 0 && (count > AHEAD || !isActive())) {
          const oldest = held.shift()!;
          count -= oldest.length;
          yield oldest;
        }
      }
      yield* held;
    },
    take(wanted) {
      while (asked.length > 0 && comparePaths(asked[0]!.entry.path, wanted.path) <= 0) {
        const { entry, thread } = asked[0]!;
        const record = answerOf(thread);
        if (!record) return undefined;
        asked.shift();
        const { release } = thread.answers;
        if (entry === wanted && record.type === answers.read) return fileOf(record.bytes, release);
        release(); // nobody opened it, or nothing came of it
      }
      return undefined;
    },
    batchDone(isAwaited) {
      const now = monotonicMs();
      if (!isAwaited) awaited = Math.max(0, awaited - 1);
      else if (files >= MANY) awaited = Math.min(2 * batches, awaited + 1);
      slow = 2 * waitedMs > now - batchBegan ? slow + 1 : 0;
      if (slow >= batches && threads.length < MOST_THREADS && !isGivenUp) {
        start();
        slow = 0;
      }
      batchBegan = now;
      waitedMs = files = 0;
    },
    close() {
      isGivenUp = true;
      for (const thread of threads.splice(0)) {
        thread.answers.end(); // first, for it may wait for room
        thread.requests.push(requests.end, 0);
        thread.worker.ref(); // a thread that is terminated at its work can take the process with it
      }
    },
  };
}

function isSmallFile(item: PlanItem): item is Extract<PlanItem, { kind: 'new' | 'replaced' | 'changed' }> {
  if (item.kind !== 'new' && item.kind !== 'replaced' && item.kind !== 'changed') return false;
  const { type, size, path } = item.entry;
  return type === 'file' && size <= LARGEST_FILE && path.length <= LONGEST_PATH;
}

/** @param answer valid until it is released */
function fileOf(answer: Uint8Array, release: () => void): ReadableFile {
  const flags = answer[0]!;
  const content = answer.subarray(ANSWER_HEAD);
  let at = 0;
  let isOpen = true;
  return {
    isFresh: (flags & IS_FRESH) !== 0,
    hasChanged: () => (flags & HAS_CHANGED) !== 0,
    readInto(target, offset, length) {
      const part = content.subarray(at, at + length);
      target.set(part, offset);
      at += part.length;
      return part.length;
    },
    close() {
      if (isOpen) release();
      isOpen = false;
    },
  };
}
