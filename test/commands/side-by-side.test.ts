/** Sets of a chain are read side by side: what that holds in memory does not grow with them. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { chunksOf } from '../../src/commands/reading-chunks.ts';
import { createVolumeFetcher } from '../../src/commands/volume-fetch.ts';
import type { BackupSet } from '../../src/manifest/sets.ts';
import { createFolderStorage } from '../../src/storage/folder.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { collect } from '../../src/streams.ts';
import { scratch } from '../files/support.ts';
import { createTestHost } from '../support/host.ts';

const setOf = (...sizes: number[]) =>
  ({
    volumes: new Map(sizes.map((size, index) => [index + 1, { name: `v${index}`, size }])),
  }) as unknown as BackupSet;

test('chunksOf() reads a few sets as fast as can be, of many the two largest, the others in smaller chunks the more there are', () => {
  const four = Array.from({ length: 4 }, () => setOf(1));
  assert.deepEqual(four.map(chunksOf(four)), [undefined, undefined, undefined, undefined]);
  const few = [setOf(5, 5), setOf(1), setOf(7), setOf(2), setOf(3)];
  assert.deepEqual(few.map(chunksOf(few)), [undefined, 128 * 1024, undefined, 128 * 1024, 128 * 1024]);
  for (const [count, chunk] of [
    [5, 128 * 1024],
    [8, 128 * 1024],
    [32, 32 * 1024],
    [64, 16 * 1024],
    [5000, 16 * 1024],
  ] as const) {
    const sets = Array.from({ length: count }, () => setOf(1));
    const chunkFor = chunksOf(sets);
    assert.equal(sets.filter(set => chunkFor(set) === undefined).length, 2);
    assert.equal(chunkFor(sets.at(-1)!), chunk);
  }
});

const size = 1_000_000;
const contentOf = (n: number) => Buffer.alloc(size, `volume ${n} `);
const wanted = (n: number) => ({
  object: { name: `v${n}`, size },
  entry: { number: n, sha1: createHash('sha1').update(contentOf(n)).digest('hex') } as never,
  name: `volume ${n}`,
});

for (const isLocal of [true, false]) {
  test(`a few small volumes are kept in memory, of many others each is read again (${isLocal ? 'a folder' : 'no folder'})`, async t => {
    const folder = createFolderStorage(join(scratch(t), 'target'));
    for (let n = 0; n < 30; n++) await folder.put(`v${n}`, contentOf(n));
    const read: string[] = [];
    const storage: Storage = {
      ...folder,
      localPath: isLocal ? folder.localPath : undefined,
      get(name, options) {
        read.push(name);
        return folder.get(name, options);
      },
    } as Storage;
    const fetcher = createVolumeFetcher(storage, undefined, { ...createTestHost(), tempdir: scratch(t) });
    t.after(() => fetcher.close());
    const fetched = [];
    for (let n = 0; n < 30; n++) fetched.push(await fetcher.fetch(wanted(n)));
    assert.equal(read.length, 30);
    for (const [n, volume] of fetched.entries()) {
      assert.equal(volume.isProved, true);
      assert.ok(contentOf(n).equals(await collect(volume.read(true, 10_000))), `volume ${n}`);
    }
    assert.equal(read.length, isLocal ? 30 + 30 - 8 : 30);

    // What was read for the last time makes room.
    const later = await fetcher.fetch(wanted(3));
    const before = read.length;
    assert.ok(contentOf(3).equals(await collect(later.read(false, undefined))));
    assert.ok(contentOf(3).equals(await collect(later.read(true, undefined))));
    assert.equal(read.length, before);
  });
}
