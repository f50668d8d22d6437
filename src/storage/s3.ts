/**
 * Objects in a bucket of Amazon S3 or of anything that speaks its protocol, directly below a prefix. Requests are
 * retried in here, one by one, so a caller need not. Services whose lists lag behind are corrected by what this
 * storage itself has put and deleted since it was opened. Buckets are never made: where, for whom and how encrypted is
 * for people to decide.
 */

import { BackupError, messageOf } from '../errors.ts';
import { percentDecoded } from '../text.ts';
import { ForeignError, isUploadGone } from './s3-errors.ts';
import { createPieces, readObject, sizeOf } from './s3-get.ts';
import { keyOf, nameOf } from './s3-keys.ts';
import type { S3Options } from './s3-options.ts';
import { createSlabs, createSlots } from './s3-parts.ts';
import { putObject } from './s3-put.ts';
import { openSession, type S3Host, type S3Session } from './s3-session.ts';
import { createThawing, type Thawing } from './s3-thaw.ts';
import { type CallOptions, checkName, type Storage, type StoredObject, TEMPORARY_PREFIX } from './storage.ts';
import type { S3Target } from './url.ts';

export type { S3Options } from './s3-options.ts';
export type { S3Host } from './s3-session.ts';
export { type ColdObject, canThaw, type Thawing, type ThawOptions } from './s3-thaw.ts';

export interface S3Storage extends Storage, Thawing {
  /** Whether the bucket's name goes into the path rather than the host. */
  readonly pathStyle: boolean;
  /** Whether checksum headers are still sent, or the service has refused them. */
  checksums(): boolean;
  /** How many pieces `removeStale` would clear. @throws 'target-denied' where they can't be listed */
  countStale(): Promise<number>;
}

const STALE_AFTER_MS = 24 * 60 * 60 * 1000;
// File prefixes may stand in front; `full-signatures` and `new-signatures` are covered.
const OURS = /^[^/]*duplicity-(full|inc|new)[-.][^/]*$/;

/** Sends nothing yet. @throws BackupError 'usage' for an endpoint that is none */
export async function openS3(
  target: S3Target,
  options: S3Options = {},
  host: S3Host = {},
): Promise<S3Storage> {
  return createS3Storage(await openSession(target, options, host));
}

