/**
 * The envelope around a volume, sigtar or manifest: nothing, gzip, or OpenPGP (FORMAT.md, "Envelope"). Compression
 * and framing are apart: both framings wrap the same raw deflate segments, so one pass of deflate can feed two files.
 */

import { createHash } from 'node:crypto';
import type { Allocate } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import type { Chunks } from '../streams.ts';
import { createDeflater, type DeflateOptions, type Deflater, deflateEnd } from './deflate.ts';
import { gunzip, gzipHeader, gzipTrailer } from './gzip.ts';
import { type OpenOptions, openMessage } from './openpgp-open.ts';
import { createSealer, literalHead, type Sealer, type SealOptions } from './openpgp-seal.ts';
import type { RandomBytes, SealingKey, Secrets } from './openpgp-session.ts';
import { createSignedContent, type Signer } from './openpgp-signed.ts';

/** How bytes are stored; the suffixes of file names say the same. */
export type EnvelopeForm = 'gpg' | 'gz' | 'plain';

/**
 * Plain bytes of a stored file.
 *
 * They come before the checks at the file's end: trust them only when the stream has ended without an error.
 * @param source lent chunks are fine
 * @param secrets used for `gpg` only
 * @returns lent chunks
 * @throws BackupError `damaged`, `wrong-passphrase`, `wrong-signature` or `unsupported`, see openMessage and gunzip
 */
export function openEnvelope(
  source: Chunks,
  form: EnvelopeForm,
  secrets: Secrets,
  options: OpenOptions = {},
): Chunks {
  if (form === 'gpg') return openMessage(source, secrets, options);
  if (options.signedBy)
    throw new BackupError(
      'wrong-signature',
      `The archive must be signed by ${options.signedBy.description}, but it is not even encrypted.`,
    );
  return form === 'gz' ? gunzip(source, options.chunk) : source;
}

export type WrapOptions =
  | { readonly form: 'gz'; readonly mtimeSeconds: number }
  | {
      readonly form: 'gpg';
      readonly key: SealingKey;
      readonly random: RandomBytes;
      readonly mtimeSeconds: number;
    };

/** Called in this order: start, push any number of times, end. What comes out is given, and may be empty. */
export interface SegmentWrapper {
  start(): Uint8Array;
  /** @param segment of a Deflater, in push order; lent; gzip gives it back as it is */
  push(segment: Uint8Array): Uint8Array;
  /** @param plain CRC-32 and length of what the segments hold: the Deflater */
  end(plain: { readonly crc: number; readonly length: number }): Uint8Array;
}

/** Frames segments that are deflated already; two wrappers may take the same ones. */
export function createSegmentWrapper(options: WrapOptions): SegmentWrapper {
  if (options.form === 'gz')
    return {
      start: () => gzipHeader(options.mtimeSeconds),
      push: segment => segment,
      end: plain => Buffer.concat([deflateEnd, gzipTrailer(plain.crc, plain.length)]),
    };
  const { key, random, mtimeSeconds: literalTimeSeconds } = options;
  const sealer = createSealer(key, { compressed: true, random, literalTimeSeconds });
  return {
    start: sealer.start,
    push: sealer.push,
    end: () => Buffer.concat([sealer.push(deflateEnd), sealer.end()]),
  };
}

/** Does what a Sealer does, perhaps elsewhere and later; in call order. What goes in is given, as is what comes out. */
export interface AsyncSealer {
  start(): Promise<Uint8Array>;
  push(bytes: Uint8Array): Promise<Uint8Array>;
  end(): Promise<Uint8Array>;
  /** SHA-1 of all that came out, lower-case hex; when `end` is done. */
  sha1(): string;
  /** Buffers that go round between who fills them and who seals them; default: each is new. */
  readonly buffers?: Buffers | undefined;
}

/** Buffers that are used again: garbage of their size takes long to collect. */
export interface Buffers {
  /** For bytes to be pushed. */
  readonly take: Allocate;
  /** Takes back what has come out, if there is use for it. */
  give(bytes: Uint8Array): boolean;
}

export type OpenSealer = (key: SealingKey, options: SealOptions) => AsyncSealer;

export type EnvelopeOptions =
  | { readonly form: 'plain' }
  | (WrapOptions & {
      readonly deflate?: DeflateOptions;
      /** Only `gpg` can do without: false stores the bytes as they are. Default true. */
      readonly compress?: boolean;
      /** Signs the content, for `gpg`; default not. Such an envelope must be made from plain bytes. */
      readonly signer?: Signer | undefined;
      /** Who seals, for `gpg`; default: the thread at hand. */
      readonly openSealer?: OpenSealer | undefined;
    });

/** Stored bytes of one file. Called in this order: start, push any number of times, end. What comes out is given. */
export interface Envelope {
  start(): Promise<Uint8Array>;
  /**
   * Several may be in flight. The lengths of the results, counted in push order, say how much is stored so far; they
   * depend on the chunks alone, never on timing. OpenPGP keeps back up to 64 KiB, which come with a later push.
   * @param chunk lent until the promise settles
   * @returns what is to be stored next
   */
  push(chunk: Uint8Array): Promise<Uint8Array>;
  /** Waits for what is in flight; fails as the first push that failed. */
  end(): Promise<Uint8Array>;
  /** SHA-1 of all that came out, lower-case hex; when `end` is done. */
  sha1(): string;
  /** Takes back what a push came to, whose buffer may be used again; false if it is to become garbage. */
  recycle(bytes: Uint8Array): boolean;
}

