import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { BackupError } from '../../src/errors.ts';
import { createDeflater, deflateEnd, inflateSegments, storedBlocks } from '../../src/volumes/deflate.ts';
import { noise, text } from './openpgp-support.ts';

const mixed = Buffer.concat([text(150_000), noise(150_000), text(100_000), Buffer.alloc(100_000)]);

function chunksOf(bytes: Buffer, size: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let from = 0; from < bytes.length; from += size) chunks.push(bytes.subarray(from, from + size));
  return chunks;
}

test('createDeflater() segments, joined and closed, are one valid stream however it is chunked', () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 200_000 }),
      fc.integer({ min: 2_000, max: 100_000 }),
      fc.integer({ min: 0, max: 9 }),
      fc.boolean(),
      async (from, size, level, dictionary) => {
        const plain = mixed.subarray(from);
        const deflater = createDeflater({ level, dictionary });
        const inFlight = chunksOf(plain, size).map(chunk => deflater.push(chunk));
        assert.equal(deflater.length, plain.length);
        assert.equal(deflater.crc, crc32(plain));
        assert.deepEqual(
          inflateRawSync(Buffer.concat([...(await Promise.all(inFlight)), deflateEnd])),
          plain,
        );
      },
    ),
    { numRuns: 30 },
  ));

test('createDeflater() makes a valid stream of small and empty chunks', async () => {
  const plain = text(3_000);
  const deflater = createDeflater();
  const chunks = [new Uint8Array(0), ...chunksOf(plain, 37), new Uint8Array(0)];
  const segments = await Promise.all(chunks.map(chunk => deflater.push(chunk)));
  assert.deepEqual(inflateRawSync(Buffer.concat([...segments, deflateEnd])), plain);
});

test('createDeflater() makes the same segments of a chunk whatever was deflated before, of any length', async () => {
  for (const length of [1, 70_000, 1024 * 1024, 1024 * 1024 + 1, 3_000_000]) {
    // Letters without any order: they shrink by a quarter only.
    const plain = Buffer.from(noise(length).map(byte => 65 + (byte & 63)));
    for (const level of [1, 6] as const) {
      const deflate = (chunk: Uint8Array) => createDeflater({ level, dictionary: false }).push(chunk);
      const [first, , third] = await Promise.all([deflate(plain), deflate(mixed), deflate(plain)]);
      assert.ok(Buffer.from(first!).equals(third!));
      assert.ok(plain.equals(inflateSegments(first!, length)));
      assert.ok(mixed.equals(inflateSegments(await deflate(mixed), mixed.length)));
    }
  }
});

test('createDeflater() keeps no hold on a chunk whose promise has settled', async () => {
  const plain = text(200_000);
  const deflater = createDeflater();
  const slab = Buffer.alloc(50_000);
  const segments: Uint8Array[] = [];
  for (const chunk of chunksOf(plain, slab.length)) {
    slab.set(chunk);
    segments.push(await deflater.push(slab));
    slab.fill(0);
  }
  assert.deepEqual(inflateRawSync(Buffer.concat([...segments, deflateEnd])), plain);
});

test('createDeflater() finds what the chunk before already said, even if that one was short', async () => {
  const saying = noise(9_000); // too short to be called incompressible
  const deflater = createDeflater();
  await deflater.push(saying);
  await deflater.push(text(100));
  assert.ok((await deflater.push(saying)).length < 500);
});

test('createDeflater() makes what comes smaller where it has time', async () => {
  const words = 'alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu'.split(' ');
  const bytes = noise(60_000);
  const plain = Buffer.from([...bytes].map(byte => words[byte % words.length]).join(' '));
  let time = false;
  const deflater = createDeflater({ hasTime: () => time, dictionary: false });
  const quick = await deflater.push(plain);
  time = true;
  const small = await deflater.push(plain);
  assert.ok(small.length < quick.length);
  assert.ok(plain.equals(inflateSegments(small, plain.length)));
  const level = createDeflater({ level: 1, hasTime: () => true, dictionary: false });
  assert.ok((await level.push(plain)).length > small.length, 'a level that the user chose stays');
});

test('createDeflater() stores noise with five bytes for every 65535', async () => {
  const plain = noise(262_144);
  const segment = await createDeflater().push(plain);
  assert.equal(segment.length, plain.length + 5 * 5);
  assert.deepEqual(inflateRawSync(Buffer.concat([segment, deflateEnd])), plain);
});

test('inflateSegments() inflates segments made without dictionary, alone or joined', async () => {
  const deflater = createDeflater({ dictionary: false });
  const chunks = chunksOf(mixed, 60_000);
  const segments = await Promise.all(chunks.map(chunk => deflater.push(chunk)));
  for (const [i, chunk] of chunks.entries()) assert.deepEqual(inflateSegments(segments[i]!, 60_000), chunk);
  const two = inflateSegments(Buffer.concat([segments[1]!, segments[2]!]), 120_000);
  assert.deepEqual(two, mixed.subarray(60_000, 180_000));
});

test('inflateSegments() calls broken data and data that grows too long damaged', async () => {
  const segment = await createDeflater({ dictionary: false }).push(text(50_000));
  const isDamaged = (error: unknown) => error instanceof BackupError && error.code === 'damaged';
  assert.throws(() => inflateSegments(segment, 49_999), isDamaged);
  assert.throws(() => inflateSegments(Uint8Array.of(0x07, 1, 2, 3), 100), isDamaged);
});

test('storedBlocks() of nothing is nothing', () => {
  assert.equal(storedBlocks(new Uint8Array(0)).length, 0);
});
