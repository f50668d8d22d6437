import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createPacker } from '../../src/engine/packing.ts';
import { tempDir } from '../support/temp-dir.ts';

test('on a single processor a run is ended in the middle of much of which nothing is made', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  for (let i = 0; i < 3000; i++) writeFileSync(join(source, `${i}`), '');
  const controller = new AbortController();
  const reason = new Error('ended by a test');
  const packer = createPacker({
    ...{ ownThread: false, readsAhead: false, slabs: 4, signal: controller.signal },
    ...{ pause: () => assert.fail('nothing is to be waited for'), report: () => {} },
  });
  t.after(() => packer.close());
  const { batches } = packer.start({
    ...{ source, selection: [{ kind: 'pattern', pattern: '**', include: false }], sets: [] },
    ...{ catalog: join(base, 'catalog'), time: 1_600_000_000, maxBlockLength: 2048, retryForMs: 0 },
  });
  let isOver = false;
  const packed = (async () => {
    for await (const _ of batches);
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
