/**
 * Signing with a private key that gpg's agent has, or a smartcard behind it. Only digests go there; the key is tried
 * once before anything is stored.
 */

import type { Key, Subkey } from 'openpgp';
import { BackupError, messageOf } from '../errors.ts';
import { createDigest } from '../volumes/openpgp-digest.ts';
import { encodeMpi } from '../volumes/openpgp-fields.ts';
import { hashIds } from '../volumes/openpgp-s2k.ts';
import type { Signer } from '../volumes/openpgp-signed.ts';
import { AgentError, askAgent, findAgent, signatureNumbers } from './agent.ts';
import { describeKey, fingerprintOf } from './certificates.ts';
import { askGpg, type GpgOptions } from './gpg.ts';
import { hashFor, type SignerOptions, signingParts, traitsOf } from './signing-parts.ts';

/**
 * A signer whose private key gpg's agent has, or a smartcard behind it.
 * @throws BackupError `usage` when the key can't sign; `wrong-passphrase` when the agent has no such key, or the
 *   passphrase is wrong; `passphrase-missing` when it does not answer
 */
export async function createAgentSigner(options: SignerOptions, gpg: GpgOptions): Promise<Signer> {
  const { key, passphrase } = options;
  const parts = await signingParts(options);
  const socket = await findAgent(gpg);
  const keygrips = await findKeygrips(key, gpg);
  const found = await firstInAgent(parts, keygrips, socket);
  if (!found)
    throw new BackupError('wrong-passphrase', `gpg has no private key that signs for ${describeKey(key)}.`);
  const { part, keygrip } = found;
  const hash = hashFor(part, options);
  const timeoutMs = gpg.timeoutMs ?? 60_000;
  const sign = (digest: Uint8Array, mode: readonly string[], words?: Uint8Array) =>
    askAgent(socket, {
      commands: [
        ...mode,
        `SIGKEY ${keygrip}`,
        `SETHASH --hash=${hashNamesOfAgent[hash]} ${Buffer.from(digest).toString('hex').toUpperCase()}`,
        'PKSIGN',
      ],
      ...{ passphrase: words, timeoutMs: mode === asking ? (gpg.timeoutMs ?? 300_000) : timeoutMs },
    });

  const asking = terminalOptions();
  const ways = [
    (digest: Uint8Array) => sign(digest, ['OPTION pinentry-mode=cancel']),
    passphrase
      ? async (digest: Uint8Array) => sign(digest, ['OPTION pinentry-mode=loopback'], await passphrase())
      : (digest: Uint8Array) => sign(digest, asking),
  ] as const;
  let way = 0;
  const signDigest = async (digest: Uint8Array): Promise<Buffer> => {
    try {
      return await ways[way]!(digest);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (way === 0) {
        way = 1; // it needs the passphrase, or the agent has forgotten it
        return signDigest(digest);
      }
      const message = `gpg can't sign with ${describeKey(key)}: ${messageOf(error).replace(/^\d+ /, '')}.`;
      throw new BackupError('wrong-passphrase', message, {}, { cause: error });
    }
  };
  await signDigest(createDigest(hash).update('a trial before anything is stored').digest());

  return {
    ...traitsOf(part, hash, options),
    begin() {
      const digesting = createDigest(hash);
      return {
        update: bytes => void digesting.update(bytes),
        async sign() {
          const digest = digesting.digest();
          const numbers = signatureNumbers(await signDigest(digest));
          return { digest, numbers: Buffer.concat(numbers.map(encodeMpi)) };
        },
      };
    },
  };
}

const hashNamesOfAgent: Readonly<Record<number, string>> = {
  [hashIds.sha1]: 'sha1',
  [hashIds.sha256]: 'sha256',
  [hashIds.sha384]: 'sha384',
  [hashIds.sha512]: 'sha512',
};

/** Where the agent may ask: what gpg itself tells it. */
function terminalOptions(): string[] {
  const { GPG_TTY, TERM, DISPLAY } = process.env;
  const options = { ttyname: GPG_TTY, ttytype: TERM, display: DISPLAY };
  return Object.entries(options).flatMap(([name, value]) => (value ? [`OPTION ${name}=${value}`] : []));
}

/** gpg's names for the keys in its agent, by fingerprint. */
async function findKeygrips(key: Key, gpg: GpgOptions): Promise<Map<string, string>> {
  const list = ['--with-colons', '--with-keygrip', '--list-keys', '--', `0x${fingerprintOf(key)}`];
  const { stdout } = await askGpg(gpg, list);
  const keygrips = new Map<string, string>();
  let fingerprint = '';
  for (const line of stdout.toString('latin1').split('\n')) {
    const fields = line.split(':');
    if (fields[0] === 'fpr') fingerprint = fields[9] ?? '';
    if (fields[0] === 'grp') keygrips.set(fingerprint, fields[9] ?? '');
  }
  return keygrips;
}

async function firstInAgent(
  parts: readonly (Key | Subkey)[],
  keygrips: ReadonlyMap<string, string>,
  socket: string,
): Promise<{ part: Key | Subkey; keygrip: string } | undefined> {
  for (const part of parts) {
    const keygrip = keygrips.get(fingerprintOf(part));
    if (keygrip === undefined) continue;
    try {
      await askAgent(socket, { commands: [`HAVEKEY ${keygrip}`], timeoutMs: 30_000 });
      return { part, keygrip };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
    }
  }
  return undefined;
}
