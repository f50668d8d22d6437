import assert from 'node:assert/strict';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { createWriteBehind } from '../../src/files/write-behind.ts';
import { tempDir } from '../support/temp-dir.ts';

const pieces = fc.array(fc.oneof(fc.nat(200_000), fc.constantFrom(0, 256 * 1024, 2 ** 21)), {
  maxLength: 12,
});

for (const aside of [false, true]) {
  test(`createWriteBehind(${aside}) writes what was pushed, whatever its pieces`, async t => {
    const dir = tempDir(t);
    const writer = createWriteBehind(aside);
    let serial = 0;
    await fc.assert(
      fc.asyncProperty(pieces, async sizes => {
        const path = join(dir, `${serial++}`);
        const bytes = sizes.map((size, i) => Buffer.alloc(size, `${serial} ${i} `));
        writer.start(openSync(path, 'wx'));
        for (const piece of bytes) {
          const lent = Buffer.from(piece);
          writer.push(lent);
          lent.fill(0);
        }
        await writer.finish();
        writer.close();
        assert.ok(readFileSync(path).equals(Buffer.concat(bytes)));
      }),
      { numRuns: 40 },
    );
  });

  test(`createWriteBehind(${aside}) tells when the disk is full, and goes on with the next file`, async t => {
    const writer = createWriteBehind(aside);
    writer.start(openSync('/dev/full', 'w'));
    const fail = async () => {
      for (let i = 0; i < 8; i++) writer.push(Buffer.alloc(300_000));
      await writer.finish();
    };
    await assert.rejects(fail, { code: 'ENOSPC' });
    writer.close();
    const path = join(tempDir(t), 'next');
    writer.start(openSync(path, 'wx'));
    writer.push(Buffer.from('content'));
    assert.equal(writer.finish(), undefined);
    writer.close();
    assert.equal(readFileSync(path, 'utf8'), 'content');
  });
}

test('createWriteBehind() closes a file that is given up once nothing of it is being written', async t => {
  const writer = createWriteBehind(true);
  const dir = tempDir(t);
  for (let i = 0; i < 20; i++) {
    writer.start(openSync(join(dir, `${i}`), 'wx'));
    for (let n = 0; n < 4; n++) writer.push(Buffer.alloc(400_000, `${i}`));
    writer.close();
  }
  const path = join(dir, 'last');
  writer.start(openSync(path, 'wx'));
  writer.push(Buffer.alloc(2_000_000, 'last'));
  await writer.finish();
  writer.close();
  assert.ok(readFileSync(path).equals(Buffer.alloc(2_000_000, 'last')));
});
