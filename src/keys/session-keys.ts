/**
 * Opening messages to public keys: with private keys from files where they fit, else by asking gpg. gpg is given the
 * session key packets alone, never content, and answers with the session key; so a smartcard or an agent that holds
 * the key works too.
 */

import type { Key, PrivateKey } from 'openpgp';
import { BackupError, KEY_ABSENT } from '../errors.ts';
import { encodePacket, tags } from '../volumes/openpgp-packet.ts';
import { namesOf } from '../volumes/openpgp-preface.ts';
import { HIDDEN_KEY_ID, type RecipientPacket, type SessionKey } from '../volumes/openpgp-session.ts';
import { keyIdOf, partsOf } from './certificates.ts';
import { askGpg, type GpgAnswer, type GpgOptions } from './gpg.ts';
import { lenientConfig, loadOpenPgpJs } from './openpgp-js.ts';
import { type AskPassphrase, isPrivateKey, secretOf, unlock } from './private-parts.ts';

export interface SessionKeyOptions {
  /** Private keys from files; public ones among them are passed over. */
  readonly keys: () => Promise<readonly Key[]>;
  /** Absent if gpg is not to be asked. */
  readonly gpg?: GpgOptions | undefined;
  /** Of private keys. */
  readonly passphrase: AskPassphrase;
  /** gpg's agent asks for it itself (`--use-agent`). */
  readonly useAgent: boolean;
}

type FindSessionKeys = (packets: readonly RecipientPacket[]) => Promise<readonly SessionKey[]>;

/** What `Secrets.sessionKeys` is to be. */
export function createSessionKeyFinder({
  keys,
  gpg,
  passphrase,
  useAgent,
}: SessionKeyOptions): FindSessionKeys {
  const inGpg = gpg && createGpgFinder(gpg, useAgent ? undefined : passphrase);
  return async packets => {
    const trouble: unknown[] = [];
    const attempt = async (find: () => Promise<readonly SessionKey[]>) => {
      try {
        return await find();
      } catch (error) {
        trouble.push(error);
        return [];
      }
    };
    const inFiles = await attempt(async () => recoverFromFiles(packets, await keys(), passphrase));
    if (inFiles.length > 0) return inFiles;
    const answered = inGpg ? await attempt(() => inGpg(packets)) : [];
    if (answered.length > 0) return answered;
    throw trouble[0] ?? noKey(packets);
  };
}

function noKey(packets: readonly RecipientPacket[]): BackupError {
  return new BackupError(
    'wrong-passphrase',
    `None of the private keys here opens the archive, ${namesOf(packets)}.`,
    { [KEY_ABSENT]: 1 },
  );
}

/** @throws the reason when keys fit but none could be used */
async function recoverFromFiles(
  packets: readonly RecipientPacket[],
  keys: readonly Key[],
  passphrase: AskPassphrase,
): Promise<readonly SessionKey[]> {
  const found: SessionKey[] = [];
  let trouble: unknown;
  for (const packet of packets) {
    for (const key of keys.filter(isPrivateKey)) {
      try {
        found.push(...(await recover(packet, key, passphrase)));
      } catch (error) {
        trouble ??= error;
      }
    }
  }
  if (found.length === 0 && trouble !== undefined) throw trouble;
  return found;
}

async function recover(
  { keyId, packet }: RecipientPacket,
  key: PrivateKey,
  passphrase: AskPassphrase,
): Promise<readonly SessionKey[]> {
  const parts = partsOf(key).filter(part => keyId === HIDDEN_KEY_ID || keyIdOf(part) === keyId);
  const secrets = parts.flatMap(part => {
    const secret = secretOf(part);
    return secret ? [{ part, secret }] : [];
  });
  if (secrets.length === 0) return [];
  for (const { part, secret } of secrets) await unlock(part, secret, passphrase);
  const openpgp = await loadOpenPgpJs();
  const config = await lenientConfig();
  const message = await openpgp.readMessage({ binaryMessage: Uint8Array.from(packet), config });
  try {
    const keys = await openpgp.decryptSessionKeys({ message, decryptionKeys: key, config });
    return keys.flatMap(({ data, algorithm }) =>
      algorithm === null ? [] : [{ key: data, algorithm: openpgp.enums.symmetric[algorithm] }],
    );
  } catch {
    return []; // a hidden packet for somebody else, or a broken one
  }
}

/** gpg's error numbers that mean: with another passphrase, or with one at all, it would work. */
const passphraseErrors = new Set([
  11, // bad passphrase
  31, // bad PIN
  85, // no pinentry
  86, // pinentry failed
  99, // canceled
  177, // no passphrase given
  178, // no PIN
  198, // fully canceled
]);

/**
 * gpg is first asked with nobody to be bothered: keys without passphrase and those that its agent has open need no
 * more. Only then with the passphrase, or letting the agent ask. What has worked once comes first from then on.
 */
function createGpgFinder(gpg: GpgOptions, passphrase: AskPassphrase | undefined): FindSessionKeys {
  let needsMore = false;
  return async packets => {
    const input = Buffer.concat([...packets.map(({ packet }) => packet), NO_CONTENT]);
    const show = ['--status-fd', '1', '--show-session-key', '--output', '/dev/null', '--decrypt'];
    if (!needsMore) {
      const answer = await askGpg(gpg, show, { input });
      const key = sessionKeyIn(answer);
      if (key) return [key];
      if (!wantsPassphrase(answer)) throw noKey(packets);
    }
    const answer = await askGpg(gpg, show, { input, interactive: true, passphrase: await passphrase?.() });
    const key = sessionKeyIn(answer);
    if (!key) {
      if (!wantsPassphrase(answer)) throw noKey(packets);
      throw new BackupError(
        'wrong-passphrase',
        `gpg can't use the private key with this passphrase for the archive, ${namesOf(packets)}.`,
      );
    }
    needsMore = true;
    return [key];
  };
}

/** Encrypted data that ends before any content: version and the random prefix of a block. */
const NO_CONTENT = encodePacket(tags.encrypted, Uint8Array.of(1), new Uint8Array(18));

/** The first: what may come later is gpg's reading of noise. @see GnuPG doc/DETAILS, "SESSION_KEY" */
function sessionKeyIn({ stdout }: GpgAnswer): SessionKey | undefined {
  const [, algorithm, key] =
    /^\[GNUPG:\] SESSION_KEY (\d+):([0-9A-Fa-f]+)$/m.exec(stdout.toString('latin1')) ?? [];
  return key === undefined ? undefined : { algorithm: Number(algorithm), key: Buffer.from(key, 'hex') };
}

function wantsPassphrase({ stdout }: GpgAnswer): boolean {
  const codes = stdout.toString('latin1').matchAll(/^\[GNUPG:\] ERROR pkdecrypt_failed (\d+)/gm);
  return [...codes].some(([, code]) => passphraseErrors.has(Number(code) & 0xffff));
}
