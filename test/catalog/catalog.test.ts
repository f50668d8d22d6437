import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { comparePaths } from '../../src/bytes.ts';
import { openCatalog } from '../../src/catalog/open-catalog.ts';
import type { CatalogEntry, NewVersion } from '../../src/catalog/versions.ts';
import { scratch } from '../files/support.ts';

const version = (path: string, type: NewVersion['type'], mode = 0o644): NewVersion => ({
  ...{ path, type, mode, uid: 1, gid: 2, uname: 'u', gname: 'g', mtimeSeconds: 3, linkname: '' },
  ...{ devMajor: 0, devMinor: 0, size: 4 },
});
const isFolder = (path: string) => path === '' || path.endsWith('d');

/** A catalog whose one complete set has the paths; those that end with d are folders. */
async function catalogOf(t: TestContext, name: string, paths: readonly string[]) {
  const catalog = await openCatalog(join(scratch(t), name));
  t.after(() => catalog.close());
  catalog.beginSet(100);
  for (const path of paths) catalog.put(version(path, isFolder(path) ? 'directory' : 'file'), 'stat', 7);
  catalog.completeSet();
  return catalog;
}

/** Folders that have as many things as are read at once, more and less; in walk order. */
const counts = [0, 1, 255, 256, 257, 511, 512, 513, 700];
const paths = [
  '',
  ...counts.flatMap(count => [
    `${count}d`,
    ...Array.from({ length: count }, (_, n) => `${count}d/caf\xe9 ${String(n).padStart(4, '0')}`),
  ]),
  ...['nested d', 'nested d/a d', 'nested d/a d/b', 'nested d/c'],
].sort(comparePaths);

test('entries() gives a tree in walk order, whatever its folders hold', async t => {
  const catalog = await catalogOf(t, 'whole', paths);
  const entries = [...catalog.entries()];
  assert.deepEqual(
    entries.map(({ path }) => path),
    paths,
  );
  const { folder, ...last } = entries.at(-1)!;
  assert.equal(folder, undefined);
  assert.deepEqual(last, {
    ...version('nested d/c', 'file'),
    stat: 'stat',
    signature: { set: 1, offset: 7 },
  });
});

test('a catalog wants no memory shared through a file, which some mounts lack', async t => {
  const folder = scratch(t);
  const catalog = await openCatalog(join(folder, 'alone'));
  t.after(() => catalog.close());
  catalog.beginSet(100);
  catalog.put(version('', 'directory'), 'stat', undefined);
  catalog.completeSet();
  assert.deepEqual(readdirSync(folder).sort(), ['alone', 'alone-wal']);
});

test('entries() begins at any place', async t => {
  const catalog = await catalogOf(t, 'from', paths);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: paths.length - 1 }), fc.boolean(), (at, inclusive) => {
      const found = [...catalog.entries({ path: paths[at]!, inclusive })].map(({ path }) => path);
      assert.deepEqual(found, paths.slice(inclusive ? at : at + 1));
    }),
    { numRuns: 60 },
  );
});

test('entries() gives the last complete tree while a new one is written behind it', async t => {
  const catalog = await catalogOf(t, 'written', paths);
  catalog.beginSet(200);
  const seen: string[] = [];
  const write = ({ path, type, folder }: CatalogEntry, n: number) => {
    if (folder !== undefined) catalog.enter(path, folder);
    if (n % 5 === 0 && type === 'file') catalog.remove(path);
    else if (n % 3 === 0) catalog.put(version(path, type, 0o600), 'new', 8);
    else if (n % 7 === 0) catalog.touch(path, 9, 'touched');
    if (n % 11 === 0 && type === 'file') catalog.put(version(`${path}+`, 'file', 0o600), 'new', 9);
  };
  let last: CatalogEntry | undefined;
  for (const entry of catalog.entries()) {
    assert.equal(entry.mode, 0o644);
    if (last) write(last, seen.length);
    last = entry;
    seen.push(entry.path);
  }
  write(last!, seen.length);
  assert.deepEqual(seen, paths);
  catalog.completeSet();
  catalog.beginSet(300);
  const now = [...catalog.entries()].map(({ path }) => path);
  const added = paths.filter((path, i) => !isFolder(path) && (i + 1) % 11 === 0).map(path => `${path}+`);
  const removed = new Set(paths.filter((path, i) => !isFolder(path) && (i + 1) % 5 === 0));
  assert.deepEqual(now, [...paths.filter(path => !removed.has(path)), ...added].sort(comparePaths));
});
