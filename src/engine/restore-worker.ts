/**
 * The thread of a restore: hashes files and what it is given, derives keys, and writes a tree, in turns, as the ring tells
 * it to.
 */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { bytesOf } from '../bytes.ts';
import { BackupError, messageOf, systemCode, tooManyFiles } from '../errors.ts';
import type { EntrySink } from '../files/sink.ts';
import { createTreeWriter } from '../files/write.ts';
import { deriving } from '../volumes/openpgp-s2k.ts';
import { createRingReader } from './byte-ring.ts';
import { countPlaced } from './count-placed.ts';
import { optimizeLess } from './optimize-less.ts';
import {
  type DeriveRequest,
  decodeEntry,
  type HashRequest,
  type Placed,
  type RestoreAnswer,
  records,
  type WriteRequest,
} from './restore-records.ts';
import type { RestoreWorkerData } from './restore-start.ts';

optimizeLess(); // by now all is loaded that comes with compiled code

const { ring, beats } = workerData as RestoreWorkerData;
const reader = createRingReader(ring);
const send = (answer: RestoreAnswer) => parentPort!.postMessage(answer);

/** What is done besides writing, a slice at a time; it tells how many bytes it has hashed. */
type Job = Generator<number, void, void>;

/** Hashed in one go; fits into the processor's cache. */
const SLICE = 256 * 1024;
const slab = Buffer.allocUnsafeSlow(SLICE);

function* hashFile({ id, path, algorithm }: HashRequest): Job {
  let fd: number | undefined;
  try {
    fd = openSync(bytesOf(path), 'r');
    const hash = createHash(algorithm);
    for (let read = readSync(fd, slab); read > 0; read = readSync(fd, slab)) {
      hash.update(slab.subarray(0, read));
      yield read;
    }
    send({ type: 'digest', id, digest: hash.digest('hex') });
  } catch (error) {
    send({ type: 'no-digest', id, code: systemCode(error) ?? '', message: messageOf(error) });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function* deriveOne({ passphrase, s2k, keyLength }: DeriveRequest): Job {
  try {
    const salt = Buffer.from(s2k.salt, 'base64');
    const key = yield* deriving(Buffer.from(passphrase, 'base64'), { ...s2k, salt }, keyLength);
    send({ type: 'key', key });
  } catch {
    send({ type: 'key' });
  }
}

/** The tree under way. After a failure everything up to its end is passed over. */
function createWriting({ target, options: { setsAside, ...options } }: WriteRequest) {
  const { placed, tell } = countPlaced(setsAside);
  let hasFailed = false;
  const attempt = (work: () => void) => {
    if (hasFailed) return;
    try {
      work();
    } catch (thrown) {
      hasFailed = true;
      const error = tooManyFiles(thrown) ?? thrown;
      const told = error instanceof BackupError ? error : { code: undefined, facts: {} };
      send({ type: 'failure', code: told.code, message: messageOf(error), facts: told.facts });
    }
  };
  const writer: EntrySink = createTreeWriter(target, {
    ...options,
    ...tell,
    onProblem: problem => send({ type: 'problem', problem }),
  });
  return {
    do: (work: (writer: EntrySink) => void) => attempt(() => work(writer)),
    close(): Placed {
      const had = hasFailed;
      hasFailed = false;
      attempt(() => writer.close());
      hasFailed ||= had;
      return placed();
    },
  };
}

/** One after the other. */
const jobs: Job[] = [];
let sum = createHash('sha1');
let writing: ReturnType<typeof createWriting> | undefined;

function closeTree(): void {
  if (writing) send({ type: 'closed', placed: writing.close() });
  writing = undefined;
}

function parse<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes).toString());
}

function obey(type: number, bytes: Uint8Array): void {
  switch (type) {
    case records.hash:
      jobs.push(hashFile(parse(bytes)));
      return;
    case records.derive:
      jobs.push(deriveOne(parse(bytes)));
      return;
    case records.write:
      writing = createWriting(parse(bytes));
      return;
    case records.begin:
      return writing?.do(writer => writer.begin(decodeEntry(bytes)));
    case records.data:
      return writing?.do(writer => writer.data(bytes));
    case records.finish:
      return writing?.do(writer => writer.finish());
    case records.abandon:
      return writing?.do(writer => writer.abandon());
    case records.close:
      return closeTree();
    case records.sum:
      sum.update(bytes);
      return;
    case records.sumEnd:
      send({ type: 'sum', sum: sum.digest() });
      sum = createHash('sha1');
  }
}

/** Until the end: jobs keep step with what is written, and take all the time that is left by it. */
function work(): void {
  let owed = 0; // bytes that are to be written before a job's next turn
  for (;;) {
    const record = reader.peek();
    if (record) {
      if (record.type === records.end) return;
      obey(record.type, record.bytes);
      owed -= record.bytes.length;
      reader.release();
    }
    if (jobs.length === 0) {
      if (!record) reader.wait();
    } else if (!record || owed <= 0) {
      const { done, value } = jobs[0]!.next();
      if (done) jobs.shift();
      owed = value ?? 0;
      Atomics.add(beats, 0, 1);
    }
  }
}

try {
  work();
} finally {
  closeTree();
  jobs[0]?.return(); // which closes its file
  reader.end();
}
