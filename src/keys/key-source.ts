/** Where keys come from: a key id or fingerprint names one of gpg's keyring, a path a key file, an e-mail either's owner. */

import { open } from 'node:fs/promises';
import type { Key } from 'openpgp';
import { BackupError, messageOf } from '../errors.ts';
import { describeKey, fingerprintOf, isPart, partsOf, readCertificates } from './certificates.ts';
import { askGpg, type GpgOptions, gpgSays } from './gpg.ts';

export type KeyName =
  /** 8, 16 or 40 upper-case hex digits. */
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'email'; readonly address: string };

/**
 * What a user typed: `9CA6D128AF2AB4BE`, `0x…`, in any case; an e-mail address; a path with a `/`, or a
 * name that ends as key files do.
 * @param option for the message
 * @throws BackupError `usage`
 */
export function parseKeyName(text: string, option: string): KeyName {
  const id = /^(?:0x)?([0-9a-f]{8}|[0-9a-f]{16}|[0-9a-f]{40})$/i.exec(text)?.[1];
  if (id !== undefined) return { kind: 'id', id: id.toUpperCase() };
  if (text.includes('/')) return { kind: 'file', path: text };
  if (/^[^\s@<>-][^\s@<>]*@[^\s@<>]+$/.test(text)) return { kind: 'email', address: text };
  throw new BackupError(
    'usage',
    `${option} needs a key id of 8, 16 or 40 hex digits, an e-mail address, or the path of a key file (./name), not "${text}".`,
  );
}

/** Looks every key up once. */
export interface KeySource {
  /**
   * The certificates that a name stands for: all of a file; of the keyring exactly one.
   * @throws BackupError `usage` when there is none, or it is not clear which
   */
  find(name: KeyName): Promise<readonly Key[]>;
}

/** @param gpg undefined if only files are to be read */
export function createKeySource(gpg: GpgOptions | undefined): KeySource {
  const found = new Map<string, Promise<readonly Key[]>>();
  return {
    find(name) {
      const label = JSON.stringify(name);
      let keys = found.get(label);
      if (!keys) {
        keys = name.kind === 'file' ? readKeyFile(name.path) : findInKeyring(name, gpg);
        found.set(label, keys);
      }
      return keys;
    },
  };
}

const MAX_KEY_FILE = 16 * 1024 * 1024;

/** @throws BackupError `usage` */
export async function readKeyFile(path: string): Promise<Key[]> {
  return readCertificates(await readBounded(path), `The key file ${path}`);
}

async function readBounded(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > MAX_KEY_FILE) throw new Error('it is far larger than keys are');
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new BackupError('usage', `The key file ${path} can't be read: ${messageOf(cause)}.`, {}, { cause });
  }
}

async function findInKeyring(
  name: Exclude<KeyName, { kind: 'file' }>,
  gpg: GpgOptions | undefined,
): Promise<Key[]> {
  const [wanted, text] =
    name.kind === 'id' ? [`0x${name.id}`, `0x${name.id}`] : [`<${name.address}>`, name.address];
  if (!gpg) throw new BackupError('usage', `gpg is not to be asked for the key ${text}; give a key file.`);
  const answer = await askGpg(gpg, ['--export-options', 'no-export-attributes', '--export', '--', wanted]);
  if (answer.stdout.length === 0) {
    const why = answer.exitCode === 0 ? 'it may have to be imported' : gpgSays(answer);
    throw new BackupError(
      'usage',
      `gpg's keyring has no key ${text}: ${why}. A key file can be given instead.`,
    );
  }
  const all = await readCertificates(answer.stdout, `gpg's keyring, asked for ${text},`);
  const keys = name.kind === 'id' ? all.filter(key => partsOf(key).some(part => isPart(part, name.id))) : all;
  if (keys.length === 1) return keys;
  const list = keys.map(key => `${fingerprintOf(key)} ${describeKey(key)}`).join('; ');
  throw new BackupError(
    'usage',
    `Not one but ${keys.length} keys are called ${text}; use a fingerprint: ${list}.`,
  );
}
