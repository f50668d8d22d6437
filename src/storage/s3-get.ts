/**
 * Reading an object: a body that breaks, stalls or ends early is continued by range from the last byte received, on
 * condition that the object is still the same. Objects of several pieces are read by ranges side by side, in order,
 * with a bounded number of pieces in memory.
 *
 * Bit flips: where the service has a checksum of the whole object (what we put in one request, on services that keep
 * checksums) the SDK checks it against the stream when an object is read from begin to end. Of volumes it is not asked
 * for: the manifest has their SHA-1.
 */

import { createHash } from 'node:crypto';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { displayPath } from '../bytes.ts';
import { BackupError, messageOf } from '../errors.ts';
import { type Chunks, hashing, mapOrdered } from '../streams.ts';
import { AlteredError, explain, ReplacedError, UnsizedError } from './s3-errors.ts';
import { createSlabs, type Slabs } from './s3-parts.ts';
import type { S3Session } from './s3-session.ts';
import type { GetOptions } from './storage.ts';
import { throttled } from './throttle.ts';

const CHUNK = 1024 * 1024;
const PIECE = 4 * 1024 * 1024;
const WIDTH = 3; // 12 MiB under way keep a line of 1 Gbit/s busy over a round trip of 100 ms
const PIECES_WORTH_IT = 2; // below, further connections would cost more than they bring
// A connection brings megabytes at the line's full speed before anybody reads them: under a limit, no more is asked for
// at once than a quarter of a second may bring, and only when that time has passed.
const PIECES_PER_SECOND = 4;
const SMALLEST_PIECE = 16 * 1024;

/** Bytes from `start` up to, not including, `end`, of the object with this ETag if it is known. */
interface Span {
  readonly name: string;
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly etag?: string | undefined;
  readonly hasChecksum?: boolean;
  /** A range is asked for even if it is all: the answer then tells the size in another way too. */
  readonly asRange?: boolean;
}

/** A body that began to arrive; `end` is where the span really ends. */
interface Opened {
  readonly body: AsyncIterable<Uint8Array> & { destroy(error?: Error): void };
  readonly etag: string | undefined;
  readonly end: number;
  /** Size of the object. */
  readonly total: number;
  /** Its bytes have been waited for already, where downloads are limited. */
  readonly paid: boolean;
  /** In base64, of the whole object, if that is what was asked for and the service keeps it. */
  readonly sha256: string | undefined;
}

interface Pieces {
  readonly slabs: Slabs;
  readonly width: number;
  /** A proxy on the way drops sizes of whole objects. */
  asRanges: boolean;
}

/** Room for the pieces that are read side by side; the gets of one storage share it. */
export function createPieces({ partSize, width, options }: S3Session): Pieces {
  const limit = options.downloadLimit ?? Number.POSITIVE_INFINITY;
  const smooth = Math.max(SMALLEST_PIECE, Math.floor(limit / PIECES_PER_SECOND));
  const slabs = createSlabs(Math.min(PIECE, partSize, smooth), WIDTH + 1);
  return { slabs, width: Math.min(WIDTH, width), asRanges: false };
}

/** Object bytes in lent chunks. @throws BackupError, the signal's reason */
export async function* readObject(
  session: S3Session,
  pieces: Pieces,
  name: string,
  key: string,
  { offset = 0, length = Number.POSITIVE_INFINITY, signal, hasChecksum = false }: GetOptions = {},
): Chunks {
  const { size } = pieces.slabs;
  const span = { name, key, start: offset, end: offset + length, hasChecksum, asRange: pieces.asRanges };
  // What the SDK is to hold against a checksum must be asked for as a whole, and what has no end can't be paid for.
  const mayHaveSum = !hasChecksum && offset === 0 && length === Number.POSITIVE_INFINITY;
  const first = session.downloads && !mayHaveSum ? Math.min(span.end, offset + size) : span.end;
  let opened = await open(session, { ...span, end: first }, signal);
  if (opened === 'no size') {
    pieces.asRanges = true;
    opened = await open(session, { ...span, end: first, asRange: true }, signal);
  }
  if (opened === undefined || opened === 'no size') return;
  const { etag, total, sha256 } = opened;
  const end = Math.min(span.end, total);
  const isLarge = end - offset > PIECES_WORTH_IT * size;
  if (session.downloads && isLarge && !opened.paid) {
    opened.body.destroy();
    const read = readAhead(session, pieces, { ...span, end, etag }, signal);
    yield* sha256 === undefined ? read : proved(read, sha256, () => altered(session, name));
    return;
  }
  const ahead = isLarge && pieces.width > 1 ? offset + size : opened.end;
  yield* readSpan(session, { ...span, end: ahead, etag }, signal, opened);
  if (ahead < end) yield* readAhead(session, pieces, { ...span, start: ahead, end, etag }, signal);
}