function createS3Storage(session: S3Session): S3Storage {
  const { sdk, bucket, prefix, description, reporter } = session;
  const uploads = {
    session,
    slabs: createSlabs(session.partSize, session.width + 1),
    slots: createSlots(session.width),
    etagsAreMd5: 'perhaps' as const,
  };
  const pieces = createPieces(session);
  // What this storage did: sizes of what it put, undefined for what it deleted.
  const known = new Map<string, number | undefined>();
  reporter.report({
    level: 'debug',
    code: 'storage-memory',
    message: `${description}: up to ${session.width} parts of ${session.partSize} bytes on their way, and one per put being filled.`,
    facts: { width: session.width, partSize: session.partSize },
  });

  const keyIn = (name: string): string => {
    checkName(name);
    return prefix + keyOf(name);
  };

  async function stat(name: string, { signal }: CallOptions = {}): Promise<{ size: number } | undefined> {
    const Key = keyIn(name);
    try {
      const head = await session.request(
        { doing: 'look at', object: name },
        (client, options) => client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key }), options),
        { signal },
      );
      return { size: await sizeOf(session, { name, key: Key }, head, signal) };
    } catch (error) {
      if (error instanceof BackupError && error.code === 'object-missing') return undefined;
      throw error;
    }
  }

  const listPage = (
    ContinuationToken: string | undefined,
    { signal, MaxKeys }: CallOptions & { readonly MaxKeys?: number } = {},
  ) =>
    session.request(
      { doing: 'list objects' },
      async (client, options) => {
        const page = await client.send(
          new sdk.ListObjectsV2Command({
            Bucket: bucket,
            Prefix: prefix,
            Delimiter: '/',
            EncodingType: 'url', // XML can't hold all characters of keys
            ContinuationToken,
            MaxKeys,
          }),
          options,
        );
        // Anything that the SDK could read would pass for an empty list, or the end of one.
        if ((page.Name ?? page.IsTruncated ?? page.Contents) === undefined) throw new ForeignError('no list');
        return page;
      },
      { signal },
    );

  /** What the service lists, page by page. */
  async function* listed(options?: CallOptions): AsyncGenerator<StoredObject, void, undefined> {
    let token: string | undefined;
    do {
      const page = await listPage(token, options);
      for (const { Key = '', Size = 0 } of page.Contents ?? []) {
        const key = page.EncodingType === 'url' ? decodeKey(Key) : Key;
        const name = key.startsWith(prefix) ? nameOf(key.slice(prefix.length)) : undefined;
        if (name !== undefined && isName(name)) yield { name, size: Size };
      }
      if (page.IsTruncated && (!page.NextContinuationToken || page.NextContinuationToken === token)) {
        throw new BackupError(
          'target-unreachable',
          `${description} gives no end of its list of objects. Ask the service's operator.`,
          { target: description },
        );
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async function abort(upload: StaleUpload, signal: AbortSignal | undefined): Promise<void> {
    try {
      await session.request(
        { doing: 'clear up unfinished uploads' },
        (client, options) =>
          client.send(new sdk.AbortMultipartUploadCommand({ Bucket: bucket, ...upload }), options),
        { signal },
      );
    } catch (error) {
      if (!isUploadGone(error)) throw error; // else the answer got lost, or someone else clears up too
    }
  }

  return {
    description,
    pathStyle: session.pathStyle,
    checksums: session.checksums,
    ...createThawing(session),

    async exists(options) {
      try {
        await listPage(undefined, { ...options, MaxKeys: 1 });
        return true;
      } catch (error) {
        if (error instanceof BackupError && error.facts['reason'] === 'NoSuchBucket') return false;
        throw error;
      }
    },

    async put(name, source, options = {}) {
      const key = keyIn(name);
      options.signal?.throwIfAborted();
      const size = await putObject(uploads, name, key, source, options);
      known.set(name, size);
      return { size };
    },

    async *get(name, options) {
      yield* readObject(session, pieces, name, keyIn(name), options);
    },

    stat,

    async *list(options) {
      const doubtful = new Set<string>();
      for (const [name, size] of known) if (size !== undefined) doubtful.add(name);
      for await (const object of listed(options)) {
        if (known.has(object.name) && known.get(object.name) !== object.size) {
          doubtful.add(object.name);
        } else {
          doubtful.delete(object.name);
          yield object;
        }
      }
      for (const name of doubtful) {
        const found = await stat(name, options);
        if (found) yield { name, ...found };
      }
    },

    async delete(name, { signal } = {}) {
      const Key = keyIn(name);
      try {
        await session.request(
          { doing: 'delete', object: name },
          (client, options) => client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key }), options),
          { signal },
        );
      } catch (error) {
        // Google's API minds, also at another attempt after the answer to the first got lost.
        if (!(error instanceof BackupError && error.code === 'object-missing')) throw error;
      }
      known.set(name, undefined);
    },

    async countStale() {
      let count = 0;
      for await (const _ of staleUploads(session)) count++;
      return count;
    },

    async removeStale({ signal } = {}) {
      let removed = 0;
      try {
        for await (const upload of staleUploads(session, signal)) {
          await abort(upload, signal);
          removed++;
        }
      } catch (error) {
        if (!(error instanceof BackupError) || error.code !== 'target-denied') throw error;
        reporter.report({
          level: 'info',
          code: 'storage-stale-unknown',
          message: `Unfinished uploads of crashed runs can't be looked for: ${messageOf(error)}`,
        });
      }
      return removed;
    },

    async close() {
      session.close();
    },
  };
}

interface StaleUpload {
  readonly Key: string;
  readonly UploadId: string | undefined;
}

/** Multipart uploads directly below the prefix that look like ours and began more than a day ago. */
async function* staleUploads(
  { sdk, bucket, prefix, request, now }: S3Session,
  signal?: AbortSignal | undefined,
): AsyncGenerator<StaleUpload, void, undefined> {
  let marker: { KeyMarker: string | undefined; UploadIdMarker: string | undefined } | undefined;
  do {
    const page = await request(
      { doing: 'list unfinished uploads' },
      (client, options) =>
        client.send(
          new sdk.ListMultipartUploadsCommand({
            Bucket: bucket,
            Prefix: prefix,
            Delimiter: '/',
            EncodingType: 'url',
            ...marker,
          }),
          options,
        ),
      { signal },
    );
    const decode = (text: string) => (page.EncodingType === 'url' ? decodeKey(text) : text);
    for (const { Key = '', UploadId, Initiated } of page.Uploads ?? []) {
      const key = decode(Key);
      const isOurs = key.startsWith(prefix) && OURS.test(key.slice(prefix.length));
      if (isOurs && Initiated && now() - Initiated.getTime() >= STALE_AFTER_MS) yield { Key: key, UploadId };
    }
    const { NextKeyMarker: next, NextUploadIdMarker: UploadIdMarker } = page;
    const isNew =
      next !== undefined && (next !== marker?.KeyMarker || UploadIdMarker !== marker?.UploadIdMarker);
    marker = page.IsTruncated && isNew ? { KeyMarker: decode(next), UploadIdMarker } : undefined;
  } while (marker !== undefined);
}

/** A key as lists encode it: percent escapes, and `+` for a blank. */
function decodeKey(text: string): string {
  return percentDecoded(text.replaceAll('+', ' ')) ?? text;
}

function isName(name: string): boolean {
  return /^[^/]+$/.test(name) && !/^\.\.?$/.test(name) && !name.startsWith(TEMPORARY_PREFIX);
}
