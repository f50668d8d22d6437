import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDelta } from '../../src/rsync/delta.ts';
import { createDeltaReader } from '../../src/rsync/delta-reader.ts';
import { createKernel } from '../../src/rsync/kernel.ts';
import { createSigner } from '../../src/rsync/signature.ts';
import { needTool } from '../support/tools.ts';
import {
  basisAndEdits,
  deltaOf,
  hex,
  kernels,
  noise,
  patched,
  pieces,
  rdiff,
  rdiffSignature,
  signatureOf,
} from './support.ts';

const KiB = 1024;

/** Commands in words, for tests that care which ones there are. */
function commandsOf(delta: Uint8Array): string[] {
  const commands: string[] = [];
  const reader = createDeltaReader({
    literal: bytes => commands.push(`literal ${bytes.length}`),
    copy: (position, length) => commands.push(`copy ${position} ${length}`),
  });
  reader.push(delta);
  reader.end();
  return commands;
}

for (const kernel of kernels) {
  const deltaBetween = (basis: Uint8Array, edited: Uint8Array, blockLength: number): Uint8Array =>
    deltaOf(kernel, signatureOf(kernel, basis, blockLength), edited);

  test(`Delta (${kernel.name}) makes the bytes of deltas in real archives`, () => {
    const delta = (basis: string, edited: string) =>
      hex(deltaBetween(Buffer.from(basis), Buffer.from(edited), 512));
    assert.equal(delta('hello\n', 'hello world\n'), '727302360c68656c6c6f20776f726c640a00');
    assert.equal(delta('x', 'x'), '7273023645000100');
    assert.equal(delta('y'.repeat(600), 'y'.repeat(600)), '727302364600025800');
    assert.equal(delta('', 'full'), '727302360466756c6c00');
    assert.equal(delta('full', ''), '7273023600');
    assert.equal(delta('', ''), '7273023600');
  });

  test(`Delta (${kernel.name}) gives back the new file, for any edits and block length`, () => {
    fc.assert(
      fc.property(basisAndEdits, fc.integer({ min: 1, max: 300 }), ({ basis, edited }, blockLength) => {
        assert.equal(hex(patched(basis, deltaBetween(basis, edited, blockLength))), hex(edited));
      }),
    );
  });

  test(`Delta (${kernel.name}) of an unchanged file is one copy`, () => {
    for (const basis of [noise(100_000), noise(102_400), new Uint8Array(100_000)]) {
      assert.deepEqual(commandsOf(deltaBetween(basis, basis, 512)), [`copy 0 ${basis.length}`]);
    }
  });

  test(`Delta (${kernel.name}) finds blocks behind inserted and removed bytes`, () => {
    const basis = noise(10_000);
    const edited = Buffer.concat([basis.subarray(0, 1000), Buffer.from('new'), basis.subarray(2000)]);
    assert.deepEqual(commandsOf(deltaBetween(basis, edited, 100)), [
      'copy 0 1000',
      'literal 3',
      'copy 2000 8000',
    ]);
  });

  test(`Delta (${kernel.name}) uses sums that the new signature has already`, () => {
    const numbers = fc.record({
      blockLength: fc.integer({ min: 1, max: 300 }),
      blocks: fc.integer({ min: 1, max: 9 }),
    });
    const once = (basis: Uint8Array, edited: Uint8Array, blockLength: number, blocks: number) => {
      const parts: Uint8Array[] = [];
      const [delta, signer] = [createDelta(kernel), createSigner(kernel)];
      delta.start(signatureOf(kernel, basis, blockLength), part => parts.push(Uint8Array.from(part)));
      signer.start(blockLength);
      for (const piece of pieces(edited, blocks * blockLength)) {
        if (piece.length === blocks * blockLength) delta.pushBlocks(piece, signer.pushBlocks(piece));
        else {
          signer.push(piece);
          delta.push(piece);
        }
      }
      delta.end();
      return { delta: Buffer.concat(parts), signature: hex(signer.end()) };
    };
    fc.assert(
      fc.property(basisAndEdits, numbers, ({ basis, edited }, { blockLength, blocks }) => {
        const { delta, signature } = once(basis, edited, blockLength, blocks);
        assert.equal(hex(patched(basis, delta)), hex(edited));
        assert.equal(signature, hex(signatureOf(kernel, edited, blockLength)));
      }),
      { numRuns: 300 },
    );
    const [basis, inserted] = [noise(10_000), noise(10_000)];
    inserted.set(noise(10, 3), 4321);
    const { delta } = once(
      basis,
      Buffer.concat([inserted.subarray(0, 7000), noise(5, 4), inserted.subarray(7000)]),
      100,
      3,
    );
    assert.deepEqual(commandsOf(delta), [
      ...['copy 0 4300', 'literal 100', 'copy 4400 2600', 'literal 5', 'copy 7000 3000'],
    ]);
  });

  test(`Delta (${kernel.name}) matches a short last block at the end only`, () => {
    const basis = noise(1030);
    const tail = basis.subarray(1000);
    const edited = Buffer.concat([tail, noise(500, 2), tail]);
    assert.deepEqual(commandsOf(deltaBetween(basis, edited, 100)), ['literal 530', 'copy 1000 30']);
    assert.deepEqual(commandsOf(deltaBetween(basis, tail, 100)), ['copy 1000 30']);
    assert.deepEqual(commandsOf(deltaBetween(tail, edited, 100)), ['literal 530', 'copy 0 30']);
  });

  test(`Delta (${kernel.name}) cuts long literals, and bounds its output`, () => {
    const edited = noise(200_000);
    const sizes: number[] = [];
    const delta = createDelta(kernel);
    delta.start(signatureOf(kernel, noise(5000, 7), 512), part => sizes.push(part.length));
    delta.push(edited);
    delta.end();
    assert.ok(Math.max(...sizes) <= 128 * KiB);
    assert.deepEqual(commandsOf(deltaBetween(noise(5000, 7), edited, 512)), [
      'literal 65535',
      'literal 65535',
      'literal 65535',
      'literal 3395',
    ]);
  });

  test(`Delta (${kernel.name}) takes a million equal blocks without trouble`, () => {
    const zeros = new Uint8Array(4_000_002);
    const commands = commandsOf(deltaBetween(zeros, Buffer.concat([zeros, Buffer.from('x')]), 4));
    assert.deepEqual(commands, ['copy 0 4000000', 'literal 3']);
  });

  test(`Delta (${kernel.name}) takes blocks that differ but share one weak sum without trouble`, () => {
    // 1, -2, 1 added to neighbours changes neither of the two sums.
    const length = 64;
    const blocks = Array.from({ length: 40_000 }, (_, i) => {
      const block = new Uint8Array(length).fill(100);
      for (let k = 0; k < 16; k++) {
        const step = (i >> k) & 1;
        block[4 * k]! += step;
        block[4 * k + 1]! -= 2 * step;
        block[4 * k + 2]! += step;
      }
      return block;
    });
    const basis = Buffer.concat(blocks);
    assert.deepEqual(commandsOf(deltaBetween(basis, basis, length)), [`copy 0 ${basis.length}`]);
    const reversed = Buffer.concat(blocks.reverse());
    assert.equal(hex(patched(basis, deltaBetween(basis, reversed, length))), hex(reversed));
  });

  test(`Delta (${kernel.name}) stops hashing where weak sums mislead, and then finds aligned blocks still`, () => {
    const length = 1024 * KiB;
    const misleading = new Uint8Array(length).fill(100);
    misleading.set([101, 98, 101], 5000); // the weak sum of a block of 100s, which it is not
    const good = noise(length);
    const basis = Buffer.concat([misleading, good, good, misleading]);
    const edited = Buffer.concat([new Uint8Array(2 * length).fill(100), good]);
    const delta = deltaBetween(basis, edited, length);
    assert.equal(commandsOf(delta).at(-1), `copy ${2 * length} ${length}`);
    assert.equal(hex(patched(basis, delta)), hex(edited));
  });

  test(`Delta (${kernel.name}) bounds its memory by block and signature, also where a file is longer`, () => {
    const basis = noise(700_000);
    const edited = Buffer.concat([noise(300_001, 3), basis, noise(10, 4), basis]);
    const delta = deltaBetween(basis, edited, 200_000);
    assert.equal(hex(patched(basis, delta)), hex(edited));
    assert.ok(delta.length < 301_000 + 2 * 100_000 + 100);
  });

  test(`Delta (${kernel.name}) looks at all bytes of a strong sum`, () => {
    const whole = Buffer.from(
      `72730136${'00000200'}${'00000010'}0571022fb3f9b369e8eee2a3${'00'.repeat(8)}`,
      'hex',
    );
    assert.deepEqual(commandsOf(deltaOf(kernel, whole, Buffer.from('full'))), ['literal 4']);
  });

  test(`Delta (${kernel.name}) applied by rdiff gives the new file`, t => {
    if (!needTool(t, 'rdiff')) return;
    for (const { basis, edited } of fc.sample(basisAndEdits, { numRuns: 20, seed: 5 })) {
      const delta = deltaBetween(basis, edited, 40);
      assert.equal(hex(rdiff([], 'patch', basis, delta)), hex(edited));
    }
  });

  test(`Delta (${kernel.name}) equals that of rdiff where blocks differ from each other`, t => {
    if (!needTool(t, 'rdiff')) return;
    for (const blockLength of [16, 100, 512]) {
      const basis = noise(20_050, blockLength);
      const edited = Buffer.concat([
        basis.subarray(0, 7001),
        noise(300, 2),
        basis.subarray(12_000),
        basis.subarray(0, 3000),
        basis.subarray(19_000),
      ]);
      const signature = rdiffSignature(basis, blockLength);
      assert.equal(hex(deltaOf(kernel, signature, edited)), hex(rdiff([], 'delta', signature, edited)));
    }
  });
}

