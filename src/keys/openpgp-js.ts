/** OpenPGP.js, loaded by the first who needs keys: it costs time and memory that a passphrase alone does without. */

import type { Config } from 'openpgp';

type OpenPgpJs = typeof import('openpgp');

let loading: Promise<OpenPgpJs> | undefined;

export function loadOpenPgpJs(): Promise<OpenPgpJs> {
  loading ??= import('openpgp');
  return loading;
}

/** Whatever gpg takes: keys are the user's choice, and old archives must stay readable. */
export async function lenientConfig(): Promise<Config> {
  const { config } = await loadOpenPgpJs();
  return {
    ...config,
    minRSABits: 1023,
    rejectPublicKeyAlgorithms: new Set(),
    rejectCurves: new Set(),
    allowMissingKeyFlags: true,
    allowInsecureDecryptionWithSigningKeys: true,
    enforceGrammar: false,
  };
}
