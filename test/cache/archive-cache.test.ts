import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, chown, lchown, mkdir, readdir, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { defaultCacheRoot, openArchiveCache } from '../../src/cache/archive-cache.ts';
import { type Chunks, collect } from '../../src/streams.ts';
import { failing, lentBytes, patternBytes } from '../contract/storage-contract.ts';
import { tempDir } from '../support/temp-dir.ts';

async function text(source: Chunks): Promise<string> {
  return Buffer.from(await collect(source)).toString('latin1');
}

const bytes = (content: string): Uint8Array => Buffer.from(content);
const MANIFEST = 'duplicity-full.20261123T005742Z.manifest';
const SIGTAR = 'duplicity-full-signatures.20261123T005742Z.sigtar.gz';
const modeOf = async (...path: string[]): Promise<number> => (await stat(join(...path))).mode & 0o777;

test('defaultCacheRoot() follows XDG_CACHE_HOME, if absolute, and else the home folder', () => {
  assert.equal(defaultCacheRoot({ XDG_CACHE_HOME: '/x/é' }, '/home/u'), '/x/\xc3\xa9/tsbackup');
  assert.equal(defaultCacheRoot({ XDG_CACHE_HOME: 'rel' }, '/home/u'), '/home/u/.cache/tsbackup');
  assert.equal(defaultCacheRoot({}, '/home/u'), '/home/u/.cache/tsbackup');
});

test('the cache keeps files, private, and lists finished ones only', async t => {
  const base = tempDir(t);
  const cache = await openArchiveCache(`${base}/deep/root`, 'name');
  assert.equal(cache.folder, `${base}/deep/root/name`);
  assert.deepEqual([await cache.list(), await cache.listPartial()], [[], []]);
  assert.equal(await cache.write(SIGTAR, lentBytes(700_000, 65_536)), 700_000);
  assert.equal(await cache.write(MANIFEST, bytes('Hostname vm\n')), 12);
  await (await cache.openPartial('running')).close();
  await writeFile(join(cache.folder, 'lockfile'), '');
  await writeFile(join(cache.folder, 'tsbackup-tmp-1'), '');
  await mkdir(join(cache.folder, 'duplicity-xyz-tempdir'));
  assert.deepEqual(await cache.list(), [SIGTAR, MANIFEST]);
  assert.deepEqual(await cache.listPartial(), ['running']);
  assert.deepEqual(Buffer.from(await collect(cache.read(SIGTAR))), Buffer.from(patternBytes(0, 700_000)));
  assert.equal(await text(cache.read(MANIFEST)), 'Hostname vm\n');

  assert.equal(await modeOf(cache.folder), 0o700);
  assert.equal(await modeOf(cache.folder, MANIFEST), 0o600);
  assert.equal(await modeOf(cache.folder, 'tsbackup-partial'), 0o700);
  assert.equal(await modeOf(cache.folder, 'tsbackup-partial', 'running'), 0o600);

  await cache.remove(MANIFEST);
  await cache.remove(MANIFEST);
  assert.deepEqual(await cache.list(), [SIGTAR]);
  await assert.rejects(collect(cache.read(MANIFEST)), failing('local-io', MANIFEST));
});

test('write() leaves what was when its source fails', async t => {
  const cache = await openArchiveCache(tempDir(t), 'n');
  await cache.write(MANIFEST, bytes('old'));
  async function* broken(): Chunks {
    yield new Uint8Array(500_000);
    throw new Error('damaged');
  }
  await assert.rejects(cache.write(MANIFEST, broken()), /damaged/);
  assert.equal(await text(cache.read(MANIFEST)), 'old');
  assert.deepEqual(await readdir(cache.folder), [MANIFEST]);
});

