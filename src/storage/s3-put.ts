/**
 * Putting an object without a temporary file: one request for what fits into a part, else a multipart upload whose
 * parts stay in memory until the service has acknowledged them with the right checksum. An object appears when its
 * upload is completed, so a failure leaves what was; the parts of a failed one are given up at once, those of a crashed
 * run by `removeStale`.
 *
 * The library's own `Upload` is not used: on an abort it returns while its parts are still being sent, it tells a lost
 * answer to the completion as a failure, and it makes a new buffer of every part; docs/decisions.md has the figures.
 */

import { createHash, randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { S3Client } from '@aws-sdk/client-s3';
import { displayPath } from '../bytes.ts';
import { BackupError, messageOf } from '../errors.ts';
import type { Chunks } from '../streams.ts';
import { AlteredError, type Doing, isTaken, isUploadGone, refusesConditions } from './s3-errors.ts';
import { sizeOf } from './s3-get.ts';
import { storageClassOf } from './s3-options.ts';
import { gather, type Part, type Slabs, type Slots } from './s3-parts.ts';
import type { S3Session, SendOptions, Sums } from './s3-session.ts';
import { type PutOptions, takenError } from './storage.ts';

/** What puts of one storage share. */
export interface Uploads {
  readonly session: S3Session;
  readonly slabs: Slabs;
  readonly slots: Slots;
  /** Whether ETags are MD5 sums, as most services have it. Once one was, another sum means altered bytes. */
  etagsAreMd5: boolean | 'perhaps';
}

const MOST_PARTS = 10_000;
const UPLOAD_MARK = 'tsbackup-upload'; // metadata by which a completed upload is known as ours
const CLEANUP = { attempts: 3, budgetMs: 5000 };
const CLEANUP_MS = 3000; // with a server that is silent; a run that was told to end has no more

/** @returns bytes stored. @throws BackupError, what `source` throws, the signal's reason */
export async function putObject(
  uploads: Uploads,
  name: string,
  key: string,
  source: Chunks | Uint8Array,
  { signal, kind = 'volume', isNew = false, after }: PutOptions,
): Promise<number> {
  const { session, slabs, slots } = uploads;
  const StorageClass = storageClassOf(session.options.storageClass, kind);
  const object = {
    Bucket: session.bucket,
    Key: key,
    ...session.encryption,
    ...(StorageClass === undefined ? {} : { StorageClass }),
  };
  const leave = await slots.enter(); // a slab for the first part is taken when those of earlier objects are on their way
  const parts = gather(source, slabs, signal);
  const first = await parts.next().catch(error => {
    leave();
    throw error;
  });
  if (first.done) throw new Error('no part'); // gather() yields at least one
  if (!first.value.last)
    return putParts(uploads, name, { ...object, isNew, after }, first.value, leave, parts, signal);
  leave(); // what it waits for may need it, and it takes none of the memory that is counted in parts
  await after;

  const { bytes, release } = first.value;
  const about = { what: { doing: 'store', object: name }, sums: newSums(session), signal };
  const mark = randomUUID();
  const fields = isNew ? { ...object, Metadata: { [UPLOAD_MARK]: mark } } : object;
  const send = (isConditional: boolean) =>
    sendVerified(uploads, first.value, about, (client, body, options) =>
      onCondition(isConditional, condition => {
        const command = new session.sdk.PutObjectCommand({ ...fields, ...body, ...condition });
        command.middlewareStack.add(signedWith(first.value.sha256), { step: 'build' });
        return client.send(command, options);
      }),
    );
  const { tries, isProved } = await send(isNew).catch(async error => {
    if (!isNew || !isTaken(error)) throw error;
    const found = await headAfterPut(session, name, object, signal);
    if (found?.Metadata?.[UPLOAD_MARK] !== mark) throw takenError(name, session.description);
    return { ...(await send(false)), tries: 2 }; // an earlier attempt of ours, of which nobody knows how it ended
  });
  if (tries === 1) release();
  if (!isProved) {
    const found = await headAfterPut(session, name, object, signal);
    if (found) await checkSize(session, name, object, found, bytes.length, signal);
  }
  return bytes.length;
}

interface ObjectFields {
  readonly Bucket: string;
  readonly Key: string;
}

/** Sends on the condition that there is no such object, if it is to be new and the service knows conditions. */
async function onCondition<T>(
  isNew: boolean,
  send: (condition: { IfNoneMatch?: '*' }) => Promise<T>,
): Promise<T> {
  if (!isNew) return send({});
  try {
    return await send({ IfNoneMatch: '*' });
  } catch (error) {
    if (!refusesConditions(error)) throw error;
    return send({});
  }
}

interface UploadFields extends ObjectFields {
  readonly UploadId: string | undefined;
}

async function putParts(
  uploads: Uploads,
  name: string,
  { isNew, after, ...object }: ObjectFields & Required<Pick<PutOptions, 'isNew' | 'after'>>,
  first: Part,
  leaveFirst: () => void,
  rest: AsyncGenerator<Part, void, undefined>,
  outer: AbortSignal | undefined,
): Promise<number> {
  const { session, slots } = uploads;
  const { sdk } = session;
  const what = { doing: 'store', object: name };
  const mark = randomUUID();
  const abort = new AbortController();
  const forward = () => abort.abort(outer?.reason);
  if (outer?.aborted) forward();
  outer?.addEventListener('abort', forward, { once: true });
  const { signal } = abort;
  setMaxListeners(0, signal); // each part on its way listens, and Node.js would take more than ten for a leak
  const sums = newSums(session);
  const inFlight = new Set<Promise<void>>();
  const done: { PartNumber: number; ETag: string | undefined; ChecksumSHA256?: string }[] = [];
  let size = 0;
  let parts = 0;

  /** Parts are gathered while this is under way. */
  const begin = async (): Promise<UploadFields> => {
    const { UploadId } = await session.request(
      what,
      (client, options) =>
        client.send(
          new sdk.CreateMultipartUploadCommand({
            ...object,
            Metadata: { [UPLOAD_MARK]: mark },
            ...(sums.sent ? { ChecksumAlgorithm: 'SHA256' as const } : {}),
          }),
          options,
        ),
      { signal, sums },
    );
    return { Bucket: object.Bucket, Key: object.Key, UploadId };
  };
  const begun = begin();
  begun.catch(() => {}); // the parts tell

  const sendPart = async (part: Part, number: number, leave: () => void): Promise<void> => {
    try {
      const upload = await begun;
      let echo: Echo = {};
      const { tries } = await sendVerified(
        uploads,
        part,
        { what, sums, signal },
        async (client, body, options) => {
          const command = new sdk.UploadPartCommand({ ...upload, PartNumber: number, ...body });
          command.middlewareStack.add(signedWith(part.sha256), { step: 'build' });
          echo = await client.send(command, options);
          return echo;
        },
      );
      const { ETag, ChecksumSHA256 } = echo;
      done.push({ PartNumber: number, ETag, ...(ChecksumSHA256 === undefined ? {} : { ChecksumSHA256 }) });
      if (tries === 1) part.release();
    } catch (error) {
      abort.abort(error); // the first failure stops the others and is the one to tell
    } finally {
      leave();
    }
  };

  const start = async (part: Part, leaveSlot?: () => void): Promise<void> => {
    if (++parts > MOST_PARTS) {
      throw new BackupError(
        'usage',
        `An object can't have more than ${MOST_PARTS} parts. Raise --s3-multipart-chunk-size or lower --volsize.`,
      );
    }
    const leave = leaveSlot ?? (await slots.enter());
    if (signal.aborted) {
      leave();
      signal.throwIfAborted();
    }
    size += part.bytes.length;
    const work = sendPart(part, parts, leave);
    inFlight.add(work);
    work.finally(() => inFlight.delete(work));
  };

  try {
    await start(first, leaveFirst);
    for await (const part of rest) {
      signal.throwIfAborted();
      await start(part);
    }
    await Promise.all(inFlight);
    await after;
    signal.throwIfAborted();
    done.sort((a, b) => a.PartNumber - b.PartNumber);
    await complete(uploads, name, await begun, done, { size, mark, isNew, signal });
    return size;
  } catch (error) {
    abort.abort(error);
    await Promise.all(inFlight); // before the slabs or the upload are touched again
    const upload = await begun.catch(() => undefined);
    if (upload) await giveUp(session, name, upload);
    throw error;
  } finally {
    await rest.return();
    outer?.removeEventListener('abort', forward);
  }
}

/** Joins the parts and makes sure that the object is there, whole, and ours even if the answer got lost. */
async function complete(
  { session }: Uploads,
  name: string,
  upload: UploadFields,
  Parts: { PartNumber: number; ETag: string | undefined }[],
  { size, mark, isNew, signal }: { size: number; mark: string; isNew: boolean; signal: AbortSignal },
): Promise<void> {
  const { sdk } = session;
  const what = { doing: 'store', object: name };
  let etag: string | undefined;
  let lost: unknown;
  try {
    const answer = await session.request(
      what,
      (client, options) =>
        onCondition(isNew, condition =>
          client.send(
            new sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, ...condition }),
            options,
          ),
        ),
      { signal },
    );
    etag = answer.ETag;
  } catch (error) {
    // An earlier attempt may have done it: then there is no such upload any more, but the object.
    const isElsewhere = isNew && isTaken(error);
    if (!isElsewhere && !isUploadGone(error)) throw error;
    lost = isElsewhere ? takenError(name, session.description) : error;
  }
  const found = await headAfterPut(session, name, upload, signal);
  const isOurs = found?.Metadata?.[UPLOAD_MARK] === mark || (etag !== undefined && found?.ETag === etag);
  if (lost !== undefined && !isOurs) throw lost;
  if (found && isOurs) await checkSize(session, name, upload, found, size, signal);
}

