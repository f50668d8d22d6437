import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../src/errors.ts';
import { collect } from '../../src/streams.ts';
import {
  ByteSource,
  createPartialPacket,
  encodePacketHeader,
  readPacketBody,
  readPacketHeader,
  readSmallBody,
} from '../../src/volumes/openpgp-packet.ts';
import { lentChunks, noise } from './openpgp-support.ts';

const isDamaged = (error: unknown) => error instanceof BackupError && error.code === 'damaged';

async function readPacket(bytes: Uint8Array, size = 5): Promise<{ tag: number; body: Uint8Array }> {
  const source = new ByteSource(lentChunks(bytes, size));
  const header = await readPacketHeader(source);
  assert.ok(header);
  const body = await collect(readPacketBody(source, header));
  assert.equal(await source.fill(), false);
  return { tag: header.tag, body };
}

test('readPacketHeader() knows all lengths of both formats', async () => {
  const cases: [string, number, number][] = [
    ['8c 0d', 3, 13],
    ['99 0102', 6, 258],
    ['9a 00010203', 6, 0x10203],
    ['a3', 8, Number.POSITIVE_INFINITY],
    ['c3 0d', 3, 13],
    ['d2 c000', 18, 192],
    ['d2 dfff', 18, 8383],
    ['d2 ff 00010000', 18, 65536],
  ];
  for (const [hex, tag, length] of cases) {
    const source = new ByteSource(lentChunks(Buffer.from(hex.replaceAll(' ', ''), 'hex'), 1));
    assert.deepEqual(await readPacketHeader(source), { tag, length, partial: false }, hex);
  }
  const partial = new ByteSource(lentChunks(Uint8Array.of(0xd2, 0xed), 1));
  assert.deepEqual(await readPacketHeader(partial), { tag: 18, length: 8192, partial: true });
  assert.equal(await readPacketHeader(partial), undefined);
});

test('readPacketHeader() and readPacketBody() of what is cut short are damaged', async () => {
  for (const hex of ['8d00', 'd2', 'd2c0', 'd2ff0001', 'd20511', 'd2e111', 'd2e11122', '05']) {
    await assert.rejects(readPacket(Buffer.from(hex, 'hex')), isDamaged, hex);
  }
});

test('readPacketBody() joins parts of any size', async () => {
  const packet = Buffer.from('d2 e1 1122 e0 33 e2 44556677 01 88'.replaceAll(' ', ''), 'hex');
  for (let size = 1; size <= packet.length; size++)
    assert.equal(Buffer.from((await readPacket(packet, size)).body).toString('hex'), '1122334455667788');
});

test('readSmallBody() refuses more than it was told to expect', async () => {
  const source = new ByteSource(lentChunks(noise(50), 10));
  await assert.rejects(readSmallBody(source, { tag: 3, length: 51, partial: false }, 50), isDamaged);
  await assert.rejects(readSmallBody(source, { tag: 3, length: 8, partial: true }, 50), isDamaged);
  assert.equal((await readSmallBody(source, { tag: 3, length: 50, partial: false }, 50)).length, 50);
});

test('encodePacketHeader() uses the shortest length that readPacketHeader() reads back', async () => {
  for (const [length, bytes] of [
    [0, 2],
    [191, 2],
    [192, 3],
    [8383, 3],
    [8384, 6],
    [2 ** 32 - 1, 6],
  ] as const) {
    const header = encodePacketHeader(18, length);
    assert.equal(header.length, bytes);
    const read = await readPacketHeader(new ByteSource(lentChunks(header, 9)));
    assert.deepEqual(read, { tag: 18, length, partial: false });
  }
});

test('createPartialPacket() gives the same bytes however it is pushed, and readPacketBody() the body', () => {
  const bytes = noise(300_000);
  return fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.nat({ max: 300_000 }), fc.constantFrom(0, 65535, 65536, 65537, 131072)),
      fc.integer({ min: 1000, max: 200_000 }),
      async (length, size) => {
        const body = bytes.subarray(0, length);
        const packet = createPartialPacket(18);
        const out: Uint8Array[] = [];
        for (let from = 0; from < length; from += size)
          out.push(packet.push(body.subarray(from, Math.min(length, from + size))));
        const written = Buffer.concat([...out, packet.end()]);
        const whole = createPartialPacket(18);
        assert.deepEqual(written, Buffer.concat([whole.push(body), whole.end()]));
        const read = await readPacket(written, 7_000);
        assert.equal(read.tag, 18);
        assert.deepEqual(Buffer.from(read.body), body);
      },
    ),
    { numRuns: 40 },
  );
});
