/** Sealing for public keys: each message gets a random session key, and one packet for every recipient. */

import type { Key } from 'openpgp';
import { BackupError } from '../errors.ts';
import { AES256, type RandomBytes, type SealingKey } from '../volumes/openpgp-session.ts';
import { describeKey, fingerprintOf, troubleOf } from './certificates.ts';
import { lenientConfig, loadOpenPgpJs } from './openpgp-js.ts';

export interface Recipient {
  readonly key: Key;
  /** Whether the archive does not tell for whom it is. */
  readonly hidden: boolean;
}

export interface Recipients {
  /** The keys in words for people. */
  readonly descriptions: readonly string[];
  /** Of the keys, sorted; 40 or 64 upper-case hex digits. */
  readonly fingerprints: readonly string[];
  /**
   * A fresh AES-256 key for one message with the packets for all recipients.
   * @param random makes the session key; what the public-key operations need comes from OpenPGP.js itself
   */
  prepareSessionKey(random: RandomBytes): Promise<SealingKey>;
}

/**
 * @param nowSeconds when keys must be valid; one that expires during the run does not end it
 * @throws BackupError `usage` for a key that is expired, revoked or not made for encryption
 */
export async function createRecipients(
  recipients: readonly Recipient[],
  nowSeconds: number,
): Promise<Recipients> {
  const date = new Date(nowSeconds * 1000);
  const openpgp = await loadOpenPgpJs();
  const config = await lenientConfig();
  const distinct = new Map<string, Recipient>();
  for (const recipient of recipients) {
    const { key } = recipient;
    try {
      await key.getEncryptionKey(undefined, date, undefined, config);
    } catch (cause) {
      const why = await troubleOf(key, date, cause);
      const message = `The key ${describeKey(key)} ${why}; nothing can be encrypted to it.`;
      throw new BackupError('usage', message, {}, { cause });
    }
    if (recipient.hidden || !distinct.has(fingerprintOf(key))) distinct.set(fingerprintOf(key), recipient);
  }
  const keysWhere = (wanted: boolean) =>
    [...distinct.values()].flatMap(({ key, hidden }) => (hidden === wanted ? [key] : []));
  const groups = [keysWhere(false), keysWhere(true)] as const;

  return {
    descriptions: [...distinct.values()].map(({ key }) => describeKey(key)),
    fingerprints: [...distinct.keys()].sort(),
    async prepareSessionKey(random) {
      const data = Uint8Array.from(random(32));
      const packets = await Promise.all(
        groups.map((encryptionKeys, hidden) =>
          encryptionKeys.length === 0
            ? new Uint8Array(0)
            : openpgp.encryptSessionKey({
                ...{ data, algorithm: 'aes256', encryptionKeys, wildcard: hidden === 1 },
                ...{ format: 'binary', date, config },
              }),
        ),
      );
      return { packets: Buffer.concat(packets), key: data, algorithm: AES256 };
    },
  };
}
