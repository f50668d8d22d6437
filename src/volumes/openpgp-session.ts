/**
 * Session keys: what a message is encrypted with, and the packets in front that tell it to who knows the passphrase
 * (RFC 9580 §5.3).
 */

import { createCipheriv, createDecipheriv, getCiphers } from 'node:crypto';
import { BackupError } from '../errors.ts';
import { type CfbDecryptor, type CfbEncryptor, createAesCfbDecryptor, createAesCfbEncryptor } from './cfb.ts';
import { Fields, hexOf } from './openpgp-fields.ts';
import { encodePacket, tags } from './openpgp-packet.ts';
import type { DeriveKey, S2k } from './openpgp-s2k.ts';
import { decodeCount, decodeS2k, deriveKeyInTurns, encodeCount, hashIds } from './openpgp-s2k.ts';
import { hasFastXor } from './xor.ts';

/** What opens a message; asked only when it is needed. */
export interface Secrets {
  /** Bytes of the passphrase, without line end. */
  passphrase(): Promise<Uint8Array>;
  /** Keys that were derived from it, by what they were derived with; without it each use of one costs a derivation. */
  readonly derived?: Map<string, Promise<Uint8Array>> | undefined;
  /** Default: in turns with other work. */
  readonly deriveKey?: DeriveKey | undefined;
  /**
   * Asks private keys for the session key of a message to public keys; absent where there are none.
   * @param packets all of the message's, at least one; given
   * @returns what may be the session key; it is tried on the message
   * @throws BackupError `wrong-passphrase` naming the keys when none of them is at hand or can be unlocked
   */
  readonly sessionKeys?: (packets: readonly RecipientPacket[]) => Promise<readonly SessionKey[]>;
}

/** So many random bytes, fit for keys. */
export type RandomBytes = (length: number) => Uint8Array;

export interface SessionKey {
  /** OpenPGP cipher id (RFC 9580 §9.3). */
  readonly algorithm: number;
  readonly key: Uint8Array;
}

/** A session key for one new message, with the packets that must stand in front of it. */
export interface SealingKey extends SessionKey {
  readonly packets: Uint8Array;
}

interface CipherTraits {
  readonly name: string;
  readonly keyLength: number;
  readonly blockLength: number;
  /** OpenSSL 3 keeps it in a provider that nobody loads unasked. */
  readonly legacy?: true;
}

const ciphers: Readonly<Record<number, CipherTraits>> = {
  2: { name: 'des-ede3-cfb', keyLength: 24, blockLength: 8 },
  3: { name: 'cast5-cfb', keyLength: 16, blockLength: 8, legacy: true }, // gpg's own choice until 2.1
  4: { name: 'bf-cfb', keyLength: 16, blockLength: 8, legacy: true },
  7: { name: 'aes-128-cfb', keyLength: 16, blockLength: 16 },
  8: { name: 'aes-192-cfb', keyLength: 24, blockLength: 16 },
  9: { name: 'aes-256-cfb', keyLength: 32, blockLength: 16 },
  11: { name: 'camellia-128-cfb', keyLength: 16, blockLength: 16 },
  12: { name: 'camellia-192-cfb', keyLength: 24, blockLength: 16 },
  13: { name: 'camellia-256-cfb', keyLength: 32, blockLength: 16 },
};

export const AES256 = 9;

/** @throws BackupError `unsupported` when we, or this system's crypto, do not know the cipher */
export function cipherTraits(algorithm: number): CipherTraits {
  const traits = ciphers[algorithm];
  if (traits && getCiphers().includes(traits.name)) return traits;
  if (traits?.legacy) {
    throw new BackupError(
      'unsupported',
      `The cipher ${traits.name} of the archive is switched off in Node.js; run again with ` +
        'NODE_OPTIONS=--openssl-legacy-provider in the environment.',
    );
  }
  throw new BackupError('unsupported', `The cipher (OpenPGP cipher ${algorithm}) is not known here.`);
}

/**
 * OpenPGP's CFB with a zero IV, which is CFB as everybody knows it (RFC 9580 §12.9 without resynchronisation).
 * @param isMuch whether so much is to be encrypted that 2 MB for doing it faster are worth it
 */
export function createCfbCipher({ algorithm, key }: SessionKey, isMuch = false): CfbEncryptor {
  const { name, blockLength } = cipherTraits(algorithm);
  const aes = aesOf(name);
  if (isMuch && aes !== undefined && hasFastXor()) return createAesCfbEncryptor(aes, key);
  return createCipheriv(name, key, Buffer.alloc(blockLength));
}

