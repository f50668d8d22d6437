/** The keys of a run, loaded when the first of them is wanted: most runs have a passphrase and none. */

import type { Keys } from '../keys/keys.ts';
import type { CommonOptions, Host } from './host.ts';

/** Whether objects are sealed for public keys, and not with the passphrase. */
export function usesPublicKeys({ keys }: CommonOptions): boolean {
  return keys !== undefined && keys.encryptKeys.length + keys.hiddenEncryptKeys.length > 0;
}

/** @returns the same keys at every call; they are looked up when they are asked for */
export function createKeyRing({ keys }: CommonOptions, host: Host): () => Promise<Keys> {
  let ring: Promise<Keys> | undefined;
  const load = async () => {
    const { createKeys } = await import('../keys/keys.ts');
    return createKeys({
      ...keys,
      gpg: keys?.gpg ?? {},
      passphrase: () => host.passphrase(false),
      signPassphrase: () => host.signPassphrase(),
      nowSeconds: () => Math.floor(Date.now() / 1000),
    });
  };
  return () => (ring ??= load());
}
