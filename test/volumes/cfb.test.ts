import assert from 'node:assert/strict';
import { createDecipheriv } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createAesCfbDecipher } from '../../src/volumes/cfb.ts';
import { noise } from './openpgp-support.ts';

const lengths = fc.oneof(
  fc.nat({ max: 50 }),
  fc.nat({ max: 5_000 }),
  fc.constantFrom(15, 16, 17, 65_536, 65_537),
);

test("createAesCfbDecipher() decrypts as OpenSSL's own CFB does, however the message is cut", () =>
  fc.assert(
    fc.property(fc.constantFrom(16, 24, 32), fc.array(lengths, { maxLength: 12 }), (keyLength, cuts) => {
      const key = noise(keyLength, 'key');
      const ours = createAesCfbDecipher(key);
      const theirs = createDecipheriv(`aes-${keyLength * 8}-cfb`, key, Buffer.alloc(16));
      for (const [i, length] of cuts.entries()) {
        const piece = noise(length + 3, `piece ${i}`).subarray(3);
        assert.deepEqual(Buffer.from(ours.update(piece)), theirs.update(piece));
      }
    }),
  ));

test('createAesCfbDecipher() keeps what it gave, and reads only what it is lent', () => {
  const key = noise(32, 'key');
  const message = noise(100, 'message');
  const ours = createAesCfbDecipher(key);
  const lent = Buffer.from(message);
  const first = ours.update(lent.subarray(0, 40));
  const second = ours.update(lent.subarray(40));
  assert.deepEqual(lent, message);
  lent.fill(0);
  const plain = createDecipheriv('aes-256-cfb', key, Buffer.alloc(16)).update(message);
  assert.deepEqual(Buffer.concat([first, second]), plain);
});
