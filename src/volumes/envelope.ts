/**
 * The envelope around a volume, sigtar or manifest: nothing, gzip, or OpenPGP (FORMAT.md, "Envelope"). Compression
 * and framing are apart: both framings wrap the same raw deflate segments, so one pass of deflate can feed two files.
 */

import type { Chunks } from '../streams.ts';
import type { DeflateOptions } from './deflate.ts';
import { createDeflater, deflateEnd } from './deflate.ts';
import { gunzip, gzipHeader, gzipTrailer } from './gzip.ts';
import { openMessage } from './openpgp-open.ts';
import { createSealer } from './openpgp-seal.ts';
import type { RandomBytes, SealingKey, Secrets } from './openpgp-session.ts';

/** How bytes are stored; the suffixes of file names say the same. */
export type EnvelopeForm = 'gpg' | 'gz' | 'plain';

/**
 * Plain bytes of a stored file.
 *
 * They come before the checks at the file's end: trust them only when the stream has ended without an error.
 * @param source lent chunks are fine
 * @param secrets used for `gpg` only
 * @returns lent chunks
 * @throws BackupError `damaged`, `wrong-passphrase` or `unsupported`, see openMessage and gunzip
 */
export function openEnvelope(source: Chunks, form: EnvelopeForm, secrets: Secrets): Chunks {
  switch (form) {
    case 'gpg':
      return openMessage(source, secrets);
    case 'gz':
      return gunzip(source);
    case 'plain':
      return source;
  }
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
