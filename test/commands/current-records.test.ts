import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapSpaceStatistics } from 'node:v8';
import type { Archive } from '../../src/commands/archive.ts';
import { currentRecords } from '../../src/commands/current-records.ts';
import type { Entry } from '../../src/entry.ts';
import type { BackupSet } from '../../src/manifest/sets.ts';
import { encodeSigtarRecord, endOfArchive } from '../../src/volumes/sigtar.ts';
import { MAX_HEADER_LENGTH } from '../../src/volumes/tar-header.ts';

const RECORDS = 200_000;

async function* sigtar() {
  const slab = Buffer.alloc(128 * 1024 + MAX_HEADER_LENGTH);
  let length = 0;
  let used = 0;
  for (let number = 0; number < RECORDS; number++) {
    const path = String(number).padStart(6, '0');
    const owner = { uid: 0, gid: 0, uname: '', gname: '', linkname: '', devMajor: 0, devMinor: 0 };
    const entry: Entry = { ...owner, path, type: 'directory', mode: 0o755, mtimeSeconds: 1 };
    used += encodeSigtarRecord(slab, used, { kind: 'snapshot', entry, signature: new Uint8Array(0) });
    if (used < 128 * 1024) continue;
    yield Uint8Array.from(slab.subarray(0, used));
    length += used;
    used = 0;
  }
  yield Uint8Array.from(slab.subarray(0, used));
  yield endOfArchive(length + used);
}

test('the records of a large tree leave the young generation small', async () => {
  const archive = { sigtarOf: async () => sigtar() } as unknown as Archive;
  const sets = [{ id: {} } as BackupSet];
  let count = 0;
  for await (const records of currentRecords(archive, sets, new AbortController().signal)) {
    count += records.length;
  }
  assert.equal(count, RECORDS);
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!;
  assert.ok(young.space_size <= 8 * 1024 * 1024, `${young.space_size}`);
});
