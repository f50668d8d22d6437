import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDeltaBuffers, DeltaSource } from '../../src/engine/delta-source.ts';
import type { ReadableFile } from '../../src/files/read.ts';
import { createDelta } from '../../src/rsync/delta.ts';
import { createKernel } from '../../src/rsync/kernel.ts';
import { createPatch } from '../../src/rsync/patch.ts';
import { createSigner } from '../../src/rsync/signature.ts';
import { signatureOf } from '../rsync/support.ts';
import { createRandom } from '../support/random.ts';

const PART = 65_536;

function fileOf(bytes: Buffer): ReadableFile {
  let at = 0;
  return {
    isFresh: false,
    readInto(target, offset, length) {
      const read = bytes.copy(target, offset, at, at + length);
      at += read;
      return read;
    },
    hasChanged: () => false,
    close() {},
  };
}

test('of a large delta no more is held than a part and what a turn adds to it', () => {
  const random = createRandom(1);
  const basis = random.bytes(100_000);
  const grown = Buffer.concat([basis, random.bytes(8_000_000)]);
  const kernel = createKernel();
  const signer = createSigner(kernel);
  signer.start(512);
  const buffers = createDeltaBuffers();
  const tools = { delta: createDelta(kernel), signer, buffers };
  const source = new DeltaSource(fileOf(grown), signatureOf(kernel, basis, 512), tools);

  const delta: Buffer[] = [];
  let held = 0;
  for (let length = PART; length === PART; ) {
    const part = Buffer.alloc(PART);
    length = source.readInto(part, 0, PART);
    delta.push(part.subarray(0, length));
    held = Math.max(held, buffers.queue.length);
  }

  assert.ok(held < 16 * PART, `${held} bytes were held`);
  const made: Buffer[] = [];
  const read = (position: number, target: Uint8Array) => basis.copy(target, 0, position);
  const patch = createPatch({ size: basis.length, read }, bytes => void made.push(Buffer.from(bytes)));
  patch.push(Buffer.concat(delta));
  patch.end();
  assert.ok(Buffer.concat(made).equals(grown));
});
