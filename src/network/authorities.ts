/**
 * Certificate authorities of one's own, where Amazon's tools and the real duplicity have them: a file that AWS_CA_BUNDLE
 * names, or `ca_bundle` of the profile in Amazon's configuration file. They are trusted besides the system's.
 */

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { displayPath, pathFromText } from '../bytes.ts';
import { BackupError, reasonOf } from '../errors.ts';

/** Made for the first connection with TLS: a hundred authorities take a tenth of a second. @throws BackupError 'usage' */
export type Trust = () => SecureContext;

/** @returns undefined where none are named. @throws BackupError 'usage' for a file that can't be read, or has none */
export async function trustOf(env: NodeJS.ProcessEnv): Promise<Trust | undefined> {
  const named = env['AWS_CA_BUNDLE'] || (await bundleOfProfile(env));
  if (!named) return undefined;
  const from = env['AWS_CA_BUNDLE'] ? 'AWS_CA_BUNDLE' : 'ca_bundle of the AWS profile';
  const refused = (why: string, cause?: unknown) => {
    const file = displayPath(pathFromText(named));
    const message = `The certificate authorities that ${from} names can't be used: ${file}: ${why}. Correct the name or the file.`;
    return new BackupError('usage', message, {}, { cause });
  };
  let text: string;
  try {
    text = await readFile(named, 'latin1');
  } catch (error) {
    throw refused(reasonOf(error), error);
  }
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) throw refused('it holds no certificate in PEM form');
  // The option `ca` would take the place of the system's, and a context that is added to forgets Node's own variable.
  const more = await readFile(env['NODE_EXTRA_CA_CERTS'] || '/dev/null', 'latin1').catch(() => '');
  let made: SecureContext | undefined;
  return () => {
    if (made) return made;
    try {
      for (const certificate of certificates) new X509Certificate(certificate);
    } catch (error) {
      throw refused('a certificate in it is damaged', error);
    }
    made = createSecureContext();
    made.context.addCACert([...certificates, ...(more.match(CERTIFICATE) ?? [])].join('\n'));
    return made;
  };
}

const CERTIFICATE = /-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----[\s\S]*?-----END \1-----/g;

/** The SDK reads this file too, but does not hand out what it has no use for. */
async function bundleOfProfile(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const file = env['AWS_CONFIG_FILE'] || join(env['HOME'] || homedir(), '.aws', 'config');
  const text = await readFile(file, 'utf8').catch(() => ''); // there need not be one
  const profile = env['AWS_PROFILE'] || 'default';
  let isOurs = false;
  let found: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const [, section] = /^\s*\[\s*(.*?)\s*\]/.exec(line) ?? [];
    if (section !== undefined) isOurs = nameIn(section) === profile;
    const [, value] = /^ca_bundle\s*=\s*(.*?)\s*(?:\s[#;].*)?$/.exec(line) ?? [];
    if (isOurs && value) found = value;
  }
  return found;
}

/** `default`, `profile name`, `profile "name"`. */
function nameIn(section: string): string | undefined {
  const [, name] = /^profile\s+["']?(.*?)["']?$/.exec(section) ?? [];
  return name ?? (section === 'default' ? section : undefined);
}
