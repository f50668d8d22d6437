/** Unlocking private keys from files: with the passphrase only if they have one, and once per run. */

import type { Key, PrivateKey, SecretKeyPacket, SecretSubkeyPacket, Subkey } from 'openpgp';
import { BackupError, messageOf } from '../errors.ts';
import { keyIdOf } from './certificates.ts';

export type SecretPacket = SecretKeyPacket | SecretSubkeyPacket;

/** Bytes of a passphrase, asked for when it is needed. */
export type AskPassphrase = () => Promise<Uint8Array>;

/** The private part, if there is one here: not so in a public key, or if it lives on a card or offline. */
export function secretOf(part: Key | Subkey): SecretPacket | undefined {
  const packet = part.keyPacket;
  if (!('privateParams' in packet)) return undefined;
  const secret = packet as SecretPacket;
  return secret.isDummy() || secret.isMissingSecretKeyMaterial() ? undefined : secret;
}

export function isPrivateKey(key: Key): key is PrivateKey {
  return key.isPrivate();
}

/**
 * Unlocks a part in place.
 * @throws BackupError `wrong-passphrase`; `unsupported` when it is locked in a way that OpenPGP.js refuses
 */
export async function unlock(part: Key | Subkey, secret: SecretPacket, ask: AskPassphrase): Promise<void> {
  if (secret.isDecrypted()) return;
  const passphrase = Buffer.from(await ask()).toString('utf8');
  if (secret.isDecrypted()) return; // somebody else was first
  try {
    await secret.decrypt(passphrase);
  } catch (cause) {
    const what = `the private key 0x${keyIdOf(part)}`;
    if (/passphrase/i.test(messageOf(cause)))
      throw new BackupError('wrong-passphrase', `The passphrase does not open ${what}.`, {}, { cause });
    throw new BackupError('unsupported', `We can't unlock ${what}: ${messageOf(cause)}`, {}, { cause });
  }
}
