/** Which files count as those that were stored. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprintOf, hasStableInodes } from '../../src/catalog/fingerprint.ts';

test('inode numbers count only where a file has the same tomorrow', () => {
  const types = {
    vfat: 0x4d44,
    exfat: 0x2011bab0,
    smb: 0x517b,
    smb2: 0xfe534d42,
    fuse: 0x65735546,
    ext4: 0xef53,
  };
  const lasting = Object.entries(types).filter(([, type]) => hasStableInodes(type));
  assert.deepEqual(lasting, [['ext4', 0xef53]]);

  const found = { size: 3, mtimeNs: 4n, ctimeNs: 5n };
  const isSame = (type: number) =>
    fingerprintOf({ ...found, ino: 6n }, hasStableInodes(type)) ===
    fingerprintOf({ ...found, ino: 7n }, hasStableInodes(type));
  assert.deepEqual([isSame(types.vfat), isSame(types.ext4)], [true, false]);
});
