import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { createGunzip, gunzipSync, gzipSync } from 'node:zlib';
import { type ArchiveCache, openArchiveCache } from '../../src/cache/archive-cache.ts';
import { copyToCache, type MetadataCopy, type StoredForm } from '../../src/cache/sync.ts';
import { BackupError } from '../../src/errors.ts';
import { createFolderStorage } from '../../src/storage/folder.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { type Chunks, collect, fromChunks } from '../../src/streams.ts';
import { encodeMemberHeader, MAX_HEADER_LENGTH } from '../../src/volumes/tar-header.ts';
import { failing } from '../contract/storage-contract.ts';
import { tempDir } from '../support/temp-dir.ts';

async function make(t: TestContext): Promise<{ storage: Storage; cache: ArchiveCache }> {
  const base = tempDir(t);
  return { storage: createFolderStorage(join(base, 'target')), cache: await openArchiveCache(base, 'cache') };
}

/** Stands in for decryption: every bit flipped. */
const flipped = (bytes: Uint8Array): Uint8Array => bytes.map(byte => byte ^ 0xff);

async function* open(stored: Chunks, form: StoredForm): Chunks {
  const bytes = await collect(stored);
  yield form === 'gpg' ? flipped(bytes) : form === 'gz' ? gunzipSync(bytes) : bytes;
}

async function* compress(plain: Chunks): Chunks {
  yield gzipSync(await collect(plain));
}

const copyOf = (kind: MetadataCopy['kind'], remoteName: string, form: StoredForm): MetadataCopy => ({
  kind,
  remoteName,
  form,
  localName: remoteName.replace(/\.(gpg|gz)$/, '') + (kind === 'signatures' ? '.gz' : ''),
});

test('copyToCache() keeps manifests plain and signatures gzipped, whatever form they have at the target', async t => {
  const { storage, cache } = await make(t);
  const plain = Buffer.from('some text\n');
  const stored = { gpg: flipped(plain), gz: gzipSync(plain), plain };
  const copies: MetadataCopy[] = [];
  for (const [form, suffix] of [
    ['gpg', '.gpg'],
    ['gz', '.gz'],
    ['plain', ''],
  ] as const) {
    copies.push(
      copyOf('manifest', `${form}.manifest${suffix}`, form),
      copyOf('signatures', `${form}.sigtar${suffix}`, form),
    );
  }
  for (const { remoteName, form } of copies) await storage.put(remoteName, stored[form]);
  const lines: string[] = [];
  const reporter = { report: ({ message }: { message: string }) => lines.push(message), progress() {} };
  const written = await copyToCache(copies, storage, cache, { open, compress, reporter });
  assert.equal(lines.length, 6);

  let size = 0;
  for (const name of await cache.list()) {
    const bytes = await collect(cache.read(name));
    size += bytes.length;
    assert.deepEqual(name.endsWith('.sigtar.gz') ? gunzipSync(bytes) : Buffer.from(bytes), plain);
  }
  assert.equal(written, size);
  assert.deepEqual(await cache.list(), copies.map(copy => copy.localName).sort());
});

test('copyToCache() leaves nothing of a file that is damaged or missing, and keeps the ones before it', async t => {
  const { storage, cache } = await make(t);
  await storage.put('a.manifest', Buffer.from('good'));
  await storage.put('b.manifest.gpg', Buffer.from('bad'));
  async function* damaged(stored: Chunks, form: StoredForm): Chunks {
    yield* fromChunks(await collect(stored));
    if (form === 'gpg') throw new BackupError('damaged', 'b.manifest.gpg is damaged.');
  }
  const copies = [copyOf('manifest', 'a.manifest', 'plain'), copyOf('manifest', 'b.manifest.gpg', 'gpg')];
  await assert.rejects(copyToCache(copies, storage, cache, { open: damaged, compress }), failing('damaged'));
  assert.deepEqual(await cache.list(), ['a.manifest']);
  const cut = [{ ...copyOf('manifest', 'a.manifest', 'plain'), localName: 'cut.manifest', size: 5 }];
  await assert.rejects(
    copyToCache(cut, storage, cache, { open, compress }),
    failing('damaged', '4 bytes came'),
  );
  assert.deepEqual(await cache.list(), ['a.manifest']);
  const gone = [copyOf('signatures', 'c.sigtar.gz', 'gz')];
  await assert.rejects(
    copyToCache(gone, storage, cache, { open, compress }),
    failing('object-missing', 'c.sigtar.gz'),
  );
  assert.deepEqual(await cache.list(), ['a.manifest']);
});

test('copyToCache() stops at what unpacks to nothing of its kind, or to far too much', async t => {
  const { storage, cache } = await make(t);
  let unpacked = 0;
  async function* unpack(stored: Chunks): Chunks {
    for await (const chunk of Readable.from(stored).pipe(createGunzip())) {
      unpacked += chunk.length;
      yield chunk;
    }
  }
  const refused = async (kind: MetadataCopy['kind'], plain: Buffer, repeated: Buffer, reason: string) => {
    const name = `bomb.${kind === 'manifest' ? 'manifest' : 'sigtar'}.gz`;
    const parts = Array.from({ length: 100 }, () => repeated);
    await storage.put(name, gzipSync(Buffer.concat([plain, ...parts])));
    unpacked = 0;
    const copying = copyToCache([copyOf(kind, name, 'gz')], storage, cache, { open: unpack, compress });
    await assert.rejects(copying, failing('damaged', reason));
    assert.deepEqual(await cache.list(), []);
    return unpacked;
  };
  const zeros = Buffer.alloc(1 << 20);
  assert.ok((await refused('manifest', Buffer.alloc(0), zeros, 'a line that is longer than any path')) < 3e6);
  const header = Buffer.alloc(MAX_HEADER_LENGTH); // and the zeros behind it
  const nothing = { type: 'fifo', mode: 0, uid: 0, gid: 0, uname: '', gname: '', mtimeSeconds: 0 } as const;
  encodeMemberHeader(header, 0, { ...nothing, linkname: '', devMajor: 0, devMinor: 0 }, 'snapshot/a', 0);
  assert.ok((await refused('signatures', header, zeros, 'go on behind their end')) < 5e6);
  const list = Buffer.from(`    new      ${'a'.repeat(200_000)}\n`.repeat(5));
  const volume = 'Volume 1:\n    StartingPath .\n    EndingPath a\nFilelist 900000000\n';
  await refused('manifest', Buffer.from(volume), list, 'unpack to');
});

test('copyToCache() stops when it is told to', async t => {
  const { storage, cache } = await make(t);
  await storage.put('a.manifest', Buffer.from('good'));
  const signal = AbortSignal.abort(new BackupError('interrupted', 'enough'));
  const copies = [copyOf('manifest', 'a.manifest', 'plain')];
  await assert.rejects(
    copyToCache(copies, storage, cache, { open, compress, signal }),
    failing('interrupted'),
  );
  assert.deepEqual(await cache.list(), []);
});
