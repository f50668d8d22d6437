/**
 * Multipart uploads, whose parts stay in memory until the service has acknowledged them with the right checksum. An object
 * appears when its upload is completed, so a failure leaves what was; the parts of a failed one are given up at once,
 * those of a crashed run by `removeStale`.
 *
 * The library's own `Upload` is not used: on an abort it returns while its parts are still being sent, it tells a lost
 * answer to the completion as a failure, and it makes a new buffer of every part; docs/decisions.md has the figures.
 */

import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { BackupError, messageOf } from '../errors.ts';
import { isTaken, isUploadGone } from './s3-errors.ts';
import type { Part } from './s3-parts.ts';
import {
  checkSize,
  type Echo,
  headAfterPut,
  newSums,
  type ObjectFields,
  onCondition,
  sendVerified,
  signedWith,
  UPLOAD_MARK,
  type Uploads,
} from './s3-proof.ts';
import type { S3Session } from './s3-session.ts';
import { type PutOptions, takenError } from './storage.ts';

const MOST_PARTS = 10_000;
const CLEANUP = { attempts: 3, budgetMs: 5000 };
const CLEANUP_MS = 3000; // with a server that is silent; a run that was told to end has no more

interface UploadFields extends ObjectFields {
  readonly UploadId: string | undefined;
}

/**
 * An object of several parts.
 * @param first is not the last one; as those of `rest` it is released when it has arrived
 * @param leaveFirst of the slot in which the first one travels; called here
 * @returns bytes stored. @throws BackupError, what `rest` throws, the signal's reason
 */
export async function putParts(
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
