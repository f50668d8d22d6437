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
import type { CfbDecryptor } from './cfb.ts';
import { inflate } from './inflate.ts';
import { inflatePieces } from './inflate-pieces.ts';
import type { PacketHeader } from './openpgp-packet.ts';
import {
  ByteSource,
  damaged,
  readPacketBody,
  readPacketHeader,
  readSmallBody,
  tags,
} from './openpgp-packet.ts';
import type { PassphrasePacket, Secrets, SessionKey } from './openpgp-session.ts';
import {
  cipherTraits,
  createCfbDecipher,
  decodePassphrasePacket,
  newerEncryption,
  PASSPHRASE_PACKET_MAX,
  recoverSessionKey,
} from './openpgp-session.ts';

/**
 * The content of a message that a passphrase opens.
 *
 * Data comes before the integrity check at the message's end has been made: only when the stream ends without an
 * error is what it gave known to be whole and genuine.
 * @param source binary or armored; lent chunks are fine
 * @returns lent chunks
 * @throws BackupError `wrong-passphrase`; `damaged` for anything broken, cut short or followed by something else;
 *   `unsupported` for messages to public keys only, without integrity check, AEAD, or unknown algorithms
 */
export async function* openMessage(
  source: Chunks,
  secrets: Secrets,
): AsyncGenerator<Uint8Array, void, undefined> {
  const message = new ByteSource(dearmor(source));
  try {
    const { header, candidates } = await readUpToEncrypted(message);
    const body = new ByteSource(readPacketBody(message, header));
    const version = await body.byte();
    if (version === 2) throw newerEncryption();
    if (version !== 1) throw damaged('its encrypted data has an unknown version');
    const content = new ByteSource(await decrypted(body, candidates, secrets));
    try {
      yield* literalData(content, 0);
    } catch (error) {
      if (isUnsupported(error)) await drain(content);
      throw error;
    }
    if (await message.fill()) throw damaged('something follows its end');
  } finally {
    await message.close();
  }
}

/** Bytes in which a message with one passphrase tells how its key is derived. */
export const MESSAGE_HEAD = 512;

/**
 * Derives the key of a message that will be opened with the same secrets, which keep it. Never fails: whatever is wrong,
 * opening the message tells.
 * @param head the first MESSAGE_HEAD bytes, or more; nothing of them is believed
 */
export async function deriveAhead(head: Chunks, secrets: Secrets): Promise<void> {
  const message = new ByteSource(dearmor(head));
  try {
    const { candidates } = await readUpToEncrypted(message);
    if (candidates.length === 1) await recoverSessionKey(candidates[0]!, secrets);
  } catch {
  } finally {
    await message.close();
  }
}

/** More than anybody writes; each one costs a key derivation. */
const MAX_PASSPHRASE_PACKETS = 16;

interface Preface {
  readonly header: PacketHeader;
  readonly candidates: readonly PassphrasePacket[];
}

/** Session key packets, up to the header of the encrypted data. */
async function readUpToEncrypted(message: ByteSource): Promise<Preface> {
  const candidates: PassphrasePacket[] = [];
  let obstacle: BackupError | undefined;
  for (;;) {
    const header = await readPacketHeader(message);
    switch (header?.tag) {
      case tags.passphraseSession: {
        const body = await readSmallBody(message, header, PASSPHRASE_PACKET_MAX);
        try {
          candidates.push(decodePassphrasePacket(body));
        } catch (error) {
          if (!isUnsupported(error)) throw error;
          obstacle = error;
        }
        if (candidates.length > MAX_PASSPHRASE_PACKETS) throw damaged('it holds too many session keys');
        break;
      }
      case tags.publicKeySession:
        await skip(message, header);
        obstacle ??= new BackupError(
          'unsupported',
          'The archive is encrypted to a public key; we open only those that are encrypted with a passphrase.',
        );
        break;
      case tags.marker:
      case tags.padding:
        await skip(message, header);
        break;
      case tags.encrypted:
        if (candidates.length === 0) throw obstacle ?? damaged('it holds no session key');
        return { header, candidates };
      case tags.encryptedWithoutIntegrity:
        throw new BackupError(
          'unsupported',
          'The archive has no integrity protection, so it can not be trusted.',
        );
      case tags.aead:
        throw newerEncryption();
      case undefined:
        throw damaged('it is empty or cut short');
      default:
        throw damaged('it is not encrypted, or begins with a packet that does not belong there');
    }
  }
}

