/** A thread that hashes local files, so that a volume is proved while the one before is being restored. */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, systemCode } from '../errors.ts';
import type { HashAnswer, HashRequest } from './file-hasher.ts';

const port = parentPort!;
const beats = workerData as Int32Array;
const slab = Buffer.allocUnsafeSlow(1024 * 1024);

port.on('message', (request: HashRequest | null) => {
  if (request === null) return port.close();
  const { id, path, algorithm } = request;
  port.postMessage({ id, ...answer(path, algorithm) } satisfies HashAnswer);
});

function answer(path: Uint8Array, algorithm: string): { digest: string } | { code: string; message: string } {
  try {
    const fd = openSync(Buffer.from(path), 'r');
    try {
      const hash = createHash(algorithm);
      for (let read = readSync(fd, slab); read > 0; read = readSync(fd, slab)) {
        hash.update(slab.subarray(0, read));
        Atomics.add(beats, 0, 1);
      }
      return { digest: hash.digest('hex') };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return { code: systemCode(error) ?? '', message: messageOf(error) };
  }
}
