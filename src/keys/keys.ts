/**
 * All keys of a run, from what the user named: whom archives are sealed for, who signs them, whose signature they must
 * bear, and what opens them. Each is looked up when it is first wanted, and once.
 */

import type { Key } from 'openpgp';
import { BackupError } from '../errors.ts';
import type { Secrets } from '../volumes/openpgp-session.ts';
import type { Signer, Verifier } from '../volumes/openpgp-signed.ts';
import { createAgentSigner } from './agent-signer.ts';
import { isPart, partsOf } from './certificates.ts';
import { createFileSigner } from './file-signer.ts';
import type { GpgOptions } from './gpg.ts';
import { keysOfGpgConf } from './gpg-conf.ts';
import { createKeySource, type KeyName, parseKeyName } from './key-source.ts';
import type { AskPassphrase } from './private-parts.ts';
import { createRecipients, type Recipients } from './recipients.ts';
import { createSessionKeyFinder } from './session-keys.ts';
import type { SignerOptions } from './signing-parts.ts';
import { createVerifier } from './verifier.ts';

export interface KeysOptions {
  /** As typed after `--encrypt-key` and `--encrypt-sign-key`. */
  readonly encryptKeys?: readonly string[] | undefined;
  readonly hiddenEncryptKeys?: readonly string[] | undefined;
  /** As typed after `--sign-key` or `--encrypt-sign-key`. */
  readonly signKey?: string | undefined;
  /** Files with private keys (`--encrypt-secret-keyring`), for opening and for signing. */
  readonly secretKeyFiles?: readonly string[] | undefined;
  /** Absent if gpg is never to be asked. */
  readonly gpg?: GpgOptions | undefined;
  /** `--use-agent`: gpg's agent asks for passphrases of its keys itself. */
  readonly useAgent?: boolean | undefined;
  /** Of archives without recipients, and of private keys that open them. */
  readonly passphrase: AskPassphrase;
  /** Of the signing key; often the same. */
  readonly signPassphrase: AskPassphrase;
  /** OpenPGP's id of the hash in signatures. */
  readonly hash?: number | undefined;
  /** The real time since 1970. */
  readonly nowSeconds: () => number;
}

export interface Keys {
  /** What opens archives, to passphrases and to public keys. */
  readonly secrets: Secrets;
  /** Undefined when archives are encrypted with the passphrase. @throws BackupError `usage` */
  recipients(): Promise<Recipients | undefined>;
  /**
   * Undefined when archives are not signed. The key has made a trial signature.
   * @throws BackupError `usage`, `wrong-passphrase`, `passphrase-missing`
   */
  signer(): Promise<Signer | undefined>;
  /** Undefined when signatures are not asked for. @throws BackupError `usage` */
  verifier(): Promise<Verifier | undefined>;
}

/** @throws BackupError `usage` for names that can't be keys */
export function createKeys(options: KeysOptions): Keys {
  const visible = (options.encryptKeys ?? []).map(text => parseKeyName(text, '--encrypt-key'));
  const hidden = (options.hiddenEncryptKeys ?? []).map(text => parseKeyName(text, '--hidden-encrypt-key'));
  const signName = options.signKey === undefined ? undefined : parseKeyName(options.signKey, '--sign-key');
  const source = createKeySource(options.gpg);
  const { gpg, useAgent = false, passphrase, signPassphrase } = options;

  /** Private keys may be in any file that the user named. */
  const keysOfFiles = once(async () => {
    const files: KeyName[] = (options.secretKeyFiles ?? []).map(path => ({ kind: 'file', path }));
    const named = [...visible, ...hidden, ...(signName ? [signName] : [])].filter(isFile);
    const found = await Promise.all([...files, ...named].map(source.find));
    return found.flat().filter(key => key.isPrivate());
  });

  const recipients = once(async () => {
    if (visible.length + hidden.length === 0) return undefined;
    const find = async (names: readonly KeyName[], isHidden: boolean) => {
      const keys = await Promise.all(names.map(source.find));
      return keys.flat().map(key => ({ key, hidden: isHidden }));
    };
    const all = [...(await find(visible, false)), ...(await find(hidden, true))];
    const asked = [...visible, ...hidden].some(name => !isFile(name));
    const more = gpg && asked ? await keysOfGpgConf(gpg) : { visible: [], hidden: [] };
    const isQuiet = visible.length === 0; // then no archive is to tell for whom it is
    try {
      all.push(...(await find(more.visible, isQuiet)), ...(await find(more.hidden, true)));
      return await createRecipients(all, options.nowSeconds());
    } catch (cause) {
      if (!(cause instanceof BackupError) || more.visible.length + more.hidden.length === 0) throw cause;
      const hint = 'Keys that gpg.conf names with encrypt-to count, too; --gpg-options=--no-encrypt-to';
      throw new BackupError(cause.code, `${cause.message} ${hint} leaves them out.`, cause.facts, { cause });
    }
  });

  /** With the private part if a file has it. */
  const signKeys = async (name: KeyName): Promise<readonly Key[]> => {
    if (name.kind !== 'id') return source.find(name);
    const own = (await keysOfFiles()).filter(key => partsOf(key).some(part => isPart(part, name.id)));
    return own.length > 0 ? own : source.find(name);
  };

  const createSigner = async (name: KeyName): Promise<Signer> => {
    const found = await signKeys(name);
    const key = found.find(one => one.isPrivate()) ?? found[0]!;
    const common: SignerOptions = {
      key,
      id: name.kind === 'id' ? name.id : undefined,
      nowSeconds: options.nowSeconds,
      hash: options.hash,
      passphrase: signPassphrase,
    };
    if (key.isPrivate() || !gpg) return createFileSigner(common);
    return createAgentSigner({ ...common, passphrase: useAgent ? undefined : signPassphrase }, gpg);
  };

  return {
    recipients,
    signer: once(async () => (signName ? createSigner(signName) : undefined)),
    verifier: once(async () => (signName ? createVerifier(await signKeys(signName)) : undefined)),
    secrets: {
      passphrase,
      sessionKeys: createSessionKeyFinder({ keys: keysOfFiles, passphrase, gpg, useAgent }),
    },
  };
}

function isFile(name: KeyName): boolean {
  return name.kind === 'file';
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
