import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../src/errors.ts';
import {
  decodeCount,
  decodeS2k,
  deriveKey,
  deriveKeyInTurns,
  encodeCount,
} from '../../src/volumes/openpgp-s2k.ts';
import { needTool } from '../support/tools.ts';
import { createGpg, noise, passphrase } from './openpgp-support.ts';

const isCode = (code: string) => (error: unknown) => error instanceof BackupError && error.code === code;

/** The definition, word by word: RFC 9580 §3.7.1. */
function plainly(
  name: string,
  salt: Uint8Array,
  words: Uint8Array,
  count: number,
  keyLength: number,
): Buffer {
  const unit = Buffer.concat([salt, words]);
  const all = Buffer.alloc(Math.max(count, unit.length), unit);
  const contexts = Array.from({ length: 5 }, (_, zeros) =>
    createHash(name).update(Buffer.alloc(zeros)).update(all).digest(),
  );
  return Buffer.concat(contexts).subarray(0, keyLength);
}

test('deriveKey() is what the RFC says, in one go or in turns', () =>
  fc.assert(
    fc.asyncProperty(
      fc.constantFrom([2, 'sha1'], [8, 'sha256'], [1, 'md5'], [10, 'sha512'] as const),
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      fc.uint8Array({ minLength: 1, maxLength: 2_000 }),
      fc.integer({ min: 0, max: 200 }),
      fc.constantFrom(16, 24, 32),
      async ([hash, name], salt, words, coded, keyLength) => {
        const s2k = { hash: Number(hash), salt, count: coded < 120 ? decodeCount(coded) : 0 };
        const expected = plainly(String(name), salt, words, s2k.count, keyLength);
        assert.deepEqual(deriveKey(words, s2k, keyLength), expected);
        assert.deepEqual(await deriveKeyInTurns(words, s2k, keyLength), expected);
      },
    ),
    { numRuns: 50 },
  ));

test('deriveKey() of more than a MiB is the same in turns', async () => {
  const s2k = { hash: 2, salt: Buffer.from('saltsalt'), count: decodeCount(0xb1) };
  const words = Buffer.from('secret');
  assert.ok(s2k.count > 2 ** 21);
  const expected = plainly('sha1', s2k.salt, words, s2k.count, 32);
  assert.deepEqual(deriveKey(words, s2k, 32), expected);
  assert.deepEqual(await deriveKeyInTurns(words, s2k, 32), expected);
});

test('encodeCount() rounds up, as gpg does', t => {
  const counts = [1025, 65_535, 65_536, 65_537, 1_000_000, 65_011_711, 65_011_712, 80_000_000];
  const coded = counts.map(encodeCount);
  assert.deepEqual(coded, [1, 0x60, 0x60, 0x61, 0x9f, 0xff, 0xff, 0xff]);
  if (!needTool(t, 'gpg')) return;
  const gpg = createGpg(t);
  const byGpg = counts.map(
    count => gpg(['--symmetric', '--s2k-count', String(count)], passphrase, noise(9))[14],
  );
  assert.deepEqual(byGpg, coded);
});

test('decodeCount() spans 1024 to 65011712', () => {
  assert.equal(decodeCount(0), 1024);
  assert.equal(decodeCount(0x60), 65536);
  assert.equal(decodeCount(0xff), 65_011_712);
});

test('decodeS2k() reads simple, salted and iterated specifiers', () => {
  const salt = Buffer.from('12345678');
  assert.deepEqual(decodeS2k(Uint8Array.of(0, 8, 99)), {
    s2k: { hash: 8, salt: new Uint8Array(0), count: 0 },
    length: 2,
  });
  assert.deepEqual(decodeS2k(Uint8Array.of(1, 2, ...salt)), {
    s2k: { hash: 2, salt: Uint8Array.from(salt), count: 0 },
    length: 10,
  });
  assert.deepEqual(decodeS2k(Uint8Array.of(3, 2, ...salt, 0x60, 7)), {
    s2k: { hash: 2, salt: Uint8Array.from(salt), count: 65536 },
    length: 11,
  });
});

test('decodeS2k() refuses what is cut short, and what it does not know', () => {
  assert.throws(() => decodeS2k(Uint8Array.of(3, 2, 1, 2, 3)), isCode('damaged'));
  assert.throws(() => decodeS2k(Uint8Array.of(4, ...new Uint8Array(19))), isCode('unsupported'));
  assert.throws(
    () => deriveKey(Buffer.from('x'), { hash: 77, salt: new Uint8Array(8), count: 0 }, 16),
    isCode('unsupported'),
  );
});
