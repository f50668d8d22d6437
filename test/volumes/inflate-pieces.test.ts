import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, deflateRawSync, type InflateRaw, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { BackupError } from '../../src/errors.ts';
import { fromChunks } from '../../src/streams.ts';
import { deflateEnd, storedBlocks } from '../../src/volumes/deflate.ts';
import { inflate } from '../../src/volumes/inflate.ts';
import { inflatePieces, PROBE } from '../../src/volumes/inflate-pieces.ts';
import { noise, text } from './openpgp-support.ts';

const ourStart = Buffer.from('000700f8ffaf620000000000', 'hex');
const marker = Buffer.from('0000ffff', 'hex');

const segment = (plain: Uint8Array, options = {}) =>
  deflateRawSync(plain, { finishFlush: constants.Z_SYNC_FLUSH, ...options });

/** The same bytes in chunks of their own. */
const givenChunks = (bytes: Uint8Array, size: number) => {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(Uint8Array.from(bytes.subarray(at, at + size)));
  return fromChunks(...chunks);
};

/** All that comes out, and how it ends. */
async function outcome(plain: AsyncIterable<Uint8Array>): Promise<{ bytes: Buffer; ending: string }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of plain) parts.push(Uint8Array.from(part));
    return { bytes: Buffer.concat(parts), ending: 'whole' };
  } catch (error) {
    assert.ok(error instanceof BackupError, String(error));
    return { bytes: Buffer.concat(parts), ending: error.code };
  }
}

