/**
 * Where secrets come from: a file of their own, the output of a command, a variable of the environment, a credential
 * of systemd. None of them is ever put into a message, onto a command line or into a log.
 */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { displayPath, pathFromText } from '../bytes.ts';
import { BackupError, messageOf } from '../errors.ts';
import { outputOf, readSecretInput } from './input.ts';
import type { SecretForm } from './keys.ts';

export interface SecretSource {
  readonly form: SecretForm | 'inline';
  /** Path, command, name of a variable or of a credential; or the secret itself. */
  readonly value: string;
  /** What it is, for messages: `passphrase-file in /etc/tsbackup/pictures.toml`. */
  readonly origin: string;
}

/**
 * The first line of what the source gives, as bytes, and not empty.
 * @param signal ends the waiting for it; its reason is thrown
 * @throws BackupError `usage`
 */
export async function readSecret(
  { form, value, origin }: SecretSource,
  environment: Readonly<Record<string, string | undefined>>,
  signal?: AbortSignal,
): Promise<Buffer> {
  const secret = await find();
  if (secret.length === 0) throw new BackupError('usage', `${origin} gives nothing`);
  return secret;

  async function find(): Promise<Buffer> {
    switch (form) {
      case 'inline':
        return bytesOfText(value, origin, 'a file of its own');
      case 'file':
        return readFirstLine(value, origin, signal);
      case 'command':
        return firstLine(await outputOf(value, origin, signal));
      case 'env':
        return readVariable(value, environment, `a file in place of ${origin}`) ?? Buffer.alloc(0);
      case 'credential': {
        const folder = environment.CREDENTIALS_DIRECTORY;
        if (folder === undefined) {
          throw new BackupError(
            'usage',
            `${origin} names a credential of systemd, but there is no $CREDENTIALS_DIRECTORY: start it as a service`,
          );
        }
        return readFirstLine(join(folder, value), origin, signal);
      }
    }
  }
}

/**
 * The same as text, for what services ask for: none of it ends with the carriage return of a file from Windows. A
 * passphrase may, as gpg counts that.
 */
export async function readSecretText(...from: Parameters<typeof readSecret>): Promise<string> {
  return (await readSecret(...from)).toString('utf8').replace(/\r$/, '');
}

/** A sentence if others than its owner may read a file that holds a secret. */
export function warnOfReaders(path: string): string | undefined {
  try {
    if ((statSync(path).mode & 0o077) === 0) return undefined;
  } catch {
    return undefined; // whoever reads it will say so
  }
  return `Others can read ${displayPath(pathFromText(path))}, which holds a secret: chmod 600 it.`;
}

export function firstLine(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0x0a);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/**
 * The first line of a variable, as bytes; undefined where it is not set.
 * @param instead what takes any bytes
 * @throws BackupError `usage` for one that is not UTF-8
 */
export function readVariable(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
  instead: string,
): Buffer | undefined {
  const text = environment[name];
  return text === undefined
    ? undefined
    : firstLine(bytesOfText(text, `the environment variable ${name}`, instead));
}

/** Node has replaced bytes that are not UTF-8: with what is left nobody else would open the archive. */
function bytesOfText(text: string, what: string, instead: string): Buffer {
  if (!text.includes('\ufffd')) return Buffer.from(text, 'utf8');
  throw new BackupError('usage', `${what} is not UTF-8; use ${instead}, which takes any bytes`);
}

/**
 * @param signal ends the waiting for it; its reason is thrown
 * @throws BackupError `usage`
 */
export async function readFirstLine(path: string, origin: string, signal?: AbortSignal): Promise<Buffer> {
  try {
    return firstLine(await readSecretInput(path, signal));
  } catch (error) {
    signal?.throwIfAborted();
    throw new BackupError('usage', `cannot read ${origin}: ${messageOf(error)}`, {}, { cause: error });
  }
}
