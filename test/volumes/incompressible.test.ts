import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { isIncompressible } from '../../src/volumes/incompressible.ts';
import { noise, text } from './openpgp-support.ts';

const CHUNK = 262_144;

test('isIncompressible() recognises noise, deflated data, and a tar of photographs', () => {
  assert.equal(isIncompressible(noise(CHUNK)), true);
  const uneven = noise(CHUNK).map((byte, i, all) => byte & all[(i * 7 + 1) % CHUNK]!);
  assert.equal(isIncompressible(deflateRawSync(uneven)), true);
  const parts = Array.from({ length: 20 }, (_, i) => [Buffer.alloc(512, 0), noise(65_536, `${i}`)]).flat();
  const tar = Buffer.concat(parts);
  for (let from = 0; from + CHUNK < tar.length; from += 10_007)
    assert.equal(isIncompressible(tar.subarray(from, from + CHUNK)), true, `from ${from}`);
});

test('isIncompressible() leaves text, base64, zeros and samples of sound to deflate', () => {
  assert.equal(isIncompressible(text(CHUNK)), false);
  assert.equal(isIncompressible(Buffer.from(noise(CHUNK).toString('base64'))), false);
  assert.equal(isIncompressible(Buffer.alloc(CHUNK)), false);
  const sound = new Int16Array(CHUNK / 2);
  for (let i = 0; i < sound.length; i++) sound[i] = 3000 * Math.sin(i / 7) + 2000 * Math.sin(i / 31);
  assert.equal(isIncompressible(new Uint8Array(sound.buffer)), false);
});

test('isIncompressible() sees the headers between small files of noise', () => {
  const files = Array.from({ length: 110 }, (_, i) =>
    Buffer.concat([Buffer.alloc(512, `file ${i}`), noise(1_700, `${i}`), Buffer.alloc(148)]),
  );
  assert.equal(isIncompressible(Buffer.concat(files)), false);
});

test('isIncompressible() sees noise that repeats itself, and noise that fills only half of a chunk', () => {
  const pattern = noise(700);
  assert.equal(isIncompressible(Buffer.alloc(CHUNK, pattern)), false);
  assert.equal(isIncompressible(Buffer.concat([noise(CHUNK / 2), text(CHUNK / 2)])), false);
});

test('isIncompressible() never judges less than 16 KiB', () => {
  assert.equal(isIncompressible(noise(16_383)), false);
  assert.equal(isIncompressible(noise(16_384)), true);
  assert.equal(isIncompressible(new Uint8Array(0)), false);
});