/** Checks that both ways say the same; what comes before an error may be more or less, but not other bytes. */
async function assertAgree(stream: Uint8Array, size: number): Promise<string> {
  const ours = await outcome(inflatePieces(givenChunks(stream, size)));
  const serial = await outcome(inflate(givenChunks(stream, size), 'raw'));
  assert.equal(ours.ending, serial.ending);
  const length =
    ours.ending === 'whole' ? serial.bytes.length : Math.min(ours.bytes.length, serial.bytes.length);
  if (ours.ending === 'whole') assert.equal(ours.bytes.length, length);
  assert.ok(ours.bytes.subarray(0, length).equals(serial.bytes.subarray(0, length)));
  return ours.ending;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

const contents = fc.oneof(
  fc.nat({ max: 3_000 }).map(text),
  fc.tuple(fc.nat({ max: 3_000 }), fc.nat({ max: 9 })).map(([length, seed]) => noise(length, `${seed}`)),
  fc.nat({ max: 60_000 }).map(length => Buffer.alloc(length, 7)),
);
/** Things that look like a boundary, and are none. */
const nested = contents.map(plain =>
  Buffer.concat([noise(50), segment(plain), segment(text(99)), deflateEnd, marker, marker]),
);
const segments = fc.oneof(
  contents.map(plain => segment(plain)),
  contents.map(storedBlocks),
  nested.map(storedBlocks),
  nested.map(plain => segment(plain)),
  nested.map(plain => segment(plain, { level: 0 })),
  fc.tuple(contents, fc.nat({ max: 9 })).map(([plain, level]) => segment(plain, { level })),
  contents.map(plain => segment(plain, { strategy: constants.Z_FIXED })),
  contents.map(plain => segment(plain, { dictionary: text(3_000) })), // refers to what may not be there
  fc.constant(marker),
  fc.constant(Buffer.concat([Uint8Array.of(0), marker])),
);
const streams = fc.array(segments, { maxLength: 8 }).map(parts => {
  return Buffer.concat([ourStart, ...parts, deflateEnd]);
});
const sizes = fc.constantFrom(1, 7, 1_000, 65_536, 1_000_000);

test('inflatePieces() gives what one engine gives', () =>
  fc.assert(
    fc.asyncProperty(streams, sizes, async (stream, size) => {
      await assertAgree(stream, stream.length > 20_000 ? Math.max(size, 1_000) : size);
    }),
    { numRuns: 200 },
  ));

test('inflatePieces() inflates independent segments', async () => {
  const plain = [text(300_000), noise(200_000), text(600_000), text(5)];
  const parts = [segment(plain[0]!), storedBlocks(plain[1]!), segment(plain[2]!), segment(plain[3]!)];
  const stream = Buffer.concat([ourStart, ...parts, deflateEnd]);
  const { bytes, ending } = await outcome(inflatePieces(givenChunks(stream, 65_536)));
  assert.equal(ending, 'whole');
  assert.ok(bytes.subarray(7).equals(Buffer.concat(plain)));
  assert.ok(bytes.equals(inflateRawSync(stream)));
});

test('inflatePieces() goes on alone where segments refer to what came before', async () => {
  const words = text(100_000);
  const stream = Buffer.concat([
    ourStart,
    segment(words),
    segment(words, { dictionary: words.subarray(-32_768) }),
    segment(noise(40_000)),
    segment(words, { dictionary: noise(40_000).subarray(-32_768) }),
    deflateEnd,
  ]);
  assert.equal(await assertAgree(stream, 9_999), 'whole');
});

test('inflatePieces() is not misled by markers inside stored, fixed or dynamic blocks', async () => {
  const inner = Buffer.concat([segment(text(500)), segment(text(900))]);
  const bait = Buffer.concat([text(20_000), inner, text(20_000), marker, inner, marker]);
  for (const options of [{ level: 0 }, { level: 1 }, { level: 9 }, { strategy: constants.Z_FIXED }]) {
    const stream = Buffer.concat([ourStart, segment(bait, options), segment(bait, options), deflateEnd]);
    assert.equal(await assertAgree(stream, 50_000), 'whole');
  }
});

test('inflatePieces() is not misled where bytes behind a false marker fit any number of blocks', async () => {
  for (let left = 0; left < PROBE.length + 50; left++) {
    const content = Buffer.concat([text(20), Uint8Array.of(0), marker, text(left)]);
    const block = Buffer.from(storedBlocks(content));
    block[0] = 0xf8; // padding that is not zero: a block that zlib has to read
    const stream = Buffer.concat([ourStart, segment(text(99)), block, segment(text(99)), deflateEnd]);
    assert.equal(await assertAgree(stream, 5_000), 'whole');
  }
});

test('no block that begins inside the probe ends with its last byte', () => {
  const bits = [...PROBE].flatMap(byte => Array.from({ length: 8 }, (_, i) => (byte >> i) & 1));
  const final = bits.length - 8 * deflateEnd.length;
  const history = storedBlocks(noise(33_000)); // for whatever a block may refer to
  for (let from = 0; from < bits.length; from++) {
    // A block of fixed codes that ends where `from` is in its byte (RFC 1951 §3.2.6): literals of 8 and of 9 bits.
    const nines = (from + 6) % 8;
    const block = [0, 1, 0, ...Array(nines).fill([1, 1, 0, 0, 1, 0, 0, 0, 0]).flat(), 0, 0, 0, 0, 0, 0, 0];
    const stream = [...block, ...bits.slice(from)];
    const behind = Buffer.alloc(Math.ceil(stream.length / 8));
    stream.forEach((bit, i) => {
      behind[i >> 3]! |= bit << (i & 7);
    });
    const bytes = Buffer.concat([history, behind]);
    const info = () => inflateRawSync(bytes, { info: true } as object) as unknown as { engine: InflateRaw };
    const used = attempt(() => info().engine.bytesWritten);
    const isWhole = from === 0 || from === final; // only stored content gets there, and is seen
    assert.equal(used === bytes.length, isWhole, `at bit ${from}`);
  }
});

test('inflatePieces() takes much output and long stretches without a marker', async () => {
  const zeros = Buffer.alloc(9_000_000);
  const long = deflateRawSync(Buffer.concat([noise(1_500_000), text(900_000)]), { level: 1 });
  const stream = Buffer.concat([ourStart, segment(zeros), segment(text(9)), segment(zeros), long]);
  assert.equal(await assertAgree(stream, 262_144), 'whole');
});

test('inflatePieces() finds damage as one engine does: cut anywhere, a bit flipped anywhere, something behind', async () => {
  const parts = [segment(text(400)), storedBlocks(noise(60)), segment(text(300)), segment(noise(20))];
  const stream = Buffer.concat([ourStart, ...parts, deflateEnd]);
  for (let length = 0; length < stream.length; length++)
    assert.equal(await assertAgree(stream.subarray(0, length), 64), 'damaged');
  for (let bit = 0; bit < stream.length * 8; bit += 3) {
    const flipped = Buffer.from(stream);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    await assertAgree(flipped, 1_000);
  }
  assert.equal(await assertAgree(Buffer.concat([stream, Uint8Array.of(0)]), 64), 'damaged');
  assert.equal(await assertAgree(Buffer.concat([stream, ...parts, deflateEnd]), 64), 'damaged');
});

test('inflatePieces() closes its source when the reader stops, and passes on its errors', async () => {
  const stream = Buffer.concat([ourStart, ...Array(20).fill(segment(text(200_000))), deflateEnd]);
  let isClosed = false;
  async function* source() {
    try {
      yield* givenChunks(stream, 10_000);
    } finally {
      isClosed = true;
    }
  }
  for await (const _ of inflatePieces(source())) break;
  assert.ok(isClosed);

  const fault = new Error('the disk is gone');
  async function* failing() {
    yield* givenChunks(stream.subarray(0, 60_000), 10_000);
    throw fault;
  }
  await assert.rejects(async () => {
    for await (const _ of inflatePieces(failing()));
  }, fault);
});
