/** Signing with a private key from a key file. */

import type { Key, Subkey } from 'openpgp';
import { BackupError } from '../errors.ts';
import { createSignatureMaker } from '../volumes/openpgp-digest.ts';
import { createPrivateMaterial } from '../volumes/openpgp-key-material.ts';
import type { Signer } from '../volumes/openpgp-signed.ts';
import { describeKey, fingerprintOf, partsOf } from './certificates.ts';
import { secretOf, unlock } from './private-parts.ts';
import { hashFor, type SignerOptions, signingParts, traitsOf } from './signing-parts.ts';

/**
 * A signer whose private key came in a file.
 * @throws BackupError `usage` when the key can't sign, or only its public part is there; `wrong-passphrase`
 */
export async function createFileSigner(options: SignerOptions): Promise<Signer> {
  const { key, passphrase = noPassphrase } = options;
  const parts = await signingParts(options);
  const [part, secret] =
    parts.map(one => [one, secretOf(one)] as const).find(([, one]) => one !== undefined) ?? [];
  if (!part || !secret)
    throw new BackupError('usage', `The key file has no private key that signs for ${describeKey(key)}.`);
  await unlock(part, secret, passphrase);
  const material = createPrivateMaterial(publicBodyOf(part, key), { ...secret.privateParams } as Record<
    string,
    Uint8Array
  >);
  const hash = hashFor(part, options);
  return { ...traitsOf(part, hash, options), begin: () => createSignatureMaker(material, hash) };
}

async function noPassphrase(): Promise<never> {
  throw new BackupError('passphrase-missing', 'The signing key has a passphrase, and none is given.');
}

function publicBodyOf(part: Key | Subkey, key: Key): Uint8Array {
  const twin = partsOf(key.toPublic()).find(one => fingerprintOf(one) === fingerprintOf(part))!;
  return twin.keyPacket.write();
}
