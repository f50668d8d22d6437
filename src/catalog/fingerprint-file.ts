/** The fingerprints that a run leaves beside its partial sigtar: a line for every record that is no deletion. */

import { createReadStream } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import { sizeOfFingerprint } from './fingerprint.ts';

export interface FingerprintReader {
  /** Of the next record; nothing is known once a line is not what it should be, or the file has ended. */
  next(): Promise<{ readonly size: number | undefined; readonly stat: string | undefined }>;
  close(): Promise<void>;
}

const LINE = /^[\da-z]+(\.-?[\da-z]+){2,3}$/;
const UNKNOWN = { size: undefined, stat: undefined };

/** @param size bytes of the file to read; default all */
export function readFingerprints(file: string, size = Number.POSITIVE_INFINITY): FingerprintReader {
  const lines = linesOf(file, size);
  return {
    async next() {
      const { value: stat } = await lines.next();
      if (typeof stat === 'string' && LINE.test(stat)) return { size: sizeOfFingerprint(stat), stat };
      await lines.return();
      return UNKNOWN;
    },
    async close() {
      await lines.return();
    },
  };
}

async function* linesOf(file: string, size: number): AsyncGenerator<string, void, undefined> {
  if (size === 0) return;
  let held = '';
  for await (const chunk of createReadStream(bytesOf(file), { end: size - 1, encoding: 'latin1' })) {
    const lines = (held + chunk).split('\n');
    held = lines.pop()!;
    yield* lines;
  }
}
