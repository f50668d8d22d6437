/**
 * The envelope around a volume, sigtar or manifest: nothing, gzip, or OpenPGP (FORMAT.md, "Envelope"). Compression
 * and framing are apart: both framings wrap the same raw deflate segments, so one pass of deflate can feed two files.
 */

import { BackupError } from '../errors.ts';
import type { Chunks } from '../streams.ts';
import type { DeflateOptions } from './deflate.ts';
import { createDeflater, deflateEnd } from './deflate.ts';
import { gunzip, gzipHeader, gzipTrailer } from './gzip.ts';
import { type OpenOptions, openMessage } from './openpgp-open.ts';
import { createSealer, literalHead } from './openpgp-seal.ts';
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
  return form === 'gz' ? gunzip(source) : source;
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

export type EnvelopeOptions =
  | { readonly form: 'plain' }
  | (WrapOptions & {
      readonly deflate?: DeflateOptions;
      /** Only `gpg` can do without: false stores the bytes as they are. Default true. */
      readonly compress?: boolean;
      /** Signs the content, for `gpg`; default not. Such an envelope must be made from plain bytes. */
      readonly signer?: Signer | undefined;
    });

/** Stored bytes of one file. Called in this order: start, push any number of times, end. What comes out is given. */
export interface Envelope {
  start(): Uint8Array;
  /**
   * Several may be in flight. The lengths of the results, counted in push order, say how much is stored so far; they
   * depend on the chunks alone, never on timing. OpenPGP keeps back up to 64 KiB, which come with a later push.
   * @param chunk lent until the promise settles
   * @returns what is to be stored next
   */
  push(chunk: Uint8Array): Promise<Uint8Array>;
  /** Waits for what is in flight; fails as the first push that failed. */
  end(): Promise<Uint8Array>;
}

export function createEnvelope(options: EnvelopeOptions): Envelope {
  if (options.form === 'plain')
    return {
      start: () => new Uint8Array(0),
      push: async chunk => Buffer.from(chunk), // the chunk is only lent, and may be overwritten before this is stored
      end: async () => new Uint8Array(0),
    };
  if (options.form === 'gpg' && options.signer) return createSignedEnvelope(options, options.signer);
  if (options.form === 'gpg' && options.compress === false) {
    const { key, random, mtimeSeconds: literalTimeSeconds } = options;
    const sealer = createSealer(key, { compressed: false, random, literalTimeSeconds });
    return {
      start: sealer.start,
      push: async chunk => sealer.push(chunk),
      end: async () => sealer.end(),
    };
  }
  const deflater = createDeflater(options.deflate);
  const wrapper = createSegmentWrapper(options);
  let last: Promise<unknown> = Promise.resolve();
  return {
    start: wrapper.start,
    push(chunk) {
      const segment = deflater.push(chunk);
      const stored = Promise.all([segment, last]).then(([bytes]) => wrapper.push(bytes));
      stored.catch(() => {}); // who awaits it, or `end`, hears of it
      last = stored;
      return stored;
    },
    async end() {
      await last;
      return wrapper.end(deflater);
    },
  };
}

/** The content gets its packets and is hashed before it is deflated. */
function createSignedEnvelope(
  { key, random, mtimeSeconds, deflate, compress }: Extract<EnvelopeOptions, { form: 'gpg' }>,
  signer: Signer,
): Envelope {
  const compressed = compress !== false;
  const sealer = createSealer(key, { compressed, framed: true, random, literalTimeSeconds: mtimeSeconds });
  const content = createSignedContent(signer, literalHead(mtimeSeconds));
  const deflater = createDeflater(deflate);
  let last: Promise<unknown> = Promise.resolve();
  const seal = (framed: Uint8Array): Promise<Uint8Array> => {
    const segment = compressed ? deflater.push(framed) : framed;
    const stored = Promise.all([segment, last]).then(([bytes]) => sealer.push(bytes));
    stored.catch(() => {}); // who awaits it, or `end`, hears of it
    last = stored;
    return stored;
  };
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
    async end() {
      const rest = await seal(opened(await content.end()));
      const parts = compressed ? [rest, sealer.push(deflateEnd)] : [rest];
      return Buffer.concat([...parts, sealer.end()]);
    },
  };
}
