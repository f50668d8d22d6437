import assert from 'node:assert/strict';
import { test } from 'node:test';
import { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { collect } from '../../src/streams.ts';
import { BUCKET, credentials } from '../support/s3-server.ts';
import { openTest, sharedServer } from '../support/s3-storage.ts';

const server = sharedServer();

test('get() reads what the SDK’s own multipart upload has put there, whole and in ranges', async () => {
  const client = new S3Client({
    endpoint: server().url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: {
      accessKeyId: credentials.AWS_ACCESS_KEY_ID,
      secretAccessKey: credentials.AWS_SECRET_ACCESS_KEY,
    },
  });
  const body = Buffer.alloc(11 * 1024 * 1024, 'made by somebody else ');
  try {
    await new Upload({
      client,
      params: { Bucket: BUCKET, Key: 'foreign/object', Body: body },
      partSize: 5 * 1024 * 1024,
    }).done();
  } finally {
    client.destroy();
  }
  const storage = await openTest(server().url, {}, {}, 'foreign');
  try {
    assert.deepEqual(await storage.stat('object'), { size: body.length });
    assert.ok(body.equals(await collect(storage.get('object'))));
    const range = await collect(storage.get('object', { offset: 6_000_000, length: 1000 }));
    assert.ok(body.subarray(6_000_000, 6_001_000).equals(range));
  } finally {
    await storage.close();
  }
});
