import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PackBatch, SLAB_SIZE } from '../../src/engine/batch.ts';
import { PART_SIZE } from '../../src/engine/batch-builder.ts';
import { type PackStart, pack } from '../../src/engine/pack.ts';
import type { ChangedItem } from '../../src/engine/plan-item.ts';
import { SourceError, sourceProblem, systemError } from '../../src/files/problem.ts';
import type { ReadableFile } from '../../src/files/read.ts';
import type { SourceEntry } from '../../src/files/walk.ts';
import { createKernel } from '../../src/rsync/kernel.ts';
import { createTarReader } from '../../src/volumes/tar-reader.ts';
import { patched, signatureOf } from '../rsync/support.ts';
import { createRandom } from '../support/random.ts';

const LENGTH = 2_500_000;
const random = createRandom(89);
const basis = random.bytes(LENGTH);
// With what is copied, a piece of literal that the end of what can be read cuts short begins in a part that is full.
const content = Buffer.concat([
  random.bytes(30_720),
  basis.subarray(30_720, 141_312),
  random.bytes(LENGTH - 141_312),
]);
const kernel = createKernel();

const entry: SourceEntry = {
  ...{ path: 'film', type: 'file', mode: 0o644, uid: 0, gid: 0, uname: '', gname: '', mtimeSeconds: 7 },
  ...{ linkname: '', devMajor: 0, devMinor: 0, size: LENGTH, statSize: LENGTH },
  ...{ dev: 1n, ino: 1n, mtimeNs: 7n, ctimeNs: 7n },
};
const changed: ChangedItem = { kind: 'changed', entry, signature: { set: 1, offset: 0 }, mustStore: true };

/** Fails with EIO behind `goodLength`, or, all read, when it is asked for its times. */
function fileOf(goodLength: number): ReadableFile {
  let at = 0;
  const fail = () => {
    throw new SourceError(
      sourceProblem('film', 'read', Object.assign(systemError('EIO', ''), { syscall: 'read' })),
    );
  };
  return {
    isFresh: false,
    readInto(target, offset, length) {
      const read = Math.min(length, LENGTH - at);
      if (at + read > goodLength) fail();
      content.copy(target, offset, at, at + read);
      at += read;
      return read;
    },
    hasChanged: () => goodLength === LENGTH && fail(),
    close() {},
  };
}

/** Packs the film as a delta. @param goodLength of it; more than it has if all is well */
async function packed(goodLength: number, resume?: PackStart): Promise<PackBatch[]> {
  const batches = pack([[changed]], {
    ...{ kernel, resume, maxBlockLength: 2048 },
    open: () => ({ file: fileOf(goodLength), entry }),
    signatureAt: () => signatureOf(kernel, basis, 2048),
    buffers: { takeSlab: () => new Uint8Array(SLAB_SIZE), takeRecords: () => Buffer.alloc(1000) },
    recorder: { stored() {}, unchanged() {}, removed() {} },
    fingerprintOf: () => '1.2.3',
  });
  const all: PackBatch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

/** Data of the members in batches, one after the other. */
function dataOf(batches: readonly PackBatch[]): Buffer[] {
  const members: Buffer[][] = [];
  const reader = createTarReader({
    member: () => void members.push([]),
    data: bytes => void members.at(-1)!.push(Buffer.from(bytes)),
    memberEnd() {},
  });
  for (const { difftar } of batches) reader.push(difftar);
  return members.map(pieces => Buffer.concat(pieces));
}

test('a delta that ended early is not continued as if the file had been read to its end', async () => {
  let refused = 0;
  let continued = 0;
  for (let goodLength = 1_100_000; goodLength < 2_000_000; goodLength += 131_072) {
    const batches = await packed(goodLength);
    for (let taken = 1; taken < batches.length; taken++) {
      const { last, open, counts } = batches[taken - 1]!;
      if (open === undefined) continue; // it is over
      const before = dataOf(batches.slice(0, taken));
      const cut = { ...open, path: 'film', parts: last!.block! };
      const rest = await packed(LENGTH + 1, { counts, sigtarLength: 0, cut }).catch(error => {
        assert.equal(error.code, 'cut-file-changed');
        return undefined;
      });
      if (rest) {
        const delta = Buffer.concat([...before, ...dataOf(rest)]);
        assert.ok(content.equals(patched(basis, delta)), `${goodLength} bytes, batch ${taken}`);
        continued++;
      } else refused++;
    }
  }
  assert.ok(continued > 0 && refused > 0, `${continued} continued, ${refused} refused`);
});

test("a file that is read whole has no more parts when its times can't be read", async () => {
  const batches = await packed(LENGTH);
  assert.deepEqual(
    batches.flatMap(({ incomplete }) => incomplete),
    ['film'],
  );
  const parts = dataOf(batches);
  assert.ok(parts.at(-1)!.length > 0 && parts.at(-1)!.length < PART_SIZE);
  assert.ok(parts.slice(0, -1).every(({ length }) => length === PART_SIZE));
});
