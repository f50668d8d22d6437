/** Which part of a certificate signs, and how: what signers of all kinds share. */

import type { Key, Subkey } from 'openpgp';
import { BackupError } from '../errors.ts';
import { signingAlgorithms } from '../volumes/openpgp-key-material.ts';
import { hashIds } from '../volumes/openpgp-s2k.ts';
import type { Signer } from '../volumes/openpgp-signed.ts';
import { describeKey, fingerprintOf, isPart, keyIdOf, troubleOf } from './certificates.ts';
import { lenientConfig } from './openpgp-js.ts';
import type { AskPassphrase } from './private-parts.ts';

export interface SignerOptions {
  readonly key: Key;
  /** What the user called it, if by id: a subkey that is named signs itself. Upper-case hex digits. */
  readonly id?: string | undefined;
  /** Since 1970; when the key must be valid, and what signatures say. */
  readonly nowSeconds: () => number;
  /** Undefined if gpg's agent asks itself. */
  readonly passphrase?: AskPassphrase | undefined;
  /** OpenPGP's id of a hash; default SHA-256, or what the key's curve needs. */
  readonly hash?: number | undefined;
}

/**
 * The parts that may sign now, in the order in which gpg prefers them: subkeys, newest first, then the primary key.
 * @throws BackupError `usage` when there is none
 */
export async function signingParts({ key, id, nowSeconds }: SignerOptions): Promise<(Key | Subkey)[]> {
  const date = new Date(nowSeconds() * 1000);
  const config = await lenientConfig();
  const subkeys = [...key.subkeys].sort(
    (a, b) => b.getCreationTime().getTime() - a.getCreationTime().getTime(),
  );
  const parts: (Key | Subkey)[] = [];
  let cause: unknown;
  for (const part of [...subkeys, key]) {
    try {
      const found = await key.getSigningKey(part.getKeyID(), date, undefined, config);
      if (keyIdOf(found) === keyIdOf(part) && part.keyPacket.version === 4) parts.push(part);
    } catch (error) {
      cause = error;
    }
  }
  const named = id !== undefined && !isPart(key, id) ? parts.filter(part => isPart(part, id)) : parts;
  if (named.length > 0) return named;
  const why = parts.length > 0 ? `has no part ${id} that signs` : await troubleOf(key, date, cause);
  throw new BackupError('usage', `The key ${describeKey(key)} ${why}; it can't sign.`, {}, { cause });
}

/** What a signer says about itself. */
export function traitsOf(
  part: Key | Subkey,
  hash: number,
  { nowSeconds }: SignerOptions,
): Omit<Signer, 'begin'> {
  const { algorithm } = part.keyPacket;
  return { algorithm, hash, keyId: keyIdOf(part), fingerprint: fingerprintOf(part), nowSeconds };
}

/** Hashes of at least the curve's size, as gpg demands them. */
export function hashFor(part: Key | Subkey, { hash }: SignerOptions): number {
  const { curve } = part.getAlgorithmInfo();
  if (part.keyPacket.algorithm === signingAlgorithms.ed448 || /521|512/.test(curve ?? ''))
    return hashIds.sha512;
  if (/384/.test(curve ?? '')) return hash === hashIds.sha512 ? hash : hashIds.sha384;
  return hash ?? hashIds.sha256;
}
