/** Tries a public key before anything depends on it: a message is sealed for it, and opened again if that can be. */

import { BackupError } from '../errors.ts';
import { createKeys } from '../keys/keys.ts';
import { fromChunks } from '../streams.ts';
import { createEnvelope, openEnvelope } from '../volumes/envelope.ts';
import type { Host } from './host.ts';

/**
 * @param key as after `--encrypt-key`
 * @param passphrase of its private key; empty for none
 * @returns whether the private key is here and opens what is sealed; if not, `why` tells the reason
 * @throws BackupError `usage` for a key that is not known, or can't be sealed for
 */
export async function tryKey(
  key: string,
  passphrase: Uint8Array,
  { random, now }: Pick<Host, 'random' | 'now'>,
): Promise<{ readonly opens: boolean; readonly why: string }> {
  const ask = async () => {
    if (passphrase.length > 0) return passphrase;
    throw new BackupError('passphrase-missing', 'the private key has a passphrase');
  };
  const nowSeconds = () => Math.floor(now());
  const keys = createKeys({ encryptKeys: [key], gpg: {}, passphrase: ask, signPassphrase: ask, nowSeconds });
  const recipients = (await keys.recipients())!;
  const { start, end } = createEnvelope({
    ...{ form: 'gpg', random, mtimeSeconds: nowSeconds() },
    key: await recipients.prepareSessionKey(random),
  });
  const message = [await start(), await end()];
  try {
    for await (const _ of openEnvelope(fromChunks(...message), 'gpg', keys.secrets));
    return { opens: true, why: '' };
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    return { opens: false, why: error.message };
  }
}
