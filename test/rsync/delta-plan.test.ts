import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BASIS, compose, createDeltaPlan, type DeltaPlan } from '../../src/rsync/delta-plan.ts';
import { createDeltaReader } from '../../src/rsync/delta-reader.ts';
import { basisAndEdits, deltaOf, hex, kernels, noise, pieces, signatureOf } from './support.ts';

function planOf(delta: Uint8Array, source: number, chunkLength = delta.length): DeltaPlan {
  const builder = createDeltaPlan(source);
  const reader = createDeltaReader(builder);
  for (const chunk of pieces(delta, chunkLength)) reader.push(chunk);
  reader.end();
  return builder.finish();
}

/** The file that a plan describes; `sources` by number, the basis first. */
function fileOf(plan: DeltaPlan, sources: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < plan.count; i++) {
    const length = plan.start(i + 1) - plan.start(i);
    parts.push(sources[plan.source(i)]!.subarray(plan.offset(i), plan.offset(i) + length));
  }
  return Buffer.concat(parts);
}

function deltaBetween(basis: Uint8Array, edited: Uint8Array): Uint8Array {
  return deltaOf(kernels[0]!, signatureOf(kernels[0]!, basis, 30), edited);
}

test('createDeltaPlan tells where every byte comes from, however the delta is chunked', () => {
  fc.assert(
    fc.property(basisAndEdits, fc.integer({ min: 1, max: 99 }), ({ basis, edited }, chunkLength) => {
      const delta = deltaBetween(basis, edited);
      const plan = planOf(delta, 1, chunkLength);
      assert.equal(plan.size, edited.length);
      assert.ok(plan.basisSize <= basis.length);
      assert.equal(hex(fileOf(plan, [basis, delta])), hex(edited));
      assert.equal(plan.count, planOf(delta, 1).count);
    }),
  );
});

test('compose equals applying one delta after the other', () => {
  fc.assert(
    fc.property(basisAndEdits, fc.nat(2), ({ basis, edited, again }, rounds) => {
      const files = [edited, again, edited, basis, again].slice(0, rounds + 2);
      const deltas = files.map((file, i) => deltaBetween(i === 0 ? basis : files[i - 1]!, file));
      const plan = deltas
        .map((delta, i) => planOf(delta, i + 1))
        .reduce((older, newer) => compose(older, newer)!);
      assert.equal(hex(fileOf(plan, [basis, ...deltas])), hex(files.at(-1)!));
      assert.equal(plan.size, files.at(-1)!.length);
      assert.ok(plan.basisSize <= basis.length);
    }),
  );
});

test('compose joins what goes on in the same source', () => {
  const basis = noise(9000);
  const plan = planOf(deltaBetween(basis, basis.subarray(0, 6000)), 1);
  const whole = compose(plan, planOf(deltaBetween(basis.subarray(0, 6000), basis.subarray(0, 3000)), 2))!;
  assert.deepEqual([whole.count, whole.source(0), whole.offset(0), whole.start(1)], [1, BASIS, 0, 3000]);
});

test('compose refuses copies from beyond the older file', () => {
  const older = planOf(deltaBetween(noise(100), noise(100)), 1);
  const newer = planOf(deltaBetween(noise(200), noise(200)), 2);
  assert.throws(() => compose(older, newer), { code: 'damaged' });
});

test('compose gives up where copies of copies multiply', () => {
  const builder = createDeltaPlan(1);
  for (let i = 0; i < 100; i++) builder.copy(2 * i, 1);
  const older = builder.finish();
  const doubling = createDeltaPlan(2);
  for (let i = 0; i < 100; i++) doubling.copy(0, 100);
  const newer = doubling.finish();
  assert.equal(compose(older, newer, 9_999), undefined);
  assert.equal(compose(older, newer, 10_000)?.count, 10_000);
});

test('createDeltaPlan refuses a file beyond all sizes', () => {
  const builder = createDeltaPlan(1);
  builder.copy(0, Number.MAX_SAFE_INTEGER);
  assert.throws(() => builder.copy(0, 1), { code: 'damaged' });
});

test('createDeltaPlan of nothing is an empty file', () => {
  const plan = createDeltaPlan(1).finish();
  assert.deepEqual([plan.size, plan.basisSize, plan.count, plan.start(0)], [0, 0, 0, 0]);
});
