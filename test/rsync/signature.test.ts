import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { blockLengthFor, createSigner, MAX_BLOCK_LENGTH, parseSignature } from '../../src/rsync/signature.ts';
import { needTool } from '../support/tools.ts';
import { hex, kernels, noise, rdiffSignature, signatureOf } from './support.ts';

const MiB = 2 ** 20;

test('blockLengthFor grows as the format says, at its boundaries', () => {
  const lengths = [0, 1023999, 1024000, 2047999, 2048000, 3071999, 3072000, 4096000, 5000000];
  assert.deepEqual(
    lengths.map(size => blockLengthFor(size)),
    [1024, 1024, 1024, 1024, 1024, 1024, 1536, 2048, 2048],
  );
  assert.equal(blockLengthFor(2048000, 1000), 1000);
  assert.equal(blockLengthFor(100, 512), 512);
  assert.equal(blockLengthFor(5000000, 4096), 2048);
  assert.equal(blockLengthFor(9000000, 4096), 4096);
});

test('blockLengthFor keeps the number of blocks of a huge file bounded', () => {
  assert.equal(blockLengthFor(256 * MiB), 2048);
  assert.equal(blockLengthFor(256 * MiB + 1), 2560);
  assert.equal(blockLengthFor(1024 ** 4), 8 * MiB);
  assert.equal(blockLengthFor(Number.MAX_SAFE_INTEGER), MAX_BLOCK_LENGTH);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 8 * 1024 ** 4 }), size => {
      assert.ok(Math.ceil(size / blockLengthFor(size)) <= 131072);
    }),
  );
});

for (const kernel of kernels) {
  test(`Signer (${kernel.name}) makes the bytes of signatures in real archives`, () => {
    const signature = (text: string) => hex(signatureOf(kernel, Buffer.from(text), 512));
    assert.equal(signature(''), '727301360000020000000008');
    assert.equal(signature('full'), '7273013600000200000000080571022fb3f9b369e8eee2a3');
    assert.equal(signature('hello\n'), '7273013600000200000000080ad002d863481c78ae04c201');
    assert.equal(signature('x'), '72730136000002000000000800970097' + '51b834b7c1ef0b59');
  });

  test(`Signer (${kernel.name}) equals rdiff for any content, length and block length`, t => {
    if (!needTool(t, 'rdiff')) return;
    for (const blockLength of [1, 7, 55, 56, 63, 64, 65, 512, 2048, 5000, 300000]) {
      const lengths = [1, blockLength - 1, blockLength, 3 * blockLength + 1, 13 * blockLength + 1];
      for (const length of [...lengths, 1000 + (blockLength % 9)]) {
        const bytes = noise(length, blockLength).map(byte => (length % 2 ? byte : byte | 0xf0));
        assert.equal(
          hex(signatureOf(kernel, bytes, blockLength)),
          hex(rdiffSignature(bytes, blockLength)),
          `${length} bytes in blocks of ${blockLength}`,
        );
      }
    }
  });

  test(`Signer (${kernel.name}) does not depend on the size of chunks`, () => {
    const bytes = noise(700_000);
    for (const blockLength of [100, 512, 2048, 400_000]) {
      const whole = hex(signatureOf(kernel, bytes, blockLength, bytes.length));
      for (const size of [997, 65536, 262144, 300_000]) {
        assert.equal(hex(signatureOf(kernel, bytes, blockLength, size)), whole);
      }
    }
  });

  test(`Signer (${kernel.name}) is reused, also after a file that was broken off and after a huge block`, () => {
    const signer = createSigner(kernel);
    signer.start(512);
    signer.push(noise(400_000));
    for (const blockLength of [512, 6 * MiB, 512]) {
      signer.start(blockLength);
      signer.push(Buffer.from('full'));
      assert.equal(hex(signer.end().subarray(12)), '0571022fb3f9b369e8eee2a3');
    }
  });

  test(`Signer (${kernel.name}) counts bytes above 2^16 blocks of 255 right`, t => {
    if (!needTool(t, 'rdiff')) return;
    const bytes = new Uint8Array(3 * MiB + 77).fill(255);
    assert.equal(hex(signatureOf(kernel, bytes, 2 * MiB)), hex(rdiffSignature(bytes, 2 * MiB)));
  });
}

test('Signer of every kernel gives the same for any bytes', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 3000 }),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 99 }),
      (bytes, blockLength, chunkLength) => {
        const [first, ...others] = kernels.map(kernel =>
          hex(signatureOf(kernel, bytes, blockLength, chunkLength)),
        );
        for (const other of others) assert.equal(other, first);
        assert.equal(hex(signatureOf(kernels[0]!, bytes, blockLength)), first);
      },
    ),
  );
});

test('parseSignature reads what a signer made', () => {
  const signature = signatureOf(kernels[0]!, noise(1025), 512);
  assert.deepEqual(parseSignature(signature), {
    blockLength: 512,
    strongLength: 8,
    entryLength: 12,
    count: 3,
  });
});

test('parseSignature reads whole MD4 sums as well', () => {
  const signature = Buffer.from(`7273013600000200${'00000010'}${'00'.repeat(40)}`, 'hex');
  assert.deepEqual(parseSignature(signature), {
    blockLength: 512,
    strongLength: 16,
    entryLength: 20,
    count: 2,
  });
});

test('parseSignature refuses what breaks the format', () => {
  const broken = {
    'an empty file': '',
    'half a header': '7273013600000200',
    'another magic number': '727301370000020000000008',
    'blocks of no bytes': '727301360000000000000008',
    'blocks that no memory holds': '727301360400000100000008',
    'weak strong sums': '727301360000020000000007',
    'long strong sums': '727301360000020000000011',
    'half an entry': '7273013600000200000000080571022fb3f9b369e8eee2',
  };
  for (const [what, bytes] of Object.entries(broken)) {
    assert.throws(() => parseSignature(Buffer.from(bytes, 'hex')), { code: 'damaged' }, what);
  }
});