function isUnsupported(error: unknown): error is BackupError {
  return error instanceof BackupError && error.code === 'unsupported';
}

async function skip(source: ByteSource, header: PacketHeader): Promise<void> {
  for await (const _ of readPacketBody(source, header));
}

async function drain(source: ByteSource): Promise<void> {
  while (await source.fill()) source.take(Number.POSITIVE_INFINITY);
}

/** Bytes that are enough to check any cipher's prefix; every true message is longer. */
const PREFIX_MAX = 18;

/** Finds the session key by the repeated bytes of the random prefix; then decrypts. */
async function decrypted(
  body: ByteSource,
  candidates: readonly PassphrasePacket[],
  secrets: Secrets,
): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
  const head = await body.read(PREFIX_MAX);
  let obstacle: unknown;
  let tried = false;
  for (const candidate of candidates) {
    try {
      const key = await recoverSessionKey(candidate, secrets);
      tried = true;
      if (key && fitsPrefix(key, head))
        return checkedContent(
          body,
          head,
          createCfbDecipher(key),
          cipherTraits(key.algorithm).blockLength + 2,
        );
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      obstacle = error;
    }
  }
  throw tried ? new BackupError('wrong-passphrase', 'The passphrase does not open the archive.') : obstacle;
}

/** Whether the last two bytes of the random block come twice; true for one wrong key in 65536, too. */
function fitsPrefix(key: SessionKey, head: Uint8Array): boolean {
  const { blockLength } = cipherTraits(key.algorithm);
  const prefix = createCfbDecipher(key).update(head);
  return (
    prefix[blockLength - 2] === prefix[blockLength] && prefix[blockLength - 1] === prefix[blockLength + 1]
  );
}

/** Packet header and SHA-1 of the modification detection code, always last. */
const MDC = 22;

/** Plain bytes between prefix and integrity check; the check is made when the stream ends. Chunks are given. */
async function* checkedContent(
  body: ByteSource,
  head: Uint8Array,
  decipher: CfbDecryptor,
  prefixLength: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha1');
  const start = decipher.update(head);
  hash.update(start.subarray(0, prefixLength));
  let held: Uint8Array = start.subarray(prefixLength); // what may turn out to be the MDC
  while (await body.fill()) {
    const plain = Buffer.concat([held, decipher.update(body.take(Number.POSITIVE_INFINITY))]);
    const sure = Math.max(0, plain.length - MDC);
    held = plain.subarray(sure);
    if (sure === 0) continue;
    hash.update(plain.subarray(0, sure));
    yield plain.subarray(0, sure);
  }
  if (held.length !== MDC || held[0] !== 0xd3 || held[1] !== MDC - 2)
    throw damaged('its integrity check is missing');
  const found = hash.update(held.subarray(0, 2)).digest();
  if (!timingSafeEqual(found, held.subarray(2))) throw damaged('its integrity check fails');
}

/** gpg makes one level; more are legal, but endless nesting would only be an attack. */
const MAX_DEPTH = 4;

/** Data of the only literal packet, inside compression or signatures; reads the source to its end. */
async function* literalData(source: ByteSource, depth: number): AsyncGenerator<Uint8Array, void, undefined> {
  let found = false;
  for (;;) {
    const header = await readPacketHeader(source);
    if (header === undefined) break;
    switch (header.tag) {
      case tags.onePassSignature:
      case tags.signature:
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
          yield* restOf(body);
        } else {
          if (depth === MAX_DEPTH) throw damaged('its content is nested too deep');
          const inner = new ByteSource(decompressed(await body.byte(), body));
          try {
            yield* literalData(inner, depth + 1);
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

function decompressed(algorithm: number, body: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  switch (algorithm) {
    case 0:
      return restOf(body);
    case 1:
      return inflatePieces(restOf(body));
    case 2:
      return inflate(restOf(body), 'zlib');
    case 3:
      throw new BackupError('unsupported', 'The archive is compressed with BZip2, which we do not read.');
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
