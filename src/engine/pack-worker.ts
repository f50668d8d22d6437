/** The packer's thread: batches go out with their buffers, slabs come back. */

import { parentPort, workerData } from 'node:worker_threads';
import { BackupError, messageOf, tooManyFiles } from '../errors.ts';
import { deriveKey } from '../volumes/openpgp-s2k.ts';
import { optimizeLess } from './optimize-less.ts';
import { openSourcePacker, type PackHost, type SourcePacker } from './pack-source.ts';
import { BEATS, ENDING } from './pack-thread.ts';
import type { PackMessage, PackRequest, PackStartRequest } from './packing.ts';
import { createSlabPool, type SlabPool } from './slab-pool.ts';

const port = parentPort!;
const shared = workerData as Int32Array;
let pool: SlabPool | undefined;
let packer: SourcePacker | undefined;

port.on('message', (request: PackRequest) => {
  switch (request.type) {
    case 'start':
      void run(request);
      return;
    case 'slab':
      pool!.giveBack(request.slab);
      return;
    case 'records':
      pool!.giveBackRecords(request.records);
      return;
    case 'commit':
      guard(() => {
        packer!.commit(request.pieces);
        send({ type: 'committed' });
      });
      return;
    case 'derive':
      send({ type: 'key', key: deriveKey(request.passphrase, request.s2k, request.keyLength) });
      return;
    case 'close':
      // What is under way finds the catalog closed, and nothing is left to wait for: the thread ends.
      packer?.close();
      port.close();
  }
});

const send = (message: PackMessage, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

function checkEnd(): void {
  if (Atomics.load(shared, ENDING) !== 0) throw new BackupError('interrupted', 'the run ends');
}

const host: PackHost = {
  beat: () => void Atomics.add(shared, BEATS, 1),
  pause(ms) {
    Atomics.wait(shared, ENDING, 0, ms);
    checkEnd();
  },
  report: report => send({ type: 'report', report }),
  passed: passed => send({ type: 'passed', passed }),
};

function guard(work: () => void): void {
  try {
    work();
  } catch (error) {
    fail(error);
  }
}

function fail(thrown: unknown): void {
  const error = tooManyFiles(thrown) ?? thrown;
  const message = messageOf(error);
  if (error instanceof BackupError) send({ type: 'failed', code: error.code, message });
  else send({ type: 'crashed', message, stack: (error as Error | undefined)?.stack ?? '' });
}

async function run({ job, slabs, readsAhead }: PackStartRequest): Promise<void> {
  if (job.sets.length === 0) optimizeLess(); // a walk through what is unchanged takes longer so
  try {
    pool = createSlabPool(slabs);
    packer = await openSourcePacker(
      job,
      pool,
      readsAhead ? { ...host, readAhead: { checkEnd, report: host.report } } : host,
    );
    for await (const batch of packer.batches) {
      const parts = [batch.difftar, batch.sigtar, batch.filelist, batch.fingerprints].filter(
        bytes => bytes.length > 0,
      );
      send(
        { type: 'batch', batch },
        parts.map(bytes => bytes.buffer as ArrayBuffer),
      );
    }
    send({ type: 'end' });
  } catch (error) {
    packer?.close(); // the next start opens the catalog again
    packer = undefined;
    fail(error);
  }
}
