import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { getHeapSpaceStatistics } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { tidy } from '../../src/engine/tidy.ts';

const MiB = 1024 * 1024;

test('the young generation does not grow, whatever survives in it and whichever thread starts', async () => {
  tidy(6 * MiB);
  const before = youngSize();
  fill(5);
  await once(new Worker('', { eval: true }), 'exit');
  fill(40);
  assert.ok(youngSize() <= 4 * before, `${before} became ${youngSize()}`); // it may grow until it is held again
});

function youngSize(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!.space_size;
}

function fill(rounds: number): void {
  for (let round = 0; round < rounds; round++) {
    const alive = Array.from({ length: 50_000 }, (_, number) => ({ number, text: `number ${number}` }));
    tidy(alive.length * 128);
  }
}
