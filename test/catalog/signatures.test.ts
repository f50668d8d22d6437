import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { constants, deflateRawSync } from 'node:zlib';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { createSignatureReader } from '../../src/catalog/signatures.ts';
import type { Entry } from '../../src/entry.ts';
import { encodeSigtarRecord } from '../../src/volumes/sigtar.ts';
import { MAX_HEADER_LENGTH } from '../../src/volumes/tar-header.ts';
import { createRandom } from '../support/random.ts';
import { tempDir } from '../support/temp-dir.ts';

test('at() gives the signature of a path, and none that takes more memory than there is to spare', t => {
  const file = join(tempDir(t), 'sigtar.gz');
  const signature = Uint8Array.from(createRandom('large').bytes(600_000));
  const owner = { uid: 0, gid: 0, uname: '', gname: '', linkname: '', devMajor: 0, devMinor: 0 };
  const entry: Entry = { ...owner, path: 'video', type: 'file', mode: 0o644, mtimeSeconds: 1 };
  const tar = Buffer.alloc(MAX_HEADER_LENGTH + signature.length + 512);
  const length = encodeSigtarRecord(tar, 0, { kind: 'signature', entry, signature });
  const packed = deflateRawSync(tar.subarray(0, length), { finishFlush: constants.Z_SYNC_FLUSH });
  writeFileSync(file, packed);
  const piece = { plainOffset: 0, gzipOffset: 0, gzipEnd: packed.length };
  const catalog = { pieceAt: () => piece } as unknown as Catalog;
  const at = (longest: number, path = 'video') => {
    const reader = createSignatureReader(catalog, () => file, longest);
    const found = reader.at({ set: 1, offset: 0 }, path);
    reader.close();
    return found;
  };
  assert.deepEqual(at(length), signature);
  assert.equal(at(length, 'other'), undefined);
  assert.equal(at(length - 1), undefined); // as it is unpacked
  assert.equal(at(1000), undefined); // as it is packed
});