/** The same bytes; at their end they have this SHA-256, in base64, or `otherwise` is thrown. */
async function* proved(source: Chunks, sha256: string, otherwise: () => Error): Chunks {
  const hash = createHash('sha256');
  yield* hashing(source, hash);
  if (hash.digest('base64') !== sha256) throw otherwise();
}

/** Size of an object by what its head says, or where a proxy has dropped that from it, by its first byte's place. */
export async function sizeOf(
  session: S3Session,
  { name, key }: Pick<Span, 'name' | 'key'>,
  { ContentLength }: { ContentLength?: number | undefined },
  signal?: AbortSignal,
): Promise<number> {
  if (ContentLength !== undefined) return ContentLength;
  const opened = await open(session, { name, key, start: 0, end: 1, asRange: true }, signal);
  if (opened === undefined || opened === 'no size') return 0;
  opened.body.destroy();
  return opened.total;
}

/** A span in pieces, fetched side by side. */
async function* readAhead(
  session: S3Session,
  { slabs, width }: Pieces,
  span: Span,
  outer?: AbortSignal,
): Chunks {
  const abort = new AbortController();
  const forward = () => abort.abort(outer?.reason);
  outer?.addEventListener('abort', forward, { once: true });
  async function* pieces() {
    for (let start = span.start; start < span.end; start += slabs.size) {
      yield { ...span, start, end: Math.min(span.end, start + slabs.size) };
    }
  }
  async function fetchPiece(piece: Span): Promise<{ slab: Buffer; bytes: Uint8Array }> {
    const slab = slabs.take();
    let filled = 0;
    for await (const chunk of readSpan(session, piece, abort.signal)) {
      slab.set(chunk, filled);
      filled += chunk.length;
    }
    return { slab, bytes: slab.subarray(0, filled) };
  }
  // Closing `fetched` waits for what is in flight, so it is aborted first.
  const fetched = mapOrdered(pieces(), width, fetchPiece);
  try {
    outer?.throwIfAborted();
    for (let next = await fetched.next(); !next.done; next = await fetched.next()) {
      const { slab, bytes } = next.value;
      for (let i = 0; i < bytes.length; i += CHUNK) yield bytes.subarray(i, i + CHUNK);
      slabs.give(slab);
    }
  } finally {
    outer?.removeEventListener('abort', forward);
    abort.abort();
    await fetched.return();
  }
}

/**
 * A span that is known to be there, through one connection at a time, as many as it takes. A body that is empty is read
 * too: it holds its socket.
 */
