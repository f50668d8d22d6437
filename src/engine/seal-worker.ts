/** The thread that seals volumes: encrypts, and hashes what comes out. */

import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { createEncryptor, type Encryptor } from '../volumes/openpgp-seal.ts';
import { goesRound, type SealAnswer, type SealRequest, whole } from './seal-messages.ts';
import { tidy } from './tidy.ts';

const port = parentPort!;
const open = new Map<number, { readonly encryptor: Encryptor; readonly hash: Hash }>();
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
  if (request.step === 'start')
    open.set(request.message, {
      encryptor: createEncryptor(request.key, allocate, true),
      hash: createHash('sha1'),
    });
  const { encryptor, hash } = open.get(request.message)!;
  const stored = encryptor[request.step](request.bytes);
  hash.update(stored);
  const isRound = request.step === 'push' && goesRound(request.bytes);
  if (isRound) spare = request.bytes.buffer;
  tidy(3 * stored.length); // often: what is freed soon is still in the cache when it is used again
  const bytes = whole(stored);
  if (request.step !== 'end') return send({ bytes });
  open.delete(request.message);
  send({ bytes, sha1: hash.digest('hex') });
});

function send(answer: SealAnswer): void {
  port.postMessage(answer, [answer.bytes.buffer as ArrayBuffer]);
}