test('a partial file grows over several runs, is cut back, and is published in one step', async t => {
  const root = tempDir(t);
  const cache = await openArchiveCache(root, 'n');
  const first = await cache.openPartial('p');
  await first.append(bytes('volume 1, '));
  await first.append(bytes('volume 2, '));
  await first.sync();
  const { extent } = first;
  assert.deepEqual(extent, { size: 20, crc: crc32('volume 1, volume 2, ') });
  await first.append(bytes('lost'));
  await first.close();

  const again = await (await openArchiveCache(root, 'n')).openPartial('p');
  assert.equal(again.size, 24);
  await again.cutBack(extent);
  await again.append(bytes('volume 3'));
  assert.deepEqual(again.extent, { size: 28, crc: crc32('volume 1, volume 2, volume 3') });
  await again.close();
  assert.equal(await text(cache.readPartial('p')), 'volume 1, volume 2, volume 3');
  assert.deepEqual(await cache.list(), []);

  await cache.write(MANIFEST, bytes('older'));
  await cache.publish([['p', MANIFEST]]);
  assert.equal(await text(cache.read(MANIFEST)), 'volume 1, volume 2, volume 3');
  assert.deepEqual(await cache.listPartial(), []);
  await assert.rejects(cache.publish([['p', MANIFEST]]), failing('local-io', MANIFEST));

  await (await cache.openPartial('q')).close();
  await cache.removePartial('q');
  await cache.removePartial('q');
  assert.deepEqual(await cache.listPartial(), []);
});

test('names that lead out of the folder, or to the lock, are refused', async t => {
  const root = tempDir(t);
  for (const name of ['', '.', '..', 'a/b', 'a\0'])
    await assert.rejects(openArchiveCache(root, name), failing('usage'));
  const cache = await openArchiveCache(root, 'n');
  await assert.rejects(cache.write('../x', bytes('')), failing('usage'));
  await assert.rejects(cache.openPartial('../x'), failing('usage'));
  await assert.rejects(collect(cache.read('lockfile')), { code: 'ERR_ASSERTION' });
});

test('openArchiveCache() closes an open folder to others and refuses a file', async t => {
  const root = tempDir(t);
  await mkdir(join(root, 'n'));
  await chmod(join(root, 'n'), 0o777);
  await openArchiveCache(root, 'n');
  assert.equal(await modeOf(root, 'n'), 0o700);
  await writeFile(join(root, 'file'), '');
  await assert.rejects(openArchiveCache(root, 'file'), failing('local-io', '--archive-dir'));
});

test("openArchiveCache() refuses someone else's folder, and someone else's link to ours", async t => {
  if (process.geteuid?.() !== 0) {
    await assert.rejects(openArchiveCache('/', 'root'), failing('local-io', '--archive-dir'));
    return;
  }
  const root = tempDir(t);
  await mkdir(join(root, 'theirs'));
  await chown(join(root, 'theirs'), 65534, 65534);
  await mkdir(join(root, 'ours'));
  await symlink('ours', join(root, 'own-link'));
  await symlink('ours', join(root, 'their-link'));
  await lchown(join(root, 'their-link'), 65534, 65534);
  for (const name of ['theirs', 'their-link']) {
    await assert.rejects(openArchiveCache(root, name), failing('local-io', 'another user'));
  }
  await openArchiveCache(root, 'own-link');
});

test('a full disk names the file and the remedy, and leaves no piece', async t => {
  const root = tempDir(t);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', root]).status !== 0) {
    t.skip('needs the right to mount a tmpfs');
    return;
  }
  try {
    const cache = await openArchiveCache(root, 'n');
    await assert.rejects(
      cache.write(SIGTAR, lentBytes(1_000_000, 65_536)),
      error => failing('local-io', SIGTAR)(error) && failing('local-io', '--archive-dir')(error),
    );
    assert.deepEqual(await cache.list(), []);
    const partial = await cache.openPartial('p');
    await assert.rejects(partial.append(new Uint8Array(1_000_000)), failing('local-io', 'p'));
    await partial.close();
  } finally {
    spawnSync('umount', [root]);
  }
});

test('removeStale() clears temporary files of crashed runs, no partial ones', async t => {
  const cache = await openArchiveCache(tempDir(t), 'n', () => 2 * 86_400_000);
  await (await cache.openPartial('p')).close();
  await writeFile(join(cache.folder, 'tsbackup-tmp-1'), 'x');
  await utimes(join(cache.folder, 'tsbackup-tmp-1'), 0, 0);
  await utimes(join(cache.folder, 'tsbackup-partial', 'p'), 0, 0);
  assert.equal(await cache.removeStale(), 1);
  assert.deepEqual(await cache.listPartial(), ['p']);
});

test('a cache has an identity of its own, which stays', async t => {
  const root = tempDir(t);
  const open = (name: string) => openArchiveCache(root, name);
  const [one, other] = [await open('one'), await open('other')];
  assert.match(await one.identity(), /^[0-9a-f]{16}$/);
  assert.equal(await (await open('one')).identity(), await one.identity());
  assert.notEqual(await other.identity(), await one.identity());
  assert.deepEqual(await one.list(), []);
});
