/**
 * Certificates: a public key with its names and subkeys, and the private parts where they are known. Read from the
 * bytes that gpg exports or a key file holds; told apart by fingerprint or key id.
 */

import type { Key, Subkey } from 'openpgp';
import { displayPath, pathFromText } from '../bytes.ts';
import { BackupError, clauseOf } from '../errors.ts';
import { lenientConfig, loadOpenPgpJs } from './openpgp-js.ts';

const ARMORED = /-----BEGIN PGP (PUBLIC|PRIVATE) KEY BLOCK-----[\s\S]*?-----END PGP \1 KEY BLOCK-----/g;

/**
 * All certificates of a key file or keyring.
 * @param bytes binary, or any number of armored blocks with text between them
 * @param source where they come from, for messages
 * @throws BackupError `usage` when there are none, or they can't be read
 */
export async function readCertificates(bytes: Uint8Array, source: string): Promise<Key[]> {
  const { readKeys } = await loadOpenPgpJs();
  const config = await lenientConfig();
  try {
    if (bytes.length > 0 && bytes[0]! > 0x7f)
      return await readKeys({ binaryKeys: Uint8Array.from(bytes), config });
    const blocks = Buffer.from(bytes).toString('latin1').match(ARMORED) ?? [];
    const keys = await Promise.all(blocks.map(armoredKeys => readKeys({ armoredKeys, config })));
    if (keys.length > 0) return keys.flat();
  } catch (cause) {
    throw new BackupError(
      'usage',
      `${source} holds keys that can't be read: ${clauseOf(cause)}.`,
      {},
      { cause },
    );
  }
  throw new BackupError('usage', `${source} holds no OpenPGP key.`);
}

/** The key and its subkeys, the key first. */
export function partsOf(key: Key): (Key | Subkey)[] {
  return [key, ...key.subkeys];
}

/** 40 upper-case hex digits. */
export function fingerprintOf(part: Key | Subkey): string {
  return part.getFingerprint().toUpperCase();
}

/** 16 upper-case hex digits. */
export function keyIdOf(part: Key | Subkey): string {
  return part.getKeyID().toHex().toUpperCase();
}

/** @param id upper-case hex digits, the end of a fingerprint */
export function isPart(part: Key | Subkey, id: string): boolean {
  return fingerprintOf(part).endsWith(id);
}

/** For people: `0x9CA6D128AF2AB4BE (Ann <ann@example.org>)`, safe to print. */
export function describeKey(key: Key): string {
  const name = key.getUserIDs()[0];
  const id = `0x${keyIdOf(key)}`;
  return name === undefined ? id : `${id} (${displayPath(pathFromText(name))})`;
}

/** Why a key can't be used at a time, in words that follow its name. */
export async function troubleOf(key: Key, now: Date, cause: unknown): Promise<string> {
  const config = await lenientConfig();
  const curve = key.getAlgorithmInfo().curve ?? '';
  if (/^(brainpool|secp)/.test(curve)) return `is of a kind (${curve}) that we only read by way of gpg`;
  if (await key.isRevoked(undefined, undefined, now, config)) return 'has been revoked';
  const made = key.getCreationTime();
  if (made > now) return `was made on ${dayOf(made)}, but the clock says ${dayOf(now)}: set the clock right`;
  const ends = [await key.getExpirationTime(undefined, config)];
  for (const subkey of key.subkeys) ends.push(await subkey.getExpirationTime(now, config));
  const past = ends.find(end => end instanceof Date && end <= now);
  if (past instanceof Date) return `expired on ${dayOf(past)}`;
  return `can't be used: ${clauseOf(cause)}`;
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
