/**
 * A restore's second thread: it proves the next volume, derives its key, makes the sums of messages' integrity checks
 * and writes the tree, while the main thread opens what is proved.
 */

import { BackupError } from '../errors.ts';
import type { WriteProblem } from '../files/write.ts';
import type { Digest } from '../volumes/openpgp-open.ts';
import { type DeriveKey, deriveKeyInTurns } from '../volumes/openpgp-s2k.ts';
import { createAnswers } from './answers.ts';
import { createRingWriter, LARGEST_RECORD, type RingWriter } from './byte-ring.ts';
import type { TreeSink } from './replay.ts';
import {
  type DeriveRequest,
  encodeEntry,
  type HashRequest,
  type Placed,
  type RestoreAnswer,
  records,
  type WriteOptions,
  type WriteRequest,
} from './restore-records.ts';
import { launchRestoreThread, restoreThreadPlace, type StartedRestoreThread } from './restore-start.ts';

/** Digests of local files. */
export interface FileHasher {
  /** @param path bytes as a latin1 string @returns lower-case hex @throws a system error with its `code` */
  digest(path: string, algorithm: 'sha1' | 'md5'): Promise<string>;
  /** A number that changes while there is progress. */
  beats(): number;
}

/** Writes one tree. */
export interface TreeWriting extends TreeSink {
  /** The tree is done, or given up; to be called in any case. @throws BackupError `local-io` */
  close(): Promise<Placed>;
}

export interface RestoreThread extends FileHasher {
  /** A SHA-1 of bytes that come by and by; undefined where one is being made, or the thread has not begun. */
  sha1(): Digest | undefined;
  /** By the thread, if it has begun and can. */
  readonly deriveKey: DeriveKey;
  isStarted(): boolean;
  /** One tree at a time. @param target bytes as a latin1 string */
  write(target: string, options: WriteOptions, onProblem: (problem: WriteProblem) => void): TreeWriting;
  /** A thread that hangs is left behind, and keeps the process alive. */
  close(): Promise<void>;
}

/** Where there is a second processor. @param atOnce whether to start it now; else the first file to hash does */
export function startRestoreThread(cores: number, atOnce: boolean): RestoreThread | undefined {
  return cores < 2 ? undefined : createRestoreThread(atOnce);
}

