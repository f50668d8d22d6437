import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deltaOf, hex, kernels, patched, signatureOf } from './support.ts';
import { vectors } from './vectors/rdiff.ts';

for (const kernel of kernels) {
  test(`Signer, Delta and createPatch (${kernel.name}) give the bytes that rdiff gave`, () => {
    for (const vector of vectors) {
      const basis = Buffer.from(vector.basis, 'hex');
      const edited = Buffer.from(vector.edited, 'hex');
      const signature = signatureOf(kernel, basis, vector.blockLength, 97);
      assert.equal(hex(signature), vector.signature);
      assert.equal(hex(deltaOf(kernel, signature, edited, 97)), vector.delta);
      assert.equal(hex(patched(basis, Buffer.from(vector.delta, 'hex'), 7)), vector.edited);
    }
  });
}