/** @throws BackupError 'target-unreachable' */
async function checkSize(
  session: S3Session,
  name: string,
  { Key: key }: ObjectFields,
  head: { ContentLength?: number | undefined },
  sent: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { description } = session;
  const held = await sizeOf(session, { name, key }, head, signal);
  if (held === sent) return;
  throw new BackupError(
    'target-unreachable',
    `${description} holds ${held} bytes of ${displayPath(name)} where ${sent} were sent. Run again.`,
    { object: name, target: description },
  );
}

/** What the service says it holds; undefined if this key may write but not look. */
async function headAfterPut(
  session: S3Session,
  name: string,
  { Bucket, Key }: ObjectFields,
  signal: AbortSignal | undefined,
) {
  const command = { Bucket, Key };
  try {
    return await session.request(
      { doing: 'look at', object: name },
      (client, options) => client.send(new session.sdk.HeadObjectCommand(command), options),
      { signal },
    );
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    if (error.code === 'target-denied') return undefined;
    if (error.code !== 'object-missing') throw error;
    throw new BackupError(
      'target-unreachable',
      `${session.description} does not have ${displayPath(name)}, which was sent there. Run again.`,
      { object: name, target: session.description },
      { cause: error },
    );
  }
}

/** Frees the parts of an upload that failed. What can't be freed now is left for `removeStale`. */
async function giveUp(session: S3Session, name: string, upload: UploadFields): Promise<void> {
  try {
    await session.request(
      { doing: 'clear up', object: name },
      (client, options) => client.send(new session.sdk.AbortMultipartUploadCommand(upload), options),
      { policy: CLEANUP, signal: AbortSignal.timeout(CLEANUP_MS) },
    );
  } catch (error) {
    if (isUploadGone(error)) return;
    session.reporter.report({
      level: 'info',
      code: 'storage-upload-left',
      message: `Parts of a failed upload are left at the target for now: ${messageOf(error)}`,
    });
  }
}

