/** Versions of zlib and of Node.js that do not behave as ours do, in a process of its own: what is tried, is tried once. */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { createDeflateRaw } from 'node:zlib';
import { createDeflater, inflateSegments } from '../../src/volumes/deflate.ts';
import { text } from './openpgp-support.ts';

type Read = (this: object, size?: number) => Buffer | null;
const prototype: { read: Read } = Object.getPrototypeOf(createDeflateRaw());
const usual = prototype.read;

afterEach(() => {
  prototype.read = usual;
});

/** @param change what comes of what an engine has made */
function readAs(change: (made: Buffer) => Buffer[]): void {
  const left = new WeakMap<object, Buffer[]>();
  prototype.read = function read(size) {
    if (size !== undefined) return usual.call(this, size); // as streams do among themselves
    const pieces = left.get(this) ?? [];
    if (pieces.length === 0) {
      const made = usual.call(this);
      if (made !== null) pieces.push(...change(made));
    }
    left.set(this, pieces);
    return pieces.shift() ?? null;
  };
}

const plain = text(300_000);
const deflate = (level: number) => createDeflater({ level, dictionary: false }).push(plain);
const refused = { code: 'unsupported', message: /^This version of Node\.js does not compress/ };

test('createDeflater() takes what an engine has made to the last piece', async () => {
  readAs(made => [made.subarray(0, 100), made.subarray(100, 5000), made.subarray(5000)]);
  for (let n = 0; n < 3; n++) {
    assert.ok(plain.equals(inflateSegments(await deflate(1), plain.length)));
  }
});

test('createDeflater() refuses what ends too early', async () => {
  for (let n = 0; n < 3; n++) {
    readAs(made => [made.subarray(0, -1)]);
    await assert.rejects(deflate(2), refused);
    readAs(made => [made.subarray(0, made.length >> 1)]);
    await assert.rejects(deflate(2), refused);
  }
});

test('createDeflater() inflates what a kind of engine makes first, and what one makes after a reset', async () => {
  const spoil = (made: Buffer) => {
    made[made.length >> 1]! ^= 0x10;
    return [made];
  };
  readAs(spoil);
  await assert.rejects(deflate(3), refused);
  prototype.read = usual;
  await deflate(4);
  readAs(spoil);
  await assert.rejects(deflate(4), refused);
});
