/**
 * Writes an encrypted message with integrity check (RFC 9580 §5.13.1) as gpg does: session key packets, then one
 * packet of AES-CFB around random prefix, content and its SHA-1.
 *
 * Deflated content comes as segments of the *literal data*: the literal packet's header goes in front of them as a
 * stored block, and its length is left open, so that the very same segments also serve gzip. Like every compressed
 * packet of gpg's, this one has an open length too: it ends where the deflate stream ends. Signed content frames itself.
 */

import { createHash } from 'node:crypto';
import type { Allocate } from '../bytes.ts';
import { storedBlocks } from './deflate.ts';
import { createPartialPacket, tags } from './openpgp-packet.ts';
import type { RandomBytes, SealingKey } from './openpgp-session.ts';
import { cipherTraits, createCfbCipher } from './openpgp-session.ts';

export interface ContentOptions {
  /** Whether what is pushed are raw deflate segments, closed by the final block, of the content. */
  readonly compressed: boolean;
  /** Whether the content brings its own packets, as SignedContent does; default false. */
  readonly framed?: boolean;
  readonly random: RandomBytes;
  /** The literal packet's date, since 1970. */
  readonly literalTimeSeconds: number;
}

export interface SealOptions extends ContentOptions {
  /** Where sealed bytes are written; default: new memory. */
  readonly allocate?: Allocate | undefined;
}

/** Called in this order: start, push any number of times, end. What comes out is given, and often empty. */
export interface Sealer {
  start(): Uint8Array;
  /** @param bytes lent, any length */
  push(bytes: Uint8Array): Uint8Array;
  end(): Uint8Array;
}

/** Packet headers with open length: old format, "indeterminate". */
const COMPRESSED_ZIP = Uint8Array.of(0xa3, 1);
const LITERAL_OPEN = 0xaf;
const MDC_HEADER = Uint8Array.of(0xd3, 20);
/** Of the packet of encrypted data. */
const VERSION = 1;

export function createSealer(key: SealingKey, options: SealOptions): Sealer {
  const content = createSealedContent(key, options);
  const encryptor = createEncryptor(key, options.allocate);
  return {
    start: () => encryptor.start(content.start()),
    push: bytes => encryptor.push(content.push(bytes)),
    end: () => encryptor.end(content.end()),
  };
}

/**
 * The first half of sealing: what is encrypted, from the random prefix to the integrity check. `push` may give back what
 * it was lent.
 */
export function createSealedContent(
  { algorithm }: Pick<SealingKey, 'algorithm'>,
  options: ContentOptions,
): Sealer {
  const hash = createHash('sha1');
  const literal = createPartialPacket(tags.literal);
  const addsLiteral = !options.compressed && !options.framed;
  const hashed = (plain: Uint8Array): Uint8Array => {
    hash.update(plain);
    return plain;
  };
  return {
    start() {
      const prefix = Buffer.from(options.random(cipherTraits(algorithm).blockLength));
      const parts: Uint8Array[] = [prefix, prefix.subarray(-2)];
      const head = literalHead(options.literalTimeSeconds);
      if (options.compressed) parts.push(COMPRESSED_ZIP);
      if (addsLiteral) parts.push(literal.push(head));
      else if (!options.framed) parts.push(storedBlocks(Buffer.concat([Uint8Array.of(LITERAL_OPEN), head])));
      return hashed(Buffer.concat(parts));
    },
    push: bytes => hashed(addsLiteral ? literal.push(bytes) : bytes),
    end() {
      const rest = addsLiteral ? literal.end() : new Uint8Array(0);
      const last = hashed(Buffer.concat([rest, MDC_HEADER]));
      return Buffer.concat([last, hash.digest()]);
    },
  };
}

/** Takes what a first half comes to. */
export interface Encryptor {
  start(content: Uint8Array): Uint8Array;
  push(content: Uint8Array): Uint8Array;
  end(content: Uint8Array): Uint8Array;
}

/**
 * The second half: its packets around the encrypted content.
 * @param allocate where sealed bytes are written
 * @param isMuch see `createCfbCipher`
 */
export function createEncryptor(key: SealingKey, allocate?: Allocate, isMuch = false): Encryptor {
  const cipher = createCfbCipher(key, isMuch);
  const packet = createPartialPacket(tags.encrypted, allocate);
  const encrypt = (plain: Uint8Array) => packet.push(plain, span => cipher.update(span));
  return {
    start: content => Buffer.concat([key.packets, packet.push(Uint8Array.of(VERSION)), encrypt(content)]),
    push: encrypt,
    end: content => Buffer.concat([encrypt(content), packet.end()]),
  };
}

/** Body of a literal packet up to its data: binary, no name, date. */
export function literalHead(timeSeconds: number): Uint8Array {
  const head = Buffer.from('62' + '00' + '00000000', 'hex');
  head.writeUInt32BE(timeSeconds % 2 ** 32, 2);
  return head;
}
