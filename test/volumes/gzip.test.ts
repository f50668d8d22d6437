import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { BackupError } from '../../src/errors.ts';
import { collect } from '../../src/streams.ts';
import { createDeflater, deflateEnd } from '../../src/volumes/deflate.ts';
import { gunzip, gzipHeader, gzipTrailer } from '../../src/volumes/gzip.ts';
import { lentChunks, noise, text } from './openpgp-support.ts';

const isDamaged = (error: unknown) => error instanceof BackupError && error.code === 'damaged';
const open = (bytes: Uint8Array, size = 1000) => collect(gunzip(lentChunks(bytes, size)));

test('gzipHeader() is the ten bytes that duplicity writes', () => {
  assert.equal(Buffer.from(gzipHeader(1_700_000_000)).toString('hex'), '1f8b080000f1536500ff');
  assert.equal(Buffer.from(gzipHeader(2 ** 32 + 1)).toString('hex'), '1f8b08000100000000ff');
});

test('gzipHeader() and gzipTrailer() around segments make a file that zlib reads', async () => {
  const plain = text(300_000);
  const deflater = createDeflater();
  const segment = await deflater.push(plain);
  const file = Buffer.concat([
    gzipHeader(5),
    segment,
    deflateEnd,
    gzipTrailer(deflater.crc, deflater.length),
  ]);
  assert.deepEqual(gunzipSync(file), plain);
});

test('gunzip() takes any number of members, then zeros, in chunks of any size', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
      fc.nat({ max: 600 }),
      fc.integer({ min: 1, max: 400 }),
      async (members, zeros, size) => {
        const file = Buffer.concat([...members.map(member => gzipSync(member)), Buffer.alloc(zeros)]);
        assert.deepEqual(await open(file, size), Buffer.concat(members));
      },
    ),
    { numRuns: 60 },
  ));

test('gunzip() of a file cut short anywhere is damaged', async () => {
  const file = gzipSync(text(200));
  for (let length = 0; length < file.length; length++)
    await assert.rejects(open(file.subarray(0, length), 7), isDamaged, `${length} bytes`);
});

test('gunzip() of a file with a wrong checksum, length or body is damaged', async () => {
  for (const back of [1, 4, 5, 8, 20]) {
    const file = gzipSync(noise(3_000));
    file[file.length - back]! ^= 0x10;
    await assert.rejects(open(file), isDamaged, `${back} bytes from the end`);
  }
});

test('gunzip() calls a file damaged that something follows', async () => {
  const file = gzipSync(text(5_000));
  for (const rest of ['x', '\0\0\0x', `${'\0'.repeat(5_000)}x`, '\x1f\x8b'])
    for (const size of [10, 100_000])
      await assert.rejects(open(Buffer.concat([file, Buffer.from(rest, 'latin1')]), size), isDamaged);
});

test('gunzip() passes on what its source throws', async () => {
  const broken = new Error('disk on fire');
  async function* source() {
    yield gzipSync(noise(500_000)).subarray(0, 400_000);
    throw broken;
  }
  await assert.rejects(collect(gunzip(source())), error => error === broken);
});

test('gunzip() passes on what its source throws behind the end of the data', async () => {
  const broken = new Error('disk on fire');
  async function* source() {
    yield Buffer.concat([gzipSync(text(50)), Buffer.alloc(100)]);
    await setTimeout(20);
    throw broken;
  }
  await assert.rejects(collect(gunzip(source())), error => error === broken);
});

test('gunzip() closes its source when the reader has enough', async () => {
  let closed = false;
  async function* source() {
    try {
      yield* lentChunks(gzipSync(noise(500_000)), 10_000);
    } finally {
      closed = true;
    }
  }
  for await (const piece of gunzip(source())) {
    assert.ok(piece.length > 0);
    break;
  }
  assert.equal(closed, true);
});
