/** `recovery-kit NAME`: the page that gets a profile's backup back on a new machine, printed or written to a file. */

import { readFileSync, writeFileSync } from 'node:fs';
import type { Host } from '../commands/host.ts';
import { BackupError, exitStatus, messageOf } from '../errors.ts';
import { loadProfile, type Profile } from '../profiles/profile.ts';
import { type Block, type KitFacts, type KitSecret, recoveryKit } from '../profiles/recovery-kit.ts';
import { kitAsHtml, kitAsText } from '../profiles/recovery-pages.ts';
import { readSecret, type SecretSource } from '../profiles/secrets.ts';
import { parseTarget, type Target } from '../storage/url.ts';
import { optionNames } from './options.ts';
import { type Invocation, type OptionValue, parseStep } from './parse.ts';

type Values = Readonly<Record<string, OptionValue>>;

const prefixes = ['', '-archive', '-manifest', '-signature'].map(kind => `file-prefix${kind}`);

/** @returns the exit status */
export async function printRecoveryKit(name: string, invocation: Invocation, host: Host): Promise<number> {
  const profile = loadProfile(name, { names: optionNames }, process.env);
  const { values } = parseStep('backup', [profile.source, profile.target], [], profile, process.env);
  const withSecrets = invocation.values['with-secrets'] === true;
  const blocks = recoveryKit(await factsOf(profile, values, withSecrets, host));
  const file = invocation.values.output as string | undefined;
  if (file === undefined) {
    const text = kitAsText(blocks);
    await host.print(text, () => [{ type: 'recovery-kit', profile: profile.name, text }]);
    return exitStatus.done;
  }
  write(file, blocks);
  const held = withSecrets ? ' It holds secrets: print it and delete it.' : '';
  await host.print(`The recovery kit of ${profile.name} is in ${file}.${held}\n`, () => [
    { type: 'recovery-kit', profile: profile.name, file },
  ]);
  return exitStatus.done;
}

function write(file: string, blocks: readonly Block[]): void {
  const text = (/\.html?$/i.test(file) ? kitAsHtml : kitAsText)(blocks);
  try {
    writeFileSync(file, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const remedy =
      (error as NodeJS.ErrnoException).code === 'EEXIST' ? '; delete it or name another file' : '';
    throw new BackupError('usage', `can't write ${file}: ${messageOf(error)}${remedy}`, {}, { cause: error });
  }
}

async function factsOf(
  profile: Profile,
  values: Values,
  withSecrets: boolean,
  host: Host,
): Promise<KitFacts> {
  const text = (name: string) => values[name] as string | undefined;
  const texts = (name: string) => (values[name] ?? []) as readonly string[];
  const secret = (source: SecretSource | undefined) => kitSecret(source, withSecrets, host.signal);
  const target = parseTarget(profile.target);
  const endpoint = endpointOf(target, values);
  const region = text('s3-region-name');
  const keys = ['encrypt-key', 'hidden-encrypt-key'].flatMap(texts);
  const encryptSignKey = text('encrypt-sign-key');
  if (encryptSignKey !== undefined) keys.push(encryptSignKey);
  const passphrase = await secret(passphraseOf(profile, values));
  return {
    profile: profile.name,
    host: host.hostname(),
    made: new Date(host.now() * 1000).toISOString().slice(0, 10),
    source: profile.source,
    url: profile.target,
    ...{ target, endpoint, region },
    options: [
      ...(endpoint === undefined ? [] : [['--s3-endpoint-url', endpoint]]),
      ...(region === undefined ? [] : [['--s3-region-name', region]]),
      ...prefixes.flatMap(name => (text(name) === undefined ? [] : [[`--${name}`, text(name)!]])),
      ...(values['no-encryption'] === true ? [['--no-encryption']] : []),
    ],
    protection:
      values['no-encryption'] === true
        ? { kind: 'none' }
        : keys.length === 0
          ? { kind: 'passphrase', passphrase }
          : {
              kind: 'keys',
              ...{ keys, passphrase },
              files: texts('encrypt-secret-keyring').map(path => ({
                path,
                text: withSecrets ? armored(path) : undefined,
              })),
            },
    credentials:
      target.scheme === 's3'
        ? {
            id: profile.s3?.['access-key-id'] as string | undefined,
            secret: await secret(profile.s3?.['secret-access-key'] as SecretSource | undefined),
          }
        : undefined,
  };
}

/** Of the service, if it is not Amazon's own; with its scheme, which says too whether the connection is encrypted. */
function endpointOf(target: Target, values: Values): string | undefined {
  if (target.scheme !== 's3') return undefined;
  const endpoint = (values['s3-endpoint-url'] as string | undefined) ?? target.endpoint;
  if (endpoint === undefined || /^https?:\/\//i.test(endpoint)) return endpoint;
  const plain = values['s3-unencrypted-connection'] === true || target.insecure === true;
  return `${plain ? 'http' : 'https'}://${endpoint}`;
}

/** As the command line finds it, but for the environment and the terminal. */
function passphraseOf(profile: Profile, values: Values): SecretSource | undefined {
  for (const form of ['file', 'command'] as const) {
    const value = values[`passphrase-${form}`] as string | undefined;
    if (value !== undefined) return { form, value, origin: `--passphrase-${form}` };
  }
  return profile.passphrase;
}

async function kitSecret(
  source: SecretSource | undefined,
  withSecrets: boolean,
  signal: AbortSignal,
): Promise<KitSecret> {
  if (!source) return { place: undefined, text: undefined };
  const text = withSecrets ? readable(await readSecret(source, process.env, signal)) : undefined;
  return { place: placeOf(source), text };
}

function placeOf({ form, value, origin }: SecretSource): string {
  switch (form) {
    case 'file':
      return `in the first line of ${value}`;
    case 'command':
      return `as the output of the command: ${value}`;
    case 'env':
      return `in the environment variable ${value}`;
    case 'credential':
      return `as the systemd credential ${value}`;
    case 'inline':
      return `as the ${origin}`;
  }
}

/** A secret for people to type: as it is if it can be typed, else its bytes. */
function readable(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!/[\p{C}]/u.test(text)) return text;
  } catch {
    // not text
  }
  return `these bytes, in hexadecimal: ${Buffer.from(bytes).toString('hex')}`;
}

/** A private key that can be printed; undefined for a binary one. */
function armored(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'latin1');
    return text.startsWith('-----BEGIN PGP') ? text : undefined;
  } catch (error) {
    throw new BackupError('usage', `can't read the private key: ${messageOf(error)}`, {}, { cause: error });
  }
}
