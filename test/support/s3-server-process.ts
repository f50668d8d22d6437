/**
 * The process behind startS3Server: s3rver, a real S3 server over HTTP, made to keep what S3 promises and it does not:
 * objects appear whole or not at all, listed keys are URL-encoded on request, unfinished uploads can be listed and
 * aborted, joined parts have the ETag that S3 gives them. Arguments: folder, bucket. Prints its port when it is ready; ends with its standard input.
 */

import { createHash, randomUUID } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

interface StoredMetadata {
  bucket: string;
  key: string;
  metadata: Record<string, string>;
}

interface Part {
  number: number;
  etag: string;
}

interface Store {
  getResourcePath(bucket: string, key: string | undefined, resource: string): string;
  putObject(object: StoredMetadata & { content: unknown }): Promise<{ size: number; md5: string }>;
  putObjectMultipart(bucket: string, uploadId: string, parts: Part[]): Promise<{ size: number; md5: string }>;
  putMetadata(bucket: string, key: string, metadata: Record<string, string>, md5: string): Promise<void>;
}

interface Context {
  method: string;
  path: string;
  query: Record<string, string | undefined>;
  status: number;
  body: unknown;
}

interface Server {
  store: Store;
  middleware: ((context: Context, next: () => Promise<void>) => Promise<void>)[];
  httpServer: { requestTimeout: number };
  run(): Promise<{ port: number }>;
}

const [folder = '', bucket = ''] = process.argv.slice(2);
if (bucket === '') process.exit(); // a test runner that takes every file for a test
const S3rver = createRequire(import.meta.url)('s3rver') as new (options: object) => Server;
const server = new S3rver({
  address: '127.0.0.1',
  port: 0,
  silent: true,
  directory: folder,
  vhostBuckets: false,
  configureBuckets: [{ name: bucket }],
});

const { store } = server;
const writeObject = store.putObject.bind(store);
let turn: Promise<unknown> = Promise.resolve();
/** Written under another key first, then renamed, one object at a time. */
store.putObject = async object => {
  const draft = `drafts/${randomUUID()}`;
  const result = await writeObject({ ...object, bucket: '.drafts', key: draft });
  turn = turn.then(async () => {
    const path = (kind: string) => store.getResourcePath(object.bucket, object.key, kind);
    mkdirSync(dirname(path('object')), { recursive: true });
    await store.putMetadata(object.bucket, object.key, object.metadata, result.md5);
    renameSync(store.getResourcePath('.drafts', draft, 'object'), path('object'));
  });
  await turn;
  return result;
};

/** Joined without reading everything once more; the ETag is that of S3 for joined parts. */
store.putObjectMultipart = async (_, uploadId, parts) => {
  const upload = join(uploadsFolder(), uploadId);
  const sums = createHash('md5');
  const [first, ...others] = parts.map(({ number }) => join(upload, String(number)));
  for (const { number, etag } of parts) {
    if (readFileSync(join(upload, `${number}.md5`), 'utf8') !== etag) throw new Error('InvalidPart');
    sums.update(Buffer.from(etag, 'hex'));
  }
  for (const other of others)
    await pipeline(createReadStream(other), createWriteStream(first!, { flags: 'a' }));
  const { size } = statSync(first!);
  const key = readFileSync(join(upload, 'key'), 'utf8');
  const md5 = `${sums.digest('hex')}-${parts.length}`;
  const path = store.getResourcePath(bucket, key, 'object');
  mkdirSync(dirname(path), { recursive: true });
  await store.putMetadata(bucket, key, JSON.parse(readFileSync(join(upload, 'metadata'), 'utf8')), md5);
  renameSync(first!, path);
  rmSync(upload, { recursive: true });
  return { size, md5 };
};

const uploadsFolder = () => store.getResourcePath(bucket, undefined, 'uploads');
const isEncoded = (context: Context) => context.query['encoding-type'] === 'url';
const encode = (key: string) => encodeURIComponent(key).replaceAll('%20', '+');

// Before the last middleware, the router, and behind the one that makes XML of objects.
server.middleware.splice(-1, 0, async (context, next) => {
  const { uploadId } = context.query;
  if (context.method === 'GET' && 'uploads' in context.query) {
    context.status = 200;
    context.body = { ListMultipartUploadsResult: listUploads(context) };
    return;
  }
  if (context.method === 'DELETE' && uploadId !== undefined) {
    const known = existsSync(join(uploadsFolder(), uploadId));
    if (known) rmSync(join(uploadsFolder(), uploadId), { recursive: true });
    context.status = known ? 204 : 404;
    if (!known) context.body = { Error: { Code: 'NoSuchUpload', Message: 'unknown upload' } };
    return;
  }
  if (context.method === 'POST' && uploadId !== undefined && !existsSync(join(uploadsFolder(), uploadId))) {
    context.status = 404;
    context.body = { Error: { Code: 'NoSuchUpload', Message: 'unknown upload' } };
    return;
  }
  await next();
  const { ListBucketResult: list } = (context.body ?? {}) as {
    ListBucketResult?: { EncodingType?: string; Contents: { Key: string }[] };
  };
  if (list && isEncoded(context)) {
    list.EncodingType = 'url';
    list.Contents = list.Contents.map(object => ({ ...object, Key: encode(object.Key) }));
  }
});

function listUploads(context: Context) {
  const all = existsSync(uploadsFolder()) ? readdirSync(uploadsFolder()).sort() : [];
  const from = context.query['upload-id-marker'] ?? '';
  const later = all.filter(id => id > from);
  const page = later.slice(0, 2); // small, so that paging is met
  const Upload = page.map(UploadId => {
    const path = join(uploadsFolder(), UploadId, 'key');
    const key = readFileSync(path, 'utf8');
    return {
      Key: isEncoded(context) ? encode(key) : key,
      UploadId,
      Initiated: statSync(path).mtime.toISOString(),
    };
  });
  return {
    ...(isEncoded(context) ? { EncodingType: 'url' } : {}),
    IsTruncated: later.length > page.length,
    NextKeyMarker: Upload.at(-1)?.Key ?? '',
    NextUploadIdMarker: page.at(-1) ?? '',
    Upload,
  };
}

const { port } = await server.run();
process.stdout.write(`${port}\n`);
process.stdin.on('end', () => process.exit()).resume();
