/**
 * Writes an encrypted message with integrity check (RFC 9580 §5.13.1) as gpg does: session key packets, then one
 * packet of AES-CFB around random prefix, content and its SHA-1.
 *
 * Deflated content comes as segments of the *literal data*: the literal packet's header goes in front of them as a
 * stored block, and its length is left open, so that the very same segments also serve gzip. Like every compressed
 * packet of gpg's, this one has an open length too: it ends where the deflate stream ends. Signed content frames itself.
 */

import { createCipheriv, createHash } from 'node:crypto';
import type { Allocate } from '../bytes.ts';
import { storedBlocks } from './deflate.ts';
import { createPartialPacket, tags } from './openpgp-packet.ts';
import type { RandomBytes, SealingKey } from './openpgp-session.ts';
import { cipherTraits } from './openpgp-session.ts';

export interface SealOptions {
  /** Whether what is pushed are raw deflate segments, closed by the final block, of the content. */
  readonly compressed: boolean;
  /** Whether the content brings its own packets, as SignedContent does; default false. */
  readonly framed?: boolean;
  readonly random: RandomBytes;
  /** The literal packet's date, since 1970. */
  readonly literalTimeSeconds: number;
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

export function createSealer(key: SealingKey, options: SealOptions): Sealer {
  const { name, blockLength } = cipherTraits(key.algorithm);
  const cipher = createCipheriv(name, key.key, Buffer.alloc(blockLength));
  const hash = createHash('sha1');
  const outer = createPartialPacket(tags.encrypted, options.allocate);
  const literal = createPartialPacket(tags.literal);
  const addsLiteral = !options.compressed && !options.framed;
  const encrypt = (plain: Uint8Array): Uint8Array => {
    hash.update(plain);
    return outer.push(cipher.update(plain));
  };
  return {
    start() {
      const prefix = Buffer.from(options.random(blockLength));
      const version = outer.push(Uint8Array.of(1));
      const parts = [key.packets, version, encrypt(Buffer.concat([prefix, prefix.subarray(-2)]))];
      const head = literalHead(options.literalTimeSeconds);
      if (options.compressed) parts.push(encrypt(COMPRESSED_ZIP));
      if (addsLiteral) parts.push(encrypt(literal.push(head)));
      else if (!options.framed)
        parts.push(encrypt(storedBlocks(Buffer.concat([Uint8Array.of(LITERAL_OPEN), head]))));
      return Buffer.concat(parts);
    },
    push: bytes => encrypt(addsLiteral ? literal.push(bytes) : bytes),
    end() {
      const rest = addsLiteral ? encrypt(literal.end()) : new Uint8Array(0);
      const mdcHeader = encrypt(MDC_HEADER);
      const mdc = outer.push(cipher.update(hash.digest()));
      return Buffer.concat([rest, mdcHeader, mdc, outer.end()]);
    },
  };
}

/** Body of a literal packet up to its data: binary, no name, date. */
export function literalHead(timeSeconds: number): Uint8Array {
  const head = Buffer.from('62' + '00' + '00000000', 'hex');
  head.writeUInt32BE(timeSeconds % 2 ** 32, 2);
  return head;
}
