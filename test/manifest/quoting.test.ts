import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { quote, unquote } from '../../src/manifest/quoting.ts';

const bytes = () => fc.uint8Array({ maxLength: 40 }).map(array => Buffer.from(array).toString('latin1'));

test('quote() changes only paths that hold one of nine bytes', () => {
  assert.equal(quote('a b'), '"a\\x20b"');
  assert.equal(quote("it's"), '"it\\x27s"');
  assert.equal(quote('back\\slash'), '"back\\x5cslash"');
  assert.equal(quote('\xff\x01'), '\xff\x01');
  for (let byte = 0; byte < 256; byte++) {
    const special = (byte >= 9 && byte <= 13) || [0x20, 0x22, 0x27, 0x5c].includes(byte);
    assert.equal(quote(String.fromCharCode(byte)).startsWith('"'), special, `byte ${byte}`);
  }
});

test('unquote() undoes quote() for any bytes', () =>
  fc.assert(
    fc.property(bytes(), path => {
      const word = quote(path);
      assert.doesNotMatch(word, /[\t-\r ]/);
      assert.equal(unquote(word), path);
    }),
  ));

test('unquote() refuses a word that begins with a quote and is not well formed', () => {
  for (const word of ['"', '"a', '"a\\"', '"\\x2"', '"\\xzz"', '"a"b', '"a\\n"']) {
    assert.throws(() => unquote(word), { code: 'damaged' }, word);
  }
});
