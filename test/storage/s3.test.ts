import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openS3 } from '../../src/storage/s3.ts';
import { collect } from '../../src/streams.ts';
import { failing, lentBytes, listed, patternBytes, storageContract } from '../contract/storage-contract.ts';
import { BUCKET, credentials } from '../support/s3-server.ts';
import { openTest, PART, sharedServer } from '../support/s3-storage.ts';
import { tempDir } from '../support/temp-dir.ts';

const server = sharedServer();

storageContract('s3', () => openTest(server().url));

test('s3 reads what is far larger than a part by ranges, in order', async () => {
  const storage = await openTest(server().url);
  const size = 9 * PART + 77;
  await storage.put('big', lentBytes(size, 65_536));
  const whole = Buffer.from(patternBytes(0, size));
  assert.ok(whole.equals(await collect(storage.get('big'))));
  const range = { offset: PART - 1, length: 6 * PART };
  assert.ok(whole.subarray(PART - 1, 7 * PART - 1).equals(await collect(storage.get('big', range))));
  for await (const chunk of storage.get('big')) {
    assert.ok(chunk.length > 0);
    break; // nothing hangs on
  }
  await storage.close();
});

test('put() of exactly one part is one request, of one byte more a multipart upload', async () => {
  const storage = await openTest(server().url);
  for (const size of [PART, PART + 1, 2 * PART]) {
    assert.deepEqual(await storage.put('x', lentBytes(size, 1000)), { size });
    assert.ok(Buffer.from(patternBytes(0, size)).equals(await collect(storage.get('x'))));
    assert.deepEqual(await storage.put('y', patternBytes(0, size)), { size });
    assert.ok(Buffer.from(patternBytes(0, size)).equals(await collect(storage.get('y'))));
  }
  await storage.close();
});

test('list() pages, and shows only what is directly below the prefix', async () => {
  const storage = await openTest(server().url, {}, {}, 'a b+c/%41&');
  const deeper = await openTest(server().url, {}, {}, 'a b+c/%41&/deeper');
  const beside = await openTest(server().url, {}, {}, 'a b+c/%41&beside');
  await deeper.put('inner', Buffer.from('1'));
  await beside.put('other', Buffer.from('1'));
  const names = Array.from({ length: 1003 }, (_, i) => `n${String(i).padStart(4, '0')}`);
  const folder = join(server().folder, BUCKET, 'a b+c/%41&');
  for (const name of names) await writeFile(join(folder, `${name}._S3rver_object`), name);
  assert.deepEqual(
    await listed(storage),
    names.map(name => ({ name, size: 5 })),
  );
  const root = await openTest(server().url, {}, {}, '');
  await root.put('top', Buffer.from('12'));
  assert.deepEqual(await listed(root), [{ name: 'top', size: 2 }]);
  for (const s of [storage, deeper, beside, root]) await s.close();
});

test('removeStale() gives up uploads of ours that began a day ago, under this prefix only', async () => {
  const uploads = join(server().folder, BUCKET, '._S3rver_uploads');
  const before = new Set(await readdir(uploads).catch(() => []));
  const hour = 3_600_000;
  let now = Date.now();
  const storage = await openTest(server().url, {}, { now: () => now }, 'stale');
  const keys = [
    'stale/duplicity-full.20261123T005742Z.vol1.difftar.gpg',
    'stale/my duplicity-inc.20261123T005742Z.to.20261124T005742Z.vol2.difftar.gpg',
    'stale/duplicity-full-signatures.20261123T005742Z.sigtar.gpg',
    'stale/holiday.mp4',
    'stale/sub/duplicity-full.20261123T005742Z.vol1.difftar.gpg',
    'duplicity-full.20261123T005742Z.vol1.difftar.gpg',
  ];
  const { S3Client, CreateMultipartUploadCommand } = await import('@aws-sdk/client-s3');
  const client = new S3Client({ endpoint: server().url, forcePathStyle: true, region: 'us-east-1' });
  for (const Key of keys) await client.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key }));
  client.destroy();
  now = Date.now() + 23 * hour;
  assert.equal(await storage.removeStale(), 0);
  now += 2 * hour;
  assert.equal(await storage.removeStale(), 3);
  assert.equal(await storage.removeStale(), 0);
  const left: string[] = [];
  for (const id of await readdir(uploads))
    if (!before.has(id)) left.push(await readFile(join(uploads, id, 'key'), 'utf8'));
  assert.deepEqual(left.sort(), keys.slice(3).sort());
  await storage.close();
});