async function* readSpan(session: S3Session, span: Span, signal?: AbortSignal, opened?: Opened): Chunks {
  const what = { doing: 'read', object: span.name };
  const trial = session.trial();
  let position = span.start;
  let etag = span.etag;
  let current = opened;
  do {
    if (current === undefined) {
      const next = await open(session, { ...span, start: position, etag, asRange: true }, signal);
      if (next !== 'no size') current = next;
    }
    if (current === undefined || current.end < span.end) {
      current?.body.destroy();
      const replaced = new ReplacedError('the object has become shorter');
      throw explain(replaced, what, session.description, session.bucket);
    }
    etag ??= current.etag;
    const { end } = span;
    let failure: unknown = new AlteredError('the body ended early');
    const { body } = current;
    const stop = () => body.destroy();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const { downloads } = session;
      for await (const chunk of downloads && !current.paid ? throttled(body, downloads, signal) : body) {
        signal?.throwIfAborted();
        const wanted = chunk.subarray(0, end - position);
        if (wanted.length === 0) return; // more is sent than was asked for
        position += wanted.length;
        trial.progressed();
        yield wanted;
        if (position === end && end < current.end) return; // the reader has what it wanted
      }
      if (position === end) return;
    } catch (error) {
      signal?.throwIfAborted();
      if (/^Checksum mismatch/.test(messageOf(error))) throw altered(session, span.name, error);
      if (position === end) return; // all bytes were there
      failure = error;
    } finally {
      signal?.removeEventListener('abort', stop);
      body.destroy();
    }
    current = undefined;
    await session.failed(trial, what, failure, signal);
  } while (position < span.end);
}

/** Asks for a span. @returns undefined where nothing lies, beyond the end; 'no size' of all that is to be asked as a range */
async function open(
  session: S3Session,
  span: Span,
  signal?: AbortSignal,
): Promise<Opened | 'no size' | undefined> {
  const { name, key, start, end, etag, hasChecksum, asRange = false } = span;
  // An empty range can't be asked for, yet whether the object is there is to be known.
  const last = Math.max(start, end - 1);
  const whole = !asRange && start === 0 && end === Number.POSITIVE_INFINITY;
  const range = whole ? undefined : `bytes=${start}-${end === Number.POSITIVE_INFINITY ? '' : last}`;
  const paid = end < Number.POSITIVE_INFINITY;
  if (paid) await session.downloads?.take(last + 1 - start, signal);
  return session.request(
    { doing: 'read', object: name },
    async (client, options) => {
      let answer: GetObjectCommandOutput;
      try {
        answer = await client.send(
          new session.sdk.GetObjectCommand({
            Bucket: session.bucket,
            Key: key,
            // With a range some services send the checksum of the whole object, which the SDK would hold against it.
            ...(range === undefined ? !hasChecksum && { ChecksumMode: 'ENABLED' } : { Range: range }),
            ...(etag === undefined ? {} : { IfMatch: etag }),
          }),
          options,
        );
      } catch (error) {
        if ((error as Error).name === 'InvalidRange' || statusIs(error, 416)) return undefined;
        throw error;
      }
      const body = answer.Body as unknown as Opened['body'];
      const place = placeIn(answer, range !== undefined);
      if (end <= start) {
        body.destroy();
        return undefined;
      }
      if (place === undefined) {
        body.destroy();
        if (whole) return 'no size';
        throw new UnsizedError('no size');
      }
      if (place.start !== start || (etag !== undefined && answer.ETag !== etag)) {
        body.destroy();
        throw new AlteredError('the answer is not the range that was asked for');
      }
      const { ETag: found, ChecksumSHA256: sum } = answer;
      const sha256 = whole && !sum?.includes('-') ? sum : undefined; // that of an object in parts is one of their sums
      return { body, etag: found, end: Math.min(end, place.total), total: place.total, paid, sha256 };
    },
    { signal },
  );
}

function statusIs(error: unknown, status: number): boolean {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === status;
}

/** Where the bytes of an answer lie in the object, and its size. */
function placeIn(
  { ContentRange, ContentLength }: GetObjectCommandOutput,
  ranged: boolean,
): { start: number; total: number } | undefined {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(ContentRange ?? '') ?? [];
  if (ranged && start !== undefined) return { start: Number(start), total: Number(total) };
  return ContentLength === undefined ? undefined : { start: 0, total: ContentLength };
}

function altered(session: S3Session, name: string, cause?: unknown): BackupError {
  return new BackupError(
    'damaged',
    `${displayPath(name)} from ${session.description} does not have the checksum that it was stored with.`,
    { object: name, target: session.description, reason: 'ChecksumMismatch' },
    { cause },
  );
}
