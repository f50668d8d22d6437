import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createPacker } from '../../src/engine/packing.ts';
import { decodeCount, deriveKey, hashIds } from '../../src/volumes/openpgp-s2k.ts';
import { type Scope, tempDir } from '../support/temp-dir.ts';

const passphrase = Buffer.from('pä ss');
const s2k = { hash: hashIds.sha256, salt: Buffer.from('8 random'), count: decodeCount(0xff) };

test('the thread of a packer derives keys once it has read all, and none when it has ended', async t => {
  const { packer, packing } = startPacking(t, { ownThread: true });
  for await (const batch of packing.batches) {
    if (batch.difftar.length > 0) packing.recycle(batch.difftar);
  }
  const derive = await packing.deriver!;
  const [one, other] = await Promise.all([derive(passphrase, s2k, 32), derive(passphrase, s2k, 24)]);
  assert.deepEqual(Buffer.from(one), deriveKey(passphrase, s2k, 32));
  assert.deepEqual(Buffer.from(other), deriveKey(passphrase, s2k, 24));
  const interrupted = derive(passphrase, s2k, 32);
  const settled = Promise.allSettled([interrupted]);
  await packer.close();
  await settled; // it may have come in time
  await assert.rejects(derive(passphrase, s2k, 32), /ended/);
});

test('a key that is being derived when a run is ended is not waited for', async t => {
  const controller = new AbortController();
  const { packing } = startPacking(t, { ownThread: true, signal: controller.signal });
  for await (const _ of packing.batches);
  const derive = await packing.deriver!;
  const reason = new Error('ended by a test');
  const key = assert.rejects(derive(passphrase, s2k, 32), reason);
  controller.abort(reason);
  await key;
});

test('on a single processor a run is ended in the middle of much of which nothing is made', async t => {
  const controller = new AbortController();
  const reason = new Error('ended by a test');
  const { packer, packing } = startPacking(t, { files: 3000, signal: controller.signal });
  let isOver = false;
  const packed = (async () => {
    for await (const _ of packing.batches);
  })().finally(() => {
    isOver = true;
  });
  const endInTheMiddle = () => {
    if (packer.beats() > 0) controller.abort(reason);
    else if (!isOver) setImmediate(endInTheMiddle);
  };
  endInTheMiddle();
  await assert.rejects(packed, reason);
  assert.ok(packer.beats() < 3000, `${packer.beats()} calls after the end`);
});

interface Wanted {
  readonly ownThread?: boolean;
  /** Empty ones, all left out. */
  readonly files?: number;
  readonly signal?: AbortSignal;
}

function startPacking(t: Scope, { ownThread = false, files = 1, signal = neverAborted }: Wanted) {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  for (let i = 0; i < files; i++) writeFileSync(join(source, `${i}`), '');
  const packer = createPacker({
    ...{ ownThread, readsAhead: false, slabs: 4, signal },
    ...{ pause: () => assert.fail('nothing is to be waited for'), report: () => {} },
  });
  t.after(() => packer.close());
  const packing = packer.start({
    ...{ source, selection: [{ kind: 'pattern', pattern: '**', include: false }], sets: [] },
    ...{ catalog: join(base, 'catalog'), time: 1_600_000_000, maxBlockLength: 2048, retryForMs: 0 },
  });
  return { packer, packing };
}

const neverAborted = new AbortController().signal;