test('Delta does not depend on the kernel or the size of chunks', () => {
  fc.assert(
    fc.property(
      basisAndEdits,
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 999 }),
      ({ basis, edited }, blockLength, chunkLength) => {
        const signature = signatureOf(kernels[0]!, basis, blockLength);
        const delta = hex(deltaOf(kernels[0]!, signature, edited));
        for (const kernel of kernels) {
          assert.equal(hex(deltaOf(kernel, signature, edited, chunkLength)), delta);
        }
      },
    ),
  );
});

test('Delta does not depend on where its window ends', () => {
  const basis = noise(1_500_000);
  const edited = Buffer.concat([noise(70_000, 2), basis.subarray(100_001), basis.subarray(0, 400_000)]);
  const [first] = kernels;
  for (const blockLength of [512, 2048, 131_072]) {
    const signature = signatureOf(first!, basis, blockLength);
    const delta = deltaOf(first!, signature, edited);
    assert.equal(hex(patched(basis, delta)), hex(edited));
    for (const chunkLength of [1009, 300_007, edited.length]) {
      for (const kernel of kernels) {
        assert.equal(hex(deltaOf(kernel, signature, edited, chunkLength)), hex(delta));
      }
    }
  }
});

test('Delta is reused, also after a file that was broken off and after a huge one', () => {
  const kernel = createKernel();
  const delta = createDelta(kernel);
  const small = signatureOf(kernel, Buffer.from('x'), 512);
  const huge = signatureOf(kernel, Buffer.from('x'), 8 * 1024 * KiB);
  delta.start(small, () => {});
  delta.push(noise(500_000));
  for (const signature of [small, huge, small]) {
    const parts: Uint8Array[] = [];
    delta.start(signature, part => parts.push(Uint8Array.from(part)));
    delta.push(Buffer.from('x'));
    delta.end();
    assert.equal(hex(Buffer.concat(parts)), '7273023645000100');
  }
});

test('Delta refuses a damaged signature', () => {
  const delta = createDelta(createKernel());
  assert.throws(() => delta.start(Buffer.from('7273013600', 'hex'), () => {}), { code: 'damaged' });
});
