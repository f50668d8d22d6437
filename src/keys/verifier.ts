/** From certificates to what the signatures of an archive are checked with. */

import type { Key, Subkey } from 'openpgp';
import { BackupError } from '../errors.ts';
import { decodePublicKey } from '../volumes/openpgp-key-material.ts';
import type { Verifier, VerifyingKey } from '../volumes/openpgp-signed.ts';
import { describeKey, keyIdOf, partsOf } from './certificates.ts';
import { lenientConfig } from './openpgp-js.ts';

/**
 * All keys of the certificates that may sign: the owner may have named the primary key or any subkey. A revoked key
 * is none of them; one that has expired since still stands for what it signed before.
 * @throws BackupError `usage` when there is none
 */
export async function createVerifier(certificates: readonly Key[]): Promise<Verifier> {
  const keys = new Map<string, VerifyingKey>();
  const config = await lenientConfig();
  for (const certificate of certificates) {
    const key = certificate.toPublic();
    const until = await certificate.getExpirationTime(undefined, config);
    for (const part of partsOf(key)) {
      if (part.keyPacket.version !== 4 || !(await maySign(key, part))) continue;
      const partUntil = part === key ? until : await part.getExpirationTime(undefined, config);
      keys.set(keyIdOf(part), {
        material: decodePublicKey(part.keyPacket.write()),
        fromSeconds: part.getCreationTime().getTime() / 1000,
        untilSeconds: Math.min(secondsOf(until), secondsOf(partUntil)),
      });
    }
  }
  const description = certificates.map(describeKey).join(' or ');
  if (keys.size === 0)
    throw new BackupError('usage', `The key ${description} makes no signatures, or has been revoked.`);
  return { description, keys };
}

/** Whether its owner made it for signatures and has not revoked it, at whatever time. */
async function maySign(key: Key, part: Key | Subkey): Promise<boolean> {
  try {
    const found = await key.getSigningKey(part.getKeyID(), null, undefined, await lenientConfig());
    return keyIdOf(found) === keyIdOf(part);
  } catch {
    return false;
  }
}

/** null: no self-signature counts any more. */
function secondsOf(time: Date | number | null): number {
  return time === null ? 0 : time instanceof Date ? time.getTime() / 1000 : time;
}
