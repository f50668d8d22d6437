import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWasmXor, xorWords } from '../../src/volumes/xor.ts';

const kinds = { xorWords, 'what createWasmXor() gives': createWasmXor()! };

for (const [name, xor] of Object.entries(kinds)) {
  test(`${name} XORs what it should, and nothing beside it`, () =>
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 80, maxLength: 80 }),
        ...[fc.nat({ max: 3 }), fc.nat({ max: 3 }), fc.nat({ max: 1200 })],
        (seed, at, otherAt, blocks) => {
          const length = 16 * blocks;
          const target = Buffer.alloc(length + 128, seed);
          const other = Buffer.alloc(length + 64, seed.subarray(7));
          const expected = target.map((byte, i) => {
            const inside = i >= 16 * at && i < 16 * at + length;
            return inside ? byte ^ other[i - 16 * at + 16 * otherAt]! : byte;
          });
          xor(target, 16 * at, other, 16 * otherAt, length);
          assert.deepEqual(target, expected);
        },
      ),
      { numRuns: 100 },
    ));
}