/** What `set` does; but that copies single bytes into shared memory unless both places are aligned alike (6 times as slow). */
function copyShared(bytes: Uint8Array, to: Uint8Array): void {
  if (bytes.length > 0) Buffer.from(to.buffer, to.byteOffset, to.length).fill(bytes);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function createRestoreThread(atOnce: boolean): RestoreThread {
  let thread: StartedRestoreThread | undefined;
  let ring!: RingWriter;
  let lastId = 0;
  const waiting = new Map<number, { resolve(digest: string): void; reject(error: Error): void }>();
  const sums = createAnswers<Uint8Array>();
  const keys = createAnswers<Uint8Array | undefined>();
  let isSumming = false;
  let writing: { heard(answer: RestoreAnswer): void; fail(error: Error): void } | undefined;

  const fail = (error: Error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    sums.fail(error);
    keys.fail(error);
    writing?.fail(error);
  };
  const heard = (answer: RestoreAnswer) => {
    if (answer.type === 'sum') return sums.give(answer.sum);
    if (answer.type === 'key') return keys.give(answer.key);
    if (answer.type !== 'digest' && answer.type !== 'no-digest') return writing?.heard(answer);
    const { resolve, reject } = waiting.get(answer.id)!;
    waiting.delete(answer.id);
    if (answer.type === 'digest') resolve(answer.digest);
    else reject(Object.assign(new Error(answer.message), { code: answer.code }));
  };
  const adopt = (started: StartedRestoreThread) => {
    thread = started;
    ring = createRingWriter(started.ring);
    started.worker.ref();
    started.worker.on('message', heard);
    started.onFailure(fail);
  };
  const left = restoreThreadPlace.take();
  if (left) adopt(left);
  const checkThread = () => {
    const failure = thread!.failure();
    if (failure) throw failure;
  };
  const start = () => {
    if (!thread) adopt(launchRestoreThread(new URL('./restore-worker.js', import.meta.url)));
    checkThread();
  };
  const pushJson = (type: number, request: HashRequest | WriteRequest | DeriveRequest) => {
    start();
    const bytes = Buffer.from(JSON.stringify(request));
    ring.push(type, bytes.length, to => to.set(bytes));
  };

  /** As much of `bytes` from `at` on as fits into a record. @returns where it ends */
  const appendPart = (type: number, bytes: Uint8Array, at: number): number => {
    const end = Math.min(bytes.length, at + LARGEST_RECORD);
    ring.append(type, end - at, to => copyShared(bytes.subarray(at, end), to));
    return end;
  };

  if (atOnce) start();

  return {
    isStarted: () => thread !== undefined,
    digest(path, algorithm) {
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        pushJson(records.hash, { id, path, algorithm });
      });
    },
    sha1() {
      if (isSumming || !thread) return undefined;
      isSumming = true;
      const end = async (): Promise<Uint8Array> => {
        checkThread();
        isSumming = false;
        ring.push(records.sumEnd, 0);
        return sums.next();
      };
      let sum: Promise<Uint8Array> | undefined;
      return {
        update(bytes) {
          checkThread();
          for (let at = 0; at < bytes.length; ) at = appendPart(records.sum, bytes, at);
          return ring.whenRoom();
        },
        end: () => (sum ??= end()),
        close() {
          sum ??= end(); // what has begun is forgotten there
          sum.catch(() => {});
        },
      };
    },
    async deriveKey(passphrase, s2k, keyLength) {
      if (thread && !thread.failure()) {
        const salted = { ...s2k, salt: base64(s2k.salt) };
        pushJson(records.derive, { passphrase: base64(passphrase), s2k: salted, keyLength });
        const key = await keys.next();
        if (key) return key;
      }
      return deriveKeyInTurns(passphrase, s2k, keyLength);
    },
    beats: () => (thread ? Atomics.load(thread.beats, 0) : 0),
    write(target, options, onProblem) {
      pushJson(records.write, { target, options });
      let failure: Error | undefined;
      let settle!: { resolve(placed: Placed): void; reject(error: Error): void };
      const closed = new Promise<Placed>((resolve, reject) => {
        settle = { resolve, reject };
      });
      closed.catch(() => {}); // `close` tells
      writing = {
        fail(error) {
          failure ??= error;
          settle.reject(failure);
        },
        heard(answer) {
          if (answer.type === 'problem') onProblem(answer.problem);
          else if (answer.type === 'closed') {
            if (failure) settle.reject(failure);
            else settle.resolve(answer.placed);
          } else if (answer.type === 'failure') {
            const { code, message, facts } = answer;
            failure ??= code ? new BackupError(code, message, facts) : new Error(message);
          }
        },
      };
      const check = () => {
        if (failure) throw failure;
      };
      const send = async (bytes: Uint8Array, from: number): Promise<void> => {
        for (let at = from; at < bytes.length; ) {
          check();
          at = appendPart(records.data, bytes, at);
          await ring.whenRoom();
        }
      };
      return {
        begin(entry) {
          check();
          const encoded = encodeEntry(entry);
          if (encoded) {
            ring.push(records.begin, encoded.length, encoded.fill, false);
            return true;
          }
          ring.push(records.abandon, 0);
          const message = 'its name is too long';
          onProblem({ path: entry.path, systemCode: 'ENAMETOOLONG', message, restored: false });
          return false;
        },
        data(bytes) {
          check();
          const sent = appendPart(records.data, bytes, 0);
          const room = ring.whenRoom();
          if (sent < bytes.length) return Promise.resolve(room).then(() => send(bytes, sent));
          return room;
        },
        finish() {
          check();
          ring.push(records.finish, 0, undefined, false);
          return ring.whenRoom();
        },
        abandon: () => ring.push(records.abandon, 0, undefined, false),
        async close() {
          if (!thread!.failure()) ring.push(records.close, 0);
          return closed;
        },
      };
    },
    close: async () => thread?.end(),
  };
}
