import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createAesCfbDecryptor, createAesCfbEncryptor } from '../../src/volumes/cfb.ts';

test('createAesCfbDecryptor() gives what the cipher in its own mode gives, however it is chunked', () =>
  fc.assert(
    fc.property(
      fc.constantFrom(16, 24, 32),
      fc.uint8Array({ maxLength: 400 }),
      fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 0, max: 7 }),
      (keyLength, plain, sizes, skew) => {
        const cipher = `aes-${keyLength * 8}`;
        const key = Buffer.alloc(keyLength, 0x5a);
        const sealed = createCipheriv(`${cipher}-cfb`, key, Buffer.alloc(16)).update(plain);
        const decryptor = createAesCfbDecryptor(cipher, key);
        const opened: Buffer[] = [];
        let held: Uint8Array | undefined; // now and then, as who looks for the end of a message does
        for (let at = 0, i = 0; at < sealed.length; i++) {
          const part = sealed.subarray(at, at + sizes[i % sizes.length]!);
          // At any place in memory, aligned or not.
          decryptor.add(Buffer.concat([Buffer.alloc(skew), part]).subarray(skew));
          at += part.length;
          if (i % 5 === 4 && at < sealed.length) continue;
          const out = decryptor.take(held);
          assert.equal(decryptor.length, 0);
          const sure = i % 3 === 0 ? Math.max(0, out.length - 22) : out.length;
          opened.push(out.subarray(0, sure));
          held = sure < out.length ? out.subarray(sure) : undefined;
        }
        assert.deepEqual(Buffer.concat([...opened, held ?? Buffer.alloc(0)]), Buffer.from(plain));
      },
    ),
    { numRuns: 300 },
  ));

test('createAesCfbEncryptor() gives what the cipher in its own mode gives, however it is chunked', () =>
  fc.assert(
    fc.property(
      fc.constantFrom(16, 24, 32),
      fc.uint8Array({ maxLength: 400 }),
      fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 0, max: 7 }),
      (keyLength, plain, sizes, skew) => {
        const cipher = `aes-${keyLength * 8}`;
        const key = Buffer.alloc(keyLength, 0x5a);
        const encryptor = createAesCfbEncryptor(cipher, key);
        const sealed: Buffer[] = [];
        for (let at = 0, i = 0; at < plain.length; i++) {
          // The last part is all that is left, so that parts of length 0 come to an end.
          const part = plain.subarray(at, i < 50 ? at + sizes[i % sizes.length]! : plain.length);
          const lent = Buffer.concat([Buffer.alloc(skew), part]).subarray(skew);
          sealed.push(Buffer.from(encryptor.update(lent)));
          assert.deepEqual(lent, Buffer.from(part)); // as it was
          at += part.length;
        }
        const expected = createCipheriv(`${cipher}-cfb`, key, Buffer.alloc(16)).update(plain);
        assert.deepEqual(Buffer.concat(sealed), expected);
      },
    ),
    { numRuns: 300 },
  ));