/** What an answer says about the bytes that arrived. */
interface Echo {
  readonly ETag?: string | undefined;
  readonly ChecksumSHA256?: string | undefined;
  readonly ServerSideEncryption?: string | undefined;
}

/** What a request with bytes says about them. */
interface Body {
  readonly Body: Uint8Array;
  readonly ContentLength: number;
  readonly ChecksumSHA256?: string;
  /** Where objects are locked against deletion some services want this named too, as their documentation says. */
  readonly ChecksumAlgorithm?: 'SHA256';
}

/** Has a request signed with a digest that is known, so that the SDK need not make it once more. */
function signedWith(sha256: Buffer) {
  return <Args extends { request: unknown }, Answer>(next: (args: Args) => Promise<Answer>) =>
    (args: Args): Promise<Answer> => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers['x-amz-content-sha256'] = sha256.toString('hex');
      return next(args);
    };
}

const newSums = (session: S3Session): Sums => ({ sent: session.checksums(), proved: false });

/** Sends bytes until the service has acknowledged these very bytes, if it tells which it has; `tries` is how often. */
async function sendVerified(
  uploads: Uploads,
  { bytes, sha256 }: Part,
  { what, sums, signal }: { what: Doing; sums: Sums; signal: AbortSignal | undefined },
  send: (client: S3Client, body: Body, options: SendOptions) => Promise<Echo>,
): Promise<{ tries: number; isProved: boolean }> {
  const { session } = uploads;
  const ChecksumSHA256 = sha256.toString('base64');
  let tries = 0;
  let mismatches = 0;
  let isProved = true;
  await session.request(
    what,
    async (client, options) => {
      tries++;
      const body = { Body: bytes, ContentLength: bytes.length };
      const sum = { ChecksumSHA256, ChecksumAlgorithm: 'SHA256' as const };
      const echo = await send(client, sums.sent ? { ...body, ...sum } : body, options);
      if (echo.ChecksumSHA256 !== undefined) {
        sums.proved = true;
        if (echo.ChecksumSHA256 === ChecksumSHA256) return;
      } else {
        const md5 = uploads.etagsAreMd5 ? md5In(echo) : undefined;
        isProved = md5 !== undefined;
        if (!isProved) return;
        if (md5 === createHash('md5').update(bytes).digest('hex')) {
          uploads.etagsAreMd5 = true;
          return;
        }
        // Twice in a row is no accident of the wire, which the signature covers too: this service's ETags are not MD5.
        if (++mismatches === 2 && uploads.etagsAreMd5 !== true) {
          uploads.etagsAreMd5 = false;
          isProved = false;
          return;
        }
      }
      throw new AlteredError('the acknowledged checksum is another');
    },
    { signal, sums },
  );
  return { tries, isProved };
}

/** The ETag of an answer if it may be an MD5. */
function md5In({ ETag, ServerSideEncryption }: Echo): string | undefined {
  if (ServerSideEncryption?.startsWith('aws:kms')) return undefined;
  return /^"?([0-9a-f]{32})"?$/.exec(ETag ?? '')?.[1];
}
