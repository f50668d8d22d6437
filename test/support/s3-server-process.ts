/**
 * The process behind startS3Server: s3rver, a real S3 server over HTTP, made to keep what S3 promises and it does not:
 * objects appear whole or not at all, listed keys are URL-encoded on request, unfinished uploads can be listed and
 * aborted, joined parts have the ETag that S3 gives them, bodies are held against the SHA-256 that the request says they
 * have, and checksum headers acknowledged (unless it is to be a service that does not know them). Arguments: folder,
 * bucket, kind of service (see startS3Server). Prints its port when it is ready; ends with its standard input.
 */

import { createHash, randomUUID } from 'node:crypto';
import {
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import { tidy } from '../../src/engine/tidy.ts';

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
  putObject(object: StoredMetadata & { content: IncomingMessage }): Promise<{ size: number; md5: string }>;
  putPart(
    bucket: string,
    uploadId: string,
    number: string | number,
    content: IncomingMessage,
  ): Promise<{ size: number; md5: string }>;
  putObjectMultipart(bucket: string, uploadId: string, parts: Part[]): Promise<{ size: number; md5: string }>;
  putMetadata(bucket: string, key: string, metadata: Record<string, string>, md5: string): Promise<void>;
}

interface Context {
  method: string;
  path: string;
  query: Record<string, string | undefined>;
  status: number;
  body: unknown;
  get(header: string): string;
  set(header: string, value: string): void;
}

interface Server {
  store: Store;
  middleware: ((context: Context, next: () => Promise<void>) => Promise<void>)[];
  httpServer: { requestTimeout: number };
  run(): Promise<{ port: number }>;
}

const [folder = '', bucket = '', kind = ''] = process.argv.slice(2);
const knowsChecksums = kind !== 'old';
const isLean = kind === 'lean';
const hasMd5Etags = !isLean;
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
let turn: Promise<unknown> = Promise.resolve();
/** Written under another name first, then renamed, one object at a time. */
store.putObject = async object => {
  const { bytes, md5, done } = await receive(object.content);
  const draft = store.getResourcePath('.drafts', randomUUID(), 'object');
  mkdirSync(dirname(draft), { recursive: true });
  await writeFile(draft, bytes);
  done();
  turn = turn.then(async () => {
    const path = store.getResourcePath(object.bucket, object.key, 'object');
    mkdirSync(dirname(path), { recursive: true });
    await store.putMetadata(object.bucket, object.key, object.metadata, md5);
    renameSync(draft, path);
  });
  await turn;
  return { size: bytes.length, md5 };
};

const CHECKSUM = 'x-amz-checksum-sha256';

interface Received {
  /** Lent until `done` is called. */
  readonly bytes: Buffer;
  /** What the ETag is made of. */
  readonly md5: string;
  done(): void;
}

/** Buffers for bodies, used again, since what is dropped after a while takes longest to collect. */
const spare: Buffer[] = [];

const PAGE = 64 * 1024; // of WebAssembly; a multiple of what disks and processors have
/** Its types come with browsers' libraries only. */
const { Memory } = (globalThis as unknown as { WebAssembly: WebAssemblyHost }).WebAssembly;
interface WebAssemblyHost {
  readonly Memory: new (pages: { initial: number }) => { readonly buffer: ArrayBuffer };
}

/** At least so many bytes, whole pages, as writing past the system's cache wants them. */
function pages(length: number): Buffer {
  return Buffer.from(new Memory({ initial: Math.ceil(length / PAGE) }).buffer);
}

/** A request's body. @throws 'BadDigest' if it is not what the request says */
async function receive(content: IncomingMessage): Promise<Received> {
  const signed = String(content.headers['x-amz-content-sha256']);
  const declared = content.headers[CHECKSUM];
  const wanted = [
    ...(/^[0-9a-f]{64}$/.test(signed) ? [signed] : []),
    ...(declared === undefined ? [] : [Buffer.from(String(declared), 'base64').toString('hex')]),
  ];
  const md5 = hasMd5Etags ? createHash('md5') : undefined;
  const sha256 = (knowsChecksums && wanted.length > 0) || !md5 ? createHash('sha256') : undefined;
  const length = Number(content.headers['content-length'] ?? 0);
  let buffer = spare.pop() ?? Buffer.alloc(0);
  if (buffer.length < length) buffer = isLean ? pages(length) : Buffer.allocUnsafeSlow(length);
  let size = 0;
  content.on('data', (chunk: Buffer) => {
    md5?.update(chunk);
    sha256?.update(chunk);
    if (size + chunk.length > buffer.length) {
      buffer = Buffer.concat([buffer.subarray(0, size)], 2 * (size + chunk.length)); // of a length not told
    }
    buffer.set(chunk, size);
    size += chunk.length;
    tidy(chunk.length); // or all of the heap is gone over at every 64 MiB
  });
  await finished(content);
  const found = sha256?.digest('hex');
  if (knowsChecksums && wanted.some(sum => sum !== found)) throw new Error('BadDigest');
  const done = () => void spare.push(buffer);
  return { bytes: buffer.subarray(0, size), md5: md5?.digest('hex') ?? found!.slice(0, 32), done };
}

