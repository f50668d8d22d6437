/** What makes sure of a put: that the service acknowledged these very bytes, and holds them under their name. */

import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import { displayPath } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import { AlteredError, type Doing, refusesConditions } from './s3-errors.ts';
import { sizeOf } from './s3-get.ts';
import type { Part, Slabs, Slots } from './s3-parts.ts';
import type { S3Session, SendOptions, Sums } from './s3-session.ts';

/** What puts of one storage share. */
export interface Uploads {
  readonly session: S3Session;
  readonly slabs: Slabs;
  readonly slots: Slots;
  /** Whether ETags are MD5 sums, as most services have it. Once one was, another sum means altered bytes. */
  etagsAreMd5: boolean | 'perhaps';
}

/** Metadata by which a completed upload is known as ours. */
export const UPLOAD_MARK = 'tsbackup-upload';

export interface ObjectFields {
  readonly Bucket: string;
  readonly Key: string;
}

/** Sends on the condition that there is no such object, if it is to be new and the service knows conditions. */
export async function onCondition<T>(
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

/** @throws BackupError 'target-unreachable' */
export async function checkSize(
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
export async function headAfterPut(
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

/** What an answer says about the bytes that arrived. */
export interface Echo {
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
export function signedWith(sha256: Buffer) {
  return <Args extends { request: unknown }, Answer>(next: (args: Args) => Promise<Answer>) =>
    (args: Args): Promise<Answer> => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers['x-amz-content-sha256'] = sha256.toString('hex');
      return next(args);
    };
}

export const newSums = (session: S3Session): Sums => ({ sent: session.checksums(), proved: false });

/** Sends bytes until the service has acknowledged these very bytes, if it tells which it has; `tries` is how often. */
export async function sendVerified(
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
