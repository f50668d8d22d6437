import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { BackupError } from '../../src/errors.ts';
import { collect } from '../../src/streams.ts';
import { bunzip2 } from '../../src/volumes/bunzip2.ts';
import { ByteSource } from '../../src/volumes/openpgp-packet.ts';
import { needTool } from '../support/tools.ts';
import { lentChunks, noise, text } from './openpgp-support.ts';

const unpack = async (packed: Uint8Array, size = 4_000, piece?: number) =>
  Buffer.from(await collect(bunzip2(new ByteSource(lentChunks(packed, size)), piece)));

const damaged = (error: unknown) => error instanceof BackupError && error.code === 'damaged';

const plain = Buffer.from(`${'bananas, '.repeat(3)}${'a'.repeat(300)}\n`);
const packed = Buffer.from(
  'QlpoMTFBWSZTWXgv5NMAAA3RgIAQQCQwAQgAAAggADEGTEDamkxqOz3FE1riIdqNC+LuSKcKEg8F/Jpg',
  'base64',
);
const empty = Buffer.from('425a683917724538509000000000', 'hex');

/** As libbz2 packs it, the library that gpg uses. */
function pack(data: Uint8Array, level: number): Buffer {
  const python =
    'import bz2,sys;sys.stdout.buffer.write(bz2.compress(sys.stdin.buffer.read(),int(sys.argv[1])))';
  const run = spawnSync('python3', ['-c', python, String(level)], { input: data, maxBuffer: 2 ** 28 });
  assert.equal(run.status, 0, run.stderr.toString());
  return run.stdout;
}

test('bunzip2() gives a known text back, and nothing for an empty stream, however they are chunked', async () => {
  for (const [size, piece] of [
    [1, 1],
    [7, 100],
    [4_000, undefined],
  ] as const) {
    assert.deepEqual(await unpack(packed, size, piece), plain);
    assert.deepEqual(await unpack(empty, size, piece), Buffer.alloc(0));
  }
});

test('bunzip2() reads what libbz2 packs, of many blocks, of any level', async t => {
  if (!needTool(t, 'python3')) return;
  const runs = Buffer.concat(
    Array.from({ length: 2_000 }, (_, i) => Buffer.alloc((i * i) % 700, i % 3 === 0 ? 0 : i)),
  );
  const cases = [
    ...[text(1_200_000), noise(950_000), runs, Buffer.alloc(2_000_000), Buffer.from('x')],
    Buffer.concat([noise(350_000), Buffer.alloc(900_000, 255), text(400_000)]),
  ];
  for (const [i, data] of cases.entries())
    for (const level of [1, 9])
      assert.ok((await unpack(pack(data, level), 70_000)).equals(data), `case ${i}, level ${level}`);
});

test('bunzip2() refuses what is cut short, changed anywhere, or followed by something', async () => {
  for (let length = 0; length < packed.length; length++)
    await assert.rejects(unpack(packed.subarray(0, length)), damaged, `cut to ${length}`);
  for (let bit = 0; bit < packed.length * 8 - 7; bit++) {
    const changed = Buffer.from(packed);
    changed[bit >> 3]! ^= 0x80 >> (bit & 7);
    // A higher level only allows for larger blocks, and bits of unused codes say nothing: the text may come back.
    await unpack(changed).then(
      found => assert.deepEqual(found, plain, `bit ${bit}`),
      error => assert.ok(damaged(error), `bit ${bit}: ${error}`),
    );
  }
  await assert.rejects(unpack(Buffer.concat([packed, packed])), damaged);
  await assert.rejects(unpack(Buffer.concat([empty, Buffer.alloc(1)])), damaged);
  await assert.rejects(unpack(noise(5_000)), damaged);
});
