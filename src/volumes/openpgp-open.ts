/**
 * Opens an encrypted message as a stream: armor, packets, passphrase, AES-CFB with its integrity check, compression,
 * literal data (RFC 9580 §10.3). Everything that is not exactly one whole, integrity-protected message is an error.
 *
 * Each layer is a stage over a chunk stream; what a layer does not understand may be damage further out, so the
 * integrity check has the first word about it.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import { BackupError } from '../errors.ts';
import type { Chunks } from '../streams.ts';
import { dearmor } from './armor.ts';
import { bunzip2 } from './bunzip2.ts';
import type { CfbDecryptor } from './cfb.ts';
import { inflate } from './inflate.ts';
import { inflatePieces } from './inflate-pieces.ts';
import {
  ByteSource,
  damaged,
  readPacketBody,
  readPacketHeader,
  readSmallBody,
  tags,
} from './openpgp-packet.ts';
import { isUnsupported, namesOf, type Preface, readUpToEncrypted, skip } from './openpgp-preface.ts';
import type { PassphrasePacket, Secrets, SessionKey } from './openpgp-session.ts';
import { cipherTraits, createCfbDecipher, newerEncryption, recoverSessionKey } from './openpgp-session.ts';
import { ONE_PASS_LENGTH, SIGNATURE_MAX } from './openpgp-signature.ts';
import { createSignatureWatch, type SignatureWatch, type Verifier } from './openpgp-signed.ts';

export interface OpenOptions {
  /** Refuses what is not signed by this key. */
  readonly signedBy?: Verifier | undefined;
  /** Where the SHA-1 of the integrity check is made; undefined, or the default: here. */
  readonly sha1?: (() => Digest | undefined) | undefined;
  /** How many bytes each stage is to hold, where many streams are read side by side; default: as is fastest. */
  readonly chunk?: number | undefined;
}

/** A sum that may be made on another thread. */
export interface Digest {
  /** @param bytes lent, read before it returns @returns what to wait for where more of them would pile up */
  update(bytes: Uint8Array): Promise<void> | undefined;
  /** @throws Error if the other thread has failed */
  end(): Promise<Uint8Array>;
  /** To be called in any case, also after `end`. */
  close(): void;
}

/**
 * The content of a message that a passphrase or a private key opens.
 *
 * Data comes before the integrity check at the message's end has been made, and before its signature: only when the
 * stream ends without an error is what it gave known to be whole and genuine.
 * @param source binary or armored; lent chunks are fine
 * @returns lent chunks
 * @throws BackupError `wrong-passphrase`; `damaged` for anything broken, cut short or followed by something else;
 *   `wrong-signature`; `unsupported` without integrity check, for AEAD, unknown algorithms, or public keys only where
 *   `secrets` has no private ones
 */
export async function* openMessage(
  source: Chunks,
  secrets: Secrets,
  { signedBy, chunk, sha1 }: OpenOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const message = new ByteSource(dearmor(source));
  let content: ByteSource | undefined;
  try {
    const preface = await readUpToEncrypted(message);
    const body = new ByteSource(readPacketBody(message, preface.header));
    const version = await body.byte();
    if (version === 2) throw newerEncryption();
    if (version !== 1) throw damaged('its encrypted data has an unknown version');
    content = new ByteSource(await decrypted(body, preface, secrets, chunk, sha1));
    const watch = signedBy && createSignatureWatch(signedBy);
    try {
      yield* literalData(content, 0, watch, chunk);
    } catch (error) {
      if (isUnsupported(error)) await drain(content);
      throw error;
    }
    if (await message.fill()) throw damaged('something follows its end');
    watch?.verdict();
  } finally {
    await content?.close(); // what makes the sum is free for the next message
    await message.close();
  }
}

async function drain(source: ByteSource): Promise<void> {
  while (await source.fill()) source.take(Number.POSITIVE_INFINITY);
}

/** Bytes that are enough to check any cipher's prefix; every true message is longer. */
const PREFIX_MAX = 18;

/** Finds the session key by the repeated bytes of the random prefix; then decrypts. */
async function decrypted(
  body: ByteSource,
  preface: Preface,
  secrets: Secrets,
  chunk: number | undefined,
  sha1: OpenOptions['sha1'],
): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
  const head = await body.read(PREFIX_MAX);
  const key = await findSessionKey(preface, secrets, found => fitsPrefix(found, head));
  const prefixLength = cipherTraits(key.algorithm).blockLength + 2;
  return checkedContent(body, head, createCfbDecipher(key), prefixLength, chunk ? 1 : TOGETHER, sha1);
}

/** The passphrase first: it is at hand, while private keys may be behind another program or a card reader. */
async function findSessionKey(
  { candidates, recipients }: Preface,
  secrets: Secrets,
  fits: (key: SessionKey) => boolean,
): Promise<SessionKey> {
  let obstacle: unknown;
  try {
    const key = candidates.length > 0 ? await keyByPassphrase(candidates, secrets, fits) : undefined;
    if (key) return key;
  } catch (error) {
    if (recipients.length === 0) throw error;
    obstacle = error;
  }
  if (recipients.length === 0)
    throw new BackupError('wrong-passphrase', 'The passphrase does not open the archive.');
  if (secrets.sessionKeys) {
    const keys = await secrets.sessionKeys(recipients);
    const key = keys.find(fits);
    if (key) return key;
    throw new BackupError(
      'wrong-passphrase',
      `No private key here opens the archive, ${namesOf(recipients)}.`,
    );
  }
  throw (
    obstacle ??
    new BackupError('unsupported', `No private keys are given for the archive, ${namesOf(recipients)}.`)
  );
}

