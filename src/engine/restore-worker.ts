/** The thread of a restore: hashes files and what it is given, and writes a tree, in turns, as the ring tells it to. */

import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { bytesOf } from '../bytes.ts';
import { BackupError, messageOf, systemCode, tooManyFiles } from '../errors.ts';
import type { EntrySink } from '../files/sink.ts';
import { createTreeWriter } from '../files/write.ts';
import { createRingReader } from './byte-ring.ts';
import { countPlaced } from './count-placed.ts';
import { optimizeLess } from './optimize-less.ts';
import {
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

/** Hashed in one go; fits into the processor's cache. */
const SLICE = 256 * 1024;

/** Files to hash, one after the other, a slice at a time. */
function createHashing() {
  const slab = Buffer.allocUnsafeSlow(SLICE);
  const queue: HashRequest[] = [];
  let file: { readonly fd: number; readonly hash: Hash } | undefined;
  const close = () => {
    if (file) closeSync(file.fd);
    file = undefined;
  };
  return {
    add: (request: HashRequest) => void queue.push(request),
    isBusy: () => queue.length > 0,
    slice() {
      const { id, path, algorithm } = queue[0]!;
      try {
        file ??= { fd: openSync(bytesOf(path), 'r'), hash: createHash(algorithm) };
        const read = readSync(file.fd, slab);
        Atomics.add(beats, 0, 1);
        if (read > 0) return void file.hash.update(slab.subarray(0, read));
        send({ type: 'digest', id, digest: file.hash.digest('hex') });
      } catch (error) {
        send({ type: 'no-digest', id, code: systemCode(error) ?? '', message: messageOf(error) });
      }
      queue.shift();
      close();
    },
    close,
  };
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

const hashing = createHashing();
let sum = createHash('sha1');
let writing: ReturnType<typeof createWriting> | undefined;

function closeTree(): void {
  if (writing) send({ type: 'closed', placed: writing.close() });
  writing = undefined;
}

function obey(type: number, bytes: Uint8Array): void {
  switch (type) {
    case records.hash:
      hashing.add(JSON.parse(Buffer.from(bytes).toString()));
      return;
    case records.write:
      writing = createWriting(JSON.parse(Buffer.from(bytes).toString()));
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

/** Until the end: what is hashed keeps step with what is written, and takes all the time that is left by it. */
function work(): void {
  let owed = 0;
  for (;;) {
    const record = reader.peek();
    if (record) {
      if (record.type === records.end) return;
      obey(record.type, record.bytes);
      owed += record.bytes.length;
      reader.release();
    } else if (!hashing.isBusy()) reader.wait();
    if (hashing.isBusy() && (!record || owed >= SLICE)) {
      hashing.slice();
      owed = 0;
    }
  }
}

try {
  work();
} finally {
  closeTree();
  hashing.close();
  reader.end();
}
