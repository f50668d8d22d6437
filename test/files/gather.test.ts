import assert from 'node:assert/strict';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { createGatherer } from '../../src/files/gather.ts';
import { tempDir } from '../support/temp-dir.ts';

const pieces = fc.array(fc.oneof(fc.nat(200_000), fc.constantFrom(0, 64 * 1024, 256 * 1024, 2 ** 21)), {
  maxLength: 12,
});

test('createGatherer() writes what was pushed, whatever its pieces', t => {
  const dir = tempDir(t);
  const gatherer = createGatherer();
  let serial = 0;
  fc.assert(
    fc.property(pieces, sizes => {
      const path = join(dir, `${serial++}`);
      const bytes = sizes.map((size, i) => Buffer.alloc(size, `${serial} ${i} `));
      gatherer.start(openSync(path, 'wx'));
      for (const piece of bytes) {
        const lent = Buffer.from(piece);
        gatherer.push(lent);
        lent.fill(0);
      }
      gatherer.finish();
      gatherer.close();
      assert.ok(readFileSync(path).equals(Buffer.concat(bytes)));
    }),
    { numRuns: 40 },
  );
});

test('createGatherer() tells when the disk is full, and goes on with the next file', t => {
  const gatherer = createGatherer();
  gatherer.start(openSync('/dev/full', 'w'));
  const fail = () => {
    for (let i = 0; i < 8; i++) gatherer.push(Buffer.alloc(30_000));
    gatherer.finish();
  };
  assert.throws(fail, { code: 'ENOSPC' });
  gatherer.close();
  const path = join(tempDir(t), 'next');
  gatherer.start(openSync(path, 'wx'));
  gatherer.push(Buffer.from('content'));
  gatherer.finish();
  gatherer.close();
  assert.equal(readFileSync(path, 'utf8'), 'content');
});
