/** The thread that seals volumes: encrypts, and hashes before and after it. */

import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { createSealer, type Sealer } from '../volumes/openpgp-seal.ts';
import { goesRound, type SealAnswer, type SealRequest, whole } from './seal-messages.ts';
import { createTidier } from './tidy.ts';

const port = parentPort!;
const tidy = createTidier();
const open = new Map<number, { readonly sealer: Sealer; readonly hash: Hash }>();
/** What came with bytes that are sealed by now: sealed ones go back in it. */
let spare: ArrayBufferLike | undefined;

function allocate(length: number): Buffer {
  if (!spare || spare.byteLength < length) return Buffer.allocUnsafeSlow(length);
  const buffer = Buffer.from(spare as ArrayBuffer, 0, length);
  spare = undefined;
  return buffer;
}

port.on('message', (request: SealRequest | null) => {
  if (request === null) return port.close();
  if (request.step === 'start') {
    const { key, options, prefix } = request;
    const sealer = createSealer(key, { ...options, random: () => prefix, allocate });
    open.set(request.message, { sealer, hash: createHash('sha1') });
  }
  const { sealer, hash } = open.get(request.message)!;
  const stored = step(sealer, request);
  hash.update(stored);
  const isRound = request.step === 'push' && goesRound(request.bytes);
  if (isRound) spare = request.bytes.buffer;
  tidy((isRound ? 1 : 3) * stored.length); // encrypted; as it came and in packets
  const bytes = whole(stored);
  if (request.step !== 'end') return send({ bytes });
  open.delete(request.message);
  send({ bytes, sha1: hash.digest('hex') });
});

function step(sealer: Sealer, request: SealRequest): Uint8Array {
  switch (request.step) {
    case 'start':
      return sealer.start();
    case 'push':
      return sealer.push(request.bytes);
    case 'end':
      return sealer.end();
  }
}

function send(answer: SealAnswer): void {
  port.postMessage(answer, [answer.bytes.buffer as ArrayBuffer]);
}
