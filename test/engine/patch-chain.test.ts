import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { createPatchChain } from '../../src/engine/patch-chain.ts';
import { DELTA_MAGIC, END, encodeCopy, encodeLiteral, MAX_COMMAND } from '../../src/rsync/delta-format.ts';
import { MOST_SEGMENTS } from '../../src/rsync/delta-plan.ts';

const basis = Buffer.from(Array.from({ length: 200 }, (_, i) => i));

type Command = readonly [position: number, length: number] | Uint8Array;

function deltaOf(commands: Iterable<Command>): Uint8Array {
  const parts: Uint8Array[] = [];
  const magic = Buffer.alloc(4);
  magic.writeUInt32BE(DELTA_MAGIC);
  parts.push(magic);
  for (const command of commands) {
    const bytes = Buffer.alloc(MAX_COMMAND);
    if (command instanceof Uint8Array) {
      parts.push(bytes.subarray(0, encodeLiteral(bytes, 0, command.length)), command);
    } else parts.push(bytes.subarray(0, encodeCopy(bytes, 0, ...command)));
  }
  parts.push(Uint8Array.of(END));
  return Buffer.concat(parts);
}

/** @param atEnd called before the file is rebuilt */
async function rebuild(deltas: readonly Uint8Array[], atEnd = () => {}) {
  const chain = createPatchChain(tmpdir());
  const out: Buffer[] = [];
  chain.start();
  chain.push(basis);
  for (const delta of deltas) {
    chain.startDelta();
    for (let at = 0; at < delta.length; at += 65_536) chain.push(delta.subarray(at, at + 65_536));
  }
  atEnd();
  let began = 0;
  const problem = await chain.finish(
    () => began++,
    bytes => void out.push(Buffer.from(bytes)),
  );
  chain.close();
  return { problem, began, file: Buffer.concat(out) };
}

const swapped = Array.from({ length: MOST_SEGMENTS + 10 }, (_, i) => (7 * i) % 200);
const oneByOne = deltaOf(swapped.map(place => [place, 1]));
const turned = deltaOf([
  [100, 100],
  [0, 100],
]);
const made = Buffer.from(swapped.map(place => (place + 100) % 200));

test('a delta of more commands than a plan may have is applied, before and after others', async () => {
  const last = deltaOf([Buffer.from('and '), [10, swapped.length - 10]]);
  const { problem, file } = await rebuild([turned, oneByOne, last]);
  assert.equal(problem, undefined);
  assert.ok(file.equals(Buffer.concat([Buffer.from('and '), made.subarray(10)])));
  assert.ok((await rebuild([turned, oneByOne])).file.equals(made));
});

test('of such a delta nothing is written either if it copies from beyond its basis', async () => {
  const wrong = deltaOf([...swapped.map(place => [place, 1] as const), [150, 60]]);
  const { problem, began, file } = await rebuild([turned, wrong, turned]);
  assert.match(problem ?? '', /copies from beyond the end of its basis/);
  assert.deepEqual([began, file.length], [0, 0]);
});

const descriptors = '/proc/self/fd';

test('a chain of large deltas keeps two files open, and little in memory', {
  skip: !existsSync(descriptors) && 'no /proc',
}, async () => {
  const filling = Buffer.alloc(1_200_000, 'f');
  const deltas = Array.from({ length: 30 }, (_, i) => deltaOf([Buffer.from(`${i} `), filling]));
  const before = { files: readdirSync(descriptors).length, buffers: process.memoryUsage().arrayBuffers };
  const { problem, file } = await rebuild(deltas, () => {
    assert.ok(readdirSync(descriptors).length <= before.files + 2);
    assert.ok(process.memoryUsage().arrayBuffers < before.buffers + 6_000_000);
  });
  assert.equal(problem, undefined);
  assert.equal(file.subarray(0, 4).toString(), '29 f');
});