/** @returns undefined when the passphrase is wrong */
async function keyByPassphrase(
  candidates: readonly PassphrasePacket[],
  secrets: Secrets,
  fits: (key: SessionKey) => boolean,
): Promise<SessionKey | undefined> {
  let obstacle: unknown;
  let tried = false;
  for (const candidate of candidates) {
    try {
      const key = await recoverSessionKey(candidate, secrets);
      tried = true;
      if (key && fits(key)) return key;
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      obstacle = error;
    }
  }
  if (!tried) throw obstacle;
  return undefined;
}

/** Whether the last two bytes of the random block come twice; true for one wrong key in 65536, too. */
function fitsPrefix(key: SessionKey, head: Uint8Array): boolean {
  const { blockLength } = cipherTraits(key.algorithm);
  const decipher = createCfbDecipher(key);
  decipher.add(head);
  const prefix = decipher.take();
  return (
    prefix[blockLength - 2] === prefix[blockLength] && prefix[blockLength - 1] === prefix[blockLength + 1]
  );
}

/** Packet header and SHA-1 of the modification detection code, always last. */
const MDC = 22;
/** So many bytes are worth a chunk, as each one passes through a dozen stages. */
const TOGETHER = 192 * 1024;

/** Plain bytes between prefix and integrity check; the check is made when the stream ends. Chunks are given. */
async function* checkedContent(
  body: ByteSource,
  head: Uint8Array,
  decipher: CfbDecryptor,
  prefixLength: number,
  together: number,
  sha1: OpenOptions['sha1'],
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = sha1?.() ?? digestHere();
  try {
    decipher.add(head);
    const start = decipher.take();
    await hash.update(start.subarray(0, prefixLength));
    let held: Uint8Array = start.subarray(prefixLength); // what may turn out to be the MDC
    for (let isMore = true; isMore; ) {
      isMore = await body.fill();
      if (isMore) decipher.add(body.take(Number.POSITIVE_INFINITY));
      if (isMore && decipher.length < together) continue;
      const plain = decipher.take(held);
      const sure = Math.max(0, plain.length - MDC);
      held = Uint8Array.from(plain.subarray(sure)); // a copy: it must not keep all of it alive
      if (sure === 0) continue;
      const room = hash.update(plain.subarray(0, sure));
      if (room) await room;
      yield plain.subarray(0, sure);
    }
    if (held.length !== MDC || held[0] !== 0xd3 || held[1] !== MDC - 2)
      throw damaged('its integrity check is missing');
    await hash.update(held.subarray(0, 2));
    const found = await hash.end();
    if (!timingSafeEqual(found, held.subarray(2))) throw damaged('its integrity check fails');
  } finally {
    hash.close();
  }
}

function digestHere(): Digest {
  const hash = createHash('sha1');
  return {
    update(bytes) {
      hash.update(bytes);
      return undefined;
    },
    end: async () => hash.digest(),
    close() {},
  };
}

/** gpg makes one level; more are legal, but endless nesting would only be an attack. */
const MAX_DEPTH = 4;

/** Data of the only literal packet, inside compression or signatures; reads the source to its end. */
async function* literalData(
  source: ByteSource,
  depth: number,
  watch: SignatureWatch | undefined,
  chunk: number | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let found = false;
  for (;;) {
    const header = await readPacketHeader(source);
    if (header === undefined) break;
    switch (header.tag) {
      case tags.onePassSignature:
        if (watch && !found) watch.onePass(await readSmallBody(source, header, ONE_PASS_LENGTH));
        else await skip(source, header);
        break;
      case tags.signature:
        if (watch && found) watch.signature(await readSmallBody(source, header, SIGNATURE_MAX));
        else await skip(source, header);
        break;
      case tags.marker:
      case tags.padding:
        await skip(source, header);
        break;
      case tags.compressed:
      case tags.literal: {
        if (found) throw damaged('it holds more than one content');
        found = true;
        const body = new ByteSource(readPacketBody(source, header));
        if (header.tag === tags.literal) {
          await body.byte(); // format: we keep bytes whatever it says
          await body.read(await body.byte()); // file name
          await body.read(4); // date
          yield* watched(restOf(body), watch);
        } else {
          if (depth === MAX_DEPTH) throw damaged('its content is nested too deep');
          const inner = new ByteSource(decompressed(await body.byte(), body, chunk));
          try {
            yield* literalData(inner, depth + 1, watch, chunk);
          } finally {
            await inner.close(); // zlib's memory goes now, not when garbage is collected
          }
        }
        break;
      }
      default:
        throw damaged('it holds a packet that does not belong there');
    }
  }
  if (!found) throw damaged('it holds no content');
}

async function* watched(
  data: AsyncGenerator<Uint8Array, void, undefined>,
  watch: SignatureWatch | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of data) {
    watch?.data(chunk);
    yield chunk;
  }
}

function decompressed(
  algorithm: number,
  body: ByteSource,
  piece: number | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  switch (algorithm) {
    case 0:
      return restOf(body);
    case 1:
      return piece ? inflate(restOf(body), 'raw', { piece }) : inflatePieces(restOf(body));
    case 2:
      return inflate(restOf(body), 'zlib', { piece });
    case 3:
      return bunzip2(body, piece);
    default:
      throw new BackupError(
        'unsupported',
        `The compression (OpenPGP algorithm ${algorithm}) is not known here.`,
      );
  }
}

async function* restOf(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  while (await source.fill()) yield source.take(Number.POSITIVE_INFINITY);
}