/** What stands around the segments or plain bytes of an envelope. */
type Frame = AsyncSealer;

export function createEnvelope(options: EnvelopeOptions): Envelope {
  if (options.form === 'gpg' && options.signer) return createSignedEnvelope(options, options.signer);
  const allocate: Allocate = length => frame.buffers?.take(length) ?? Buffer.allocUnsafeSlow(length);
  const deflater = isDeflated(options)
    ? createDeflater({ ...options.deflate, summed: options.form === 'gz', allocate })
    : undefined;
  const frame = createFrame(options, deflater);
  const order = createOrder(frame.push);
  return {
    start: frame.start,
    push: chunk => order.push(deflater ? deflater.push(chunk) : copyOf(chunk, allocate)),
    recycle: bytes => frame.buffers?.give(bytes) ?? false,
    async end() {
      await order.allHandedOn();
      return frame.end();
    },
    sha1: frame.sha1,
  };
}

type Deflated = Exclude<EnvelopeOptions, { form: 'plain' }>;

function isDeflated(options: EnvelopeOptions): options is Deflated {
  return options.form === 'gz' || (options.form === 'gpg' && options.compress !== false);
}

/** A chunk is only lent, and may be overwritten before it is stored. */
async function copyOf(chunk: Uint8Array, allocate: Allocate): Promise<Uint8Array> {
  const copy = allocate(chunk.length);
  copy.set(chunk);
  return copy;
}

function createFrame(options: EnvelopeOptions, deflater: Deflater | undefined): Frame {
  if (options.form === 'gpg') {
    const { key, random, mtimeSeconds: literalTimeSeconds, openSealer = sealHere } = options;
    const sealer = openSealer(key, { compressed: deflater !== undefined, random, literalTimeSeconds });
    return deflater ? { ...sealer, end: () => endDeflated(sealer) } : sealer;
  }
  if (options.form === 'plain')
    return hashed({ start: () => nothing, push: given => given, end: () => nothing });
  const wrapper = createSegmentWrapper(options);
  return hashed({ ...wrapper, end: () => wrapper.end(deflater!) });
}

const nothing = new Uint8Array(0);

async function endDeflated(sealer: AsyncSealer): Promise<Uint8Array> {
  return Buffer.concat(await Promise.all([sealer.push(Uint8Array.from(deflateEnd)), sealer.end()]));
}

const sealHere: OpenSealer = (key, options) => hashed(createSealer(key, options));

function hashed({ start, push, end }: Sealer): AsyncSealer {
  const hash = createHash('sha1');
  const counted = (bytes: Uint8Array) => {
    hash.update(bytes);
    return bytes;
  };
  return {
    start: async () => counted(start()),
    push: async bytes => counted(push(bytes)),
    end: async () => counted(end()),
    sha1: () => hash.digest('hex'),
  };
}

/** Hands on what promises come to, in the order in which they were given. */
function createOrder(hand: (bytes: Uint8Array) => Promise<Uint8Array>) {
  let last: Promise<unknown> = Promise.resolve();
  return {
    push(pushed: Promise<Uint8Array>): Promise<Uint8Array> {
      // Wrapped, so that the next one need not wait for what comes of it.
      const handed = Promise.all([pushed, last]).then(([bytes]) => ({ stored: hand(bytes) }));
      const stored = handed.then(result => result.stored);
      stored.catch(() => {}); // who awaits it, or `end`, hears of it
      last = handed;
      return stored;
    },
    allHandedOn: () => last,
  };
}

/** The content gets its packets and is hashed before it is deflated. */
function createSignedEnvelope(options: Extract<EnvelopeOptions, { form: 'gpg' }>, signer: Signer): Envelope {
  const { key, random, mtimeSeconds: literalTimeSeconds, openSealer = sealHere } = options;
  const compressed = options.compress !== false;
  const sealer = openSealer(key, { compressed, framed: true, random, literalTimeSeconds });
  const content = createSignedContent(signer, literalHead(literalTimeSeconds));
  const allocate = sealer.buffers?.take ?? Buffer.allocUnsafeSlow;
  const deflater = createDeflater({ ...options.deflate, summed: false, allocate });
  const order = createOrder(sealer.push);
  const seal = (framed: Uint8Array) =>
    order.push(compressed ? deflater.push(framed) : copyOf(framed, allocate));
  let opening = content.start(); // a few bytes that are deflated with what comes first
  const opened = (framed: Uint8Array): Uint8Array => {
    if (opening.length === 0) return framed;
    const both = Buffer.concat([opening, framed]);
    opening = new Uint8Array(0);
    return both;
  };
  return {
    start: sealer.start,
    push: chunk => seal(opened(content.push(chunk))),
    recycle: bytes => sealer.buffers?.give(bytes) ?? false,
    async end() {
      const rest = await seal(opened(await content.end()));
      return Buffer.concat([rest, await (compressed ? endDeflated(sealer) : sealer.end())]);
    },
    sha1: sealer.sha1,
  };
}
