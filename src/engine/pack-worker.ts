/** The packer's thread: batches go out with their buffers, slabs come back. */

import { parentPort, workerData } from 'node:worker_threads';
import { BackupError } from '../errors.ts';
import type { PackJob } from './pack-source.ts';
import { packSource } from './pack-source.ts';
import type { PackMessage } from './packing.ts';
import { createSlabPool } from './slab-pool.ts';

const port = parentPort!;
const { job, slabs } = workerData as { readonly job: PackJob; readonly slabs: number };
const pool = createSlabPool(slabs);
port.on('message', (slab: Uint8Array) => pool.giveBack(slab));

const send = (message: PackMessage, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
try {
  for await (const batch of packSource(job, pool)) {
    const parts = [batch.difftar, batch.sigtar, batch.filelist].filter(bytes => bytes.length > 0);
    send(
      { type: 'batch', batch },
      parts.map(bytes => bytes.buffer as ArrayBuffer),
    );
  }
  send({ type: 'end' });
} catch (error) {
  if (!(error instanceof BackupError)) throw error;
  send({ type: 'failed', code: error.code, message: error.message });
}
port.removeAllListeners();
port.unref();
