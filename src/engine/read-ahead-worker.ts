/** The thread that reads small files before the packer comes to them: see read-ahead.ts. */

import { workerData } from 'node:worker_threads';
import { createAnchors } from '../files/anchors.ts';
import { SourceError } from '../files/problem.ts';
import { openSource, type SourceFile } from '../files/read.ts';
import { createRingReader, createRingWriter } from './byte-ring.ts';
import { optimizeLess } from './optimize-less.ts';
import {
  ANSWER_HEAD,
  answers,
  decodeRequest,
  HAS_CHANGED,
  IS_FRESH,
  LARGEST_FILE,
  type ReadAheadData,
  type ReadRequest,
  requests,
} from './read-ahead-records.ts';

optimizeLess(); // by now all is loaded that comes with compiled code

/** So many answers are worth waking the packer. */
const TOGETHER = 32;

const { source, requestRing, answerRing } = workerData as ReadAheadData;
const asked = createRingReader(requestRing);
const answering = createRingWriter(answerRing);
const anchors = createAnchors(source);
const slab = Buffer.allocUnsafeSlow(LARGEST_FILE + 1);

/** @returns the flags of what is in the slab by then; undefined if it is not the file that the walk has found */
function readIntoSlab(request: ReadRequest): number | undefined {
  let file: SourceFile | undefined;
  try {
    file = openSource(anchors, request.path);
    if (!isAsFound(file, request)) return undefined;
    if (file.readInto(slab, 0, request.size + 1) !== request.size) return undefined;
    return (file.isFresh ? IS_FRESH : 0) | (file.hasChanged() ? HAS_CHANGED : 0);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return undefined;
  } finally {
    file?.close();
  }
}

function isAsFound({ stats }: SourceFile, { ctimeNs, mtimeNs, ino, size }: ReadRequest): boolean {
  const isSame = BigInt.asIntN(64, stats.ino) === ino && Number(stats.size) === size;
  return isSame && stats.ctimeNs === ctimeNs && stats.mtimeNs === mtimeNs;
}

function work(): void {
  for (let count = 1; ; count++) {
    let record = asked.peek();
    for (; !record; record = asked.peek()) asked.wait();
    if (record.type === requests.end) return;
    const request = decodeRequest(record.bytes);
    asked.release();
    const flags = readIntoSlab(request);
    const isUrgent = count % TOGETHER === 0 || !asked.peek();
    if (flags === undefined) {
      answering.push(answers.none, 0, undefined, isUrgent);
      continue;
    }
    const fill = (bytes: Uint8Array) => {
      bytes[0] = flags;
      bytes.set(slab.subarray(0, request.size), ANSWER_HEAD);
    };
    answering.push(answers.read, ANSWER_HEAD + request.size, fill, isUrgent);
  }
}

try {
  work();
} finally {
  anchors.close();
  asked.end();
}