test('a put that fails leaves no unfinished upload', async () => {
  const uploads = join(server().folder, BUCKET, '._S3rver_uploads');
  const before = (await readdir(uploads).catch(() => [])).length;
  const storage = await openTest(server().url);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(5 * PART);
    throw new Error('the source broke');
  }
  await assert.rejects(storage.put('x', broken()), /the source broke/);
  assert.equal((await readdir(uploads)).length, before);
  await storage.close();
});

test('a bucket that is not there is told apart from an empty one', async () => {
  const storage = await openS3(
    { scheme: 's3', bucket: 'nowhere', prefix: '' },
    { endpointUrl: server().url },
  );
  assert.equal(await storage.exists(), false);
  await assert.rejects(listed(storage), failing('target-denied', '"nowhere"'));
  await assert.rejects(storage.put('x', Buffer.from('1')), failing('target-denied', 'create the bucket'));
  await assert.rejects(collect(storage.get('x')), failing('target-denied', '"nowhere"'));
  await storage.close();
});

test('an unknown access key is named as the trouble, without the key', async () => {
  const before = process.env['AWS_ACCESS_KEY_ID'];
  process.env['AWS_ACCESS_KEY_ID'] = 'AKIAUNKNOWN';
  const storage = await openTest(server().url);
  try {
    await assert.rejects(listed(storage), (error: Error) => {
      assert.ok(!JSON.stringify([error.message, error]).includes('AKIAUNKNOWN'));
      return failing('target-denied', 'AWS_ACCESS_KEY_ID')(error);
    });
  } finally {
    process.env['AWS_ACCESS_KEY_ID'] = before;
    await storage.close();
  }
});

test('a server that a profile names is addressed by path, as one that is given', async t => {
  const file = join(tempDir(t), 'config');
  const { url, port } = server();
  writeFileSync(file, `[default]\nregion = us-east-1\nendpoint_url = http://localhost:${port}\n`);
  process.env['AWS_CONFIG_FILE'] = file;
  const target = { scheme: 's3', bucket: BUCKET, prefix: 'named' } as const;
  const storage = await openS3(target);
  const given = await openS3(target, { pathStyle: false });
  try {
    assert.equal(storage.pathStyle, true, url);
    assert.equal(given.pathStyle, false);
    assert.equal(await storage.exists(), true);
  } finally {
    process.env['AWS_CONFIG_FILE'] = credentials.AWS_CONFIG_FILE;
    await storage.close();
    await given.close();
  }
});

test('a server in the environment that is no address is told with the name of the variable', async () => {
  for (const url of ['nas.lan', 'nas.lan:9000', 'https://key:sekret@nas.lan']) {
    process.env['AWS_ENDPOINT_URL_S3'] = url;
    try {
      const target = { scheme: 's3', bucket: BUCKET, prefix: 'named' } as const;
      await assert.rejects(openS3(target), (error: Error) => {
        assert.doesNotMatch(error.message, /sekret/);
        return failing('usage', 'AWS_ENDPOINT_URL')(error);
      });
    } finally {
      delete process.env['AWS_ENDPOINT_URL_S3'];
    }
  }
});

test('storage class and encryption go with volumes; metadata stays where it can be read at once', async () => {
  const sse = { kind: 'kms', keyId: 'key-1', grant: 'id=someone' } as const;
  const cold = await openTest(server().url, { storageClass: 'deep-archive', sse }, {}, 'cold');
  await cold.put('volume', Buffer.from('1'), { kind: 'volume' });
  await cold.put('large', new Uint8Array(3 * PART), { kind: 'volume' });
  await cold.put('manifest', Buffer.from('1'), { kind: 'metadata' });
  const ia = await openTest(server().url, { storageClass: 'ia' }, {}, 'cold');
  await ia.put('ia-manifest', Buffer.from('1'), { kind: 'metadata' });
  await ia.put('ia-volume', Buffer.from('1'), { kind: 'volume' });
  const classOf = async (name: string) =>
    JSON.parse(
      await readFile(join(server().folder, BUCKET, 'cold', `${name}._S3rver_metadata.json`), 'utf8'),
    )['x-amz-storage-class'];
  assert.equal(await classOf('volume'), 'DEEP_ARCHIVE');
  assert.equal(await classOf('large'), 'DEEP_ARCHIVE');
  assert.equal(await classOf('manifest'), undefined);
  assert.equal(await classOf('ia-manifest'), undefined);
  assert.equal(await classOf('ia-volume'), 'STANDARD_IA');
  for (const storage of [cold, ia]) await storage.close();
});