/** The same the other way. */
export function createCfbDecipher({ algorithm, key }: SessionKey): CfbDecryptor {
  const { name, blockLength } = cipherTraits(algorithm);
  const aes = aesOf(name);
  if (aes !== undefined) return createAesCfbDecryptor(aes, key);
  const decipher = createDecipheriv(name, key, Buffer.alloc(blockLength));
  let added: Buffer[] = [];
  let length = 0;
  return {
    get length() {
      return length;
    },
    add(bytes) {
      added.push(decipher.update(bytes));
      length += bytes.length;
    },
    take(before = Buffer.alloc(0)) {
      const plain = Buffer.concat([before, ...added]);
      added = [];
      length = 0;
      return plain;
    },
  };
}

function aesOf(name: string): string | undefined {
  return /^(aes-\d+)-cfb$/.exec(name)?.[1];
}

/**
 * An AES-256 key for one message, from a salt of its own. The S2K output is the session key itself, as gpg does it. Takes
 * some 40 ms on a PC and seconds on a small board.
 * @param count octets to hash, rounded as `encodeCount` does; default: the most, which gpg has where it may take its time
 * @param deriveKey default: in turns with other work
 */
export async function prepareSessionKey(
  { passphrase }: Secrets,
  random: RandomBytes,
  count = Infinity,
  deriveKey: DeriveKey = deriveKeyInTurns,
): Promise<SealingKey> {
  const hash = hashIds.sha256; // 32 bytes in one go; SHA-1, gpg's default, must hash everything twice
  const salt = random(8);
  const coded = encodeCount(count);
  const s2k = { hash, salt, count: decodeCount(coded) };
  const key = await deriveKey(await passphrase(), s2k, cipherTraits(AES256).keyLength);
  const body = [4, AES256, 3, hash, ...salt, coded];
  const packets = encodePacket(tags.passphraseSession, Uint8Array.from(body));
  return { packets, key, algorithm: AES256 };
}

/** A key from the passphrase; each one is derived once, if the secrets keep them. */
function derive(s2k: S2k, keyLength: number, secrets: Secrets): Promise<Uint8Array> {
  const { derived, passphrase, deriveKey = deriveKeyInTurns } = secrets;
  const name = [s2k.hash, s2k.count, keyLength, ...s2k.salt].join();
  const key = derived?.get(name) ?? passphrase().then(secret => deriveKey(secret, s2k, keyLength));
  derived?.set(name, key);
  return key;
}

/** A symmetric-key encrypted session key packet (RFC 9580 §5.3.1). */
export interface PassphrasePacket {
  readonly algorithm: number;
  readonly s2k: S2k;
  /** Algorithm byte and session key, encrypted; empty when the S2K output is the session key. */
  readonly encrypted: Uint8Array;
}

/** A public-key encrypted session key packet of version 3 (RFC 9580 §5.1.1). */
export interface RecipientPacket {
  /** Of the key or subkey that opens it: 16 upper-case hex digits, all zero for a hidden recipient. */
  readonly keyId: string;
  /** The packet with its header. */
  readonly packet: Uint8Array;
}

/** Key id of a hidden recipient. */
export const HIDDEN_KEY_ID = '0'.repeat(16);

/** Longest body that we may meet: two numbers of 16384 bits, for ElGamal. */
export const RECIPIENT_PACKET_MAX = 8 * 1024;

/** @throws BackupError `damaged`; `unsupported` for newer versions */
export function decodeRecipientPacket(body: Uint8Array): RecipientPacket {
  const fields = new Fields(body);
  if (fields.uint(1) !== 3) throw newerEncryption();
  return { keyId: hexOf(fields.bytes(8)), packet: encodePacket(tags.publicKeySession, body) };
}

/** SEIPD version 2, the OCB draft, and the session key packets that belong to them. */
export function newerEncryption(): BackupError {
  return new BackupError(
    'unsupported',
    'The archive is encrypted in a newer way (AEAD) that we do not read.',
  );
}

/** Longest body that we may meet: version 4, S2K of 11 bytes, a session key of 32; newer versions are a little longer. */
export const PASSPHRASE_PACKET_MAX = 256;

/** @throws BackupError `damaged`; `unsupported` for newer versions */
export function decodePassphrasePacket(body: Uint8Array): PassphrasePacket {
  if (body[0] !== 4) throw newerEncryption();
  const { s2k, length } = decodeS2k(body.subarray(2));
  return { algorithm: body[1]!, s2k, encrypted: body.subarray(2 + length) };
}

/**
 * The session key that a packet holds, if the passphrase is right; with a wrong one undefined, or a wrong key.
 * @throws BackupError `unsupported`
 */
export async function recoverSessionKey(
  { algorithm, s2k, encrypted }: PassphrasePacket,
  secrets: Secrets,
): Promise<SessionKey | undefined> {
  const key = await derive(s2k, cipherTraits(algorithm).keyLength, secrets);
  if (encrypted.length === 0) return { algorithm, key };
  const decipher = createCfbDecipher({ algorithm, key });
  decipher.add(encrypted);
  const inner = decipher.take();
  if (ciphers[inner[0]!]?.keyLength !== inner.length - 1) return undefined;
  return { algorithm: inner[0]!, key: inner.subarray(1) };
}