interface Upload {
  /** Of part 1, which all but the last have. */
  partSize?: number;
  /** Sizes of the parts that lie at their places in the file `joined`. */
  readonly placed: Map<number, number>;
  /** What joins them: whoever asks again meanwhile gets the same answer. */
  joining?: Promise<{ size: number; md5: string }>;
}
const uploads = new Map<string, Upload>();
const partFile = (uploadId: string, name: string | number) => join(uploadsFolder(), uploadId, `${name}`);

/** A part goes at once to its place in the object where that is known, so that joining needn't copy it. */
store.putPart = async (_, uploadId, number, content) => {
  const upload: Upload = uploads.get(uploadId) ?? { placed: new Map() };
  uploads.set(uploadId, upload);
  if (Number(number) === 1) upload.partSize = Number(content.headers['content-length']);
  const { bytes, md5, done } = await receive(content);
  const size = bytes.length;
  const { partSize, placed } = upload;
  const offset = partSize !== undefined && size <= partSize ? (Number(number) - 1) * partSize : undefined;
  const name = offset === undefined ? number : 'joined';
  // As storage servers do: what is kept for long need not push everything else out of the cache.
  const isDirect = isLean && offset !== undefined && size > 0 && (size | offset) % PAGE === 0;
  const flags = constants.O_RDWR | constants.O_CREAT;
  const file = await open(partFile(uploadId, name), isDirect ? flags | constants.O_DIRECT : flags);
  try {
    if (size > 0) await file.write(bytes, 0, size, offset ?? 0);
  } finally {
    await file.close();
  }
  done();
  if (offset === undefined) placed.delete(Number(number));
  else placed.set(Number(number), size);
  writeFileSync(partFile(uploadId, `${number}.md5`), md5);
  return { size, md5 };
};

store.putObjectMultipart = async (_, uploadId, parts) => {
  const upload: Upload = uploads.get(uploadId) ?? { placed: new Map() };
  uploads.set(uploadId, upload);
  upload.joining ??= joinParts(uploadId, upload, parts).finally(() => uploads.delete(uploadId));
  return upload.joining;
};

/** The ETag is that of S3 for joined parts. */
async function joinParts(uploadId: string, { partSize = 0, placed }: Upload, parts: readonly Part[]) {
  const sums = createHash('md5');
  for (const { number, etag } of parts) {
    if (readFileSync(partFile(uploadId, `${number}.md5`), 'utf8') !== etag) throw new Error('InvalidPart');
    sums.update(Buffer.from(etag, 'hex'));
  }
  const inPlace = parts.every(
    ({ number }, i) =>
      number === i + 1 && (placed.get(number) === partSize || (i === parts.length - 1 && placed.has(number))),
  );
  const whole = partFile(uploadId, inPlace ? 'joined' : 'copied');
  if (inPlace) truncateSync(whole, (parts.length - 1) * partSize + placed.get(parts.length)!);
  else {
    for (const { number } of parts) {
      const start = (number - 1) * partSize;
      const size = placed.get(number);
      const source =
        size === undefined
          ? createReadStream(partFile(uploadId, number))
          : createReadStream(partFile(uploadId, 'joined'), { start, end: start + size - 1 });
      await pipeline(source, createWriteStream(whole, { flags: 'a' }));
    }
  }
  const { size } = statSync(whole);
  const key = readFileSync(partFile(uploadId, 'key'), 'utf8');
  const md5 = `${sums.digest('hex')}-${parts.length}`;
  const path = store.getResourcePath(bucket, key, 'object');
  mkdirSync(dirname(path), { recursive: true });
  await store.putMetadata(bucket, key, JSON.parse(readFileSync(partFile(uploadId, 'metadata'), 'utf8')), md5);
  renameSync(whole, path);
  rmSync(join(uploadsFolder(), uploadId), { recursive: true });
  return { size, md5 };
}

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
  try {
    await next();
  } catch (error) {
    if ((error as Error).message !== 'BadDigest') throw error;
    context.status = 400;
    context.body = { Error: { Code: 'BadDigest', Message: 'the body has another checksum' } };
    return;
  }
  const checksum = context.get(CHECKSUM);
  if (knowsChecksums && checksum !== '' && context.status < 300) context.set(CHECKSUM, checksum);
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
