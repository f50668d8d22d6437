/** Numbers of file systems. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileSystemOf } from '../../src/files/file-system.ts';

test('fileSystemOf() tells SMB the same way on systems of 32 bits, which give it a sign', () => {
  for (const type of [0xfe534d42n, 0xfffffffffe534d42n, -0x1acb2ben]) {
    assert.equal(fileSystemOf({ type }), 0xfe534d42);
  }
  assert.equal(fileSystemOf({ type: 0xef53n }), 0xef53);
});
