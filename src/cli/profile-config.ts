/** `config check|show|schema NAME`: what a profile says, and whether it can be used. */

import { statSync } from 'node:fs';
import type { Host } from '../commands/host.ts';
import { checkSource } from '../commands/source-check.ts';
import { BackupError, exitStatus, messageOf } from '../errors.ts';
import { createSelection } from '../files/select.ts';
import { collectSets } from '../manifest/chains.ts';
import { planPrune } from '../manifest/prune.ts';
import type { ProfileTable } from '../profiles/parse.ts';
import { loadProfile, type Profile } from '../profiles/profile.ts';
import { readSecret, type SecretSource, warnOfReaders } from '../profiles/secrets.ts';
import { parseTarget } from '../storage/url.ts';
import { actions } from './actions.ts';
import { commonOptions, sampleOf, stallTimeoutMs } from './common-values.ts';
import { keyValues } from './key-values.ts';
import { logSizeOf } from './logs.ts';
import { optionNames } from './options.ts';
import { type Invocation, type OptionValue, parseStep } from './parse.ts';
import { checkTypable } from './passphrase.ts';
import { pruneWords } from './profile-run.ts';
import { backupRequest, keepRules } from './requests.ts';
import { thawTier } from './s3-values.ts';

/** @returns the exit status */
export async function config(verb: string, name: string, host: Host): Promise<number> {
  switch (verb) {
    case 'check':
      return check(loadProfile(name, { names: optionNames }, process.env), host);
    case 'show':
      {
        const text = shown(loadProfile(name, { names: optionNames }, process.env));
        await host.print(text, () => [{ type: 'profile', text }]);
      }
      return exitStatus.done;
    case 'schema': {
      const { profileSchema } = await import('../profiles/schema.ts');
      const { options } = await import('./options.ts');
      const schema = profileSchema(options);
      await host.print(`${JSON.stringify(schema, undefined, 2)}\n`, () => [{ type: 'schema', schema }]);
      return exitStatus.done;
    }
    default:
      throw new BackupError('usage', `'config' takes check, show or schema, not '${verb}'`);
  }
}

/** Reads all that the profile names, without touching source or target. */
async function check(profile: Profile, host: Host): Promise<number> {
  // Finds options with a slip.
  const backup = parseStep('backup', [profile.source, profile.target], [], profile, process.env);
  const faults: string[] = [];
  for (const source of secretsOf(profile)) {
    if (source.form === 'file') {
      const readers = warnOfReaders(source.value);
      if (readers) host.reporter.report({ level: 'warning', code: 'secret-readable', message: readers });
    }
    try {
      const secret = await readSecret(source, process.env, host.signal);
      if (source === profile.passphrase) warnOfUntypable(secret, host);
    } catch (error) {
      host.signal.throwIfAborted();
      faults.push(messageOf(error));
    }
  }
  try {
    statSync(profile.source);
  } catch (error) {
    faults.push(`the source can't be looked at: ${messageOf(error)}`);
  }
  const works = [
    () => checkMail(profile),
    () => checkPlaces(profile),
    () => checkKeys(backup.values, host),
    () => checkRequests(backup, profile, host),
    () => checkOthers(profile),
  ];
  for (const work of works) {
    try {
      await work();
    } catch (error) {
      faults.push(messageOf(error));
    }
  }
  if (faults.length > 0) throw new BackupError('usage', [...new Set(faults)].join('; '));
  const { file, source, target } = profile;
  await host.print(`${file} is well: ${source} goes to ${target}.\n`, () => [
    { type: 'profile', file, source, target },
  ]);
  return exitStatus.done;
}

/** An old archive may have such a passphrase; a new one is refused it. */
function warnOfUntypable(passphrase: Uint8Array, { reporter }: Host): void {
  try {
    checkTypable(passphrase);
  } catch (error) {
    reporter.report({ level: 'warning', code: 'passphrase-untypable', message: messageOf(error) });
  }
}

function checkPlaces({ target, check }: Profile): void {
  parseTarget(target);
  if (check !== undefined) sampleOf({ sample: check });
}

/** What a run finds out before it touches anything. */
async function checkRequests(backup: Invocation, profile: Profile, host: Host): Promise<void> {
  const { values } = backup;
  const common = commonOptions(values);
  const request = await backupRequest(backup, { common, keys: await keyValues(values) }, host);
  checkSource(request.source, request.url, createSelection(request.selection, request.source));
  logSizeOf(values);
  stallTimeoutMs(values);
  if (!profile.prune) return;
  const prune = parseStep('prune', [profile.target], pruneWords(profile), profile, process.env);
  planPrune(collectSets([]), keepRules(prune.values), 0);
}

/** Options that no run has, but some other action with this profile behind it. */
function checkOthers(profile: Profile): void {
  for (const { action, positionals } of actions) {
    if (!positionals.includes('URL')) continue;
    const places = positionals.map(name => (name === 'URL' ? profile.target : profile.source));
    const { values } = parseStep(action, places, [], profile, process.env);
    commonOptions(values);
    thawTier(values);
  }
}

function checkMail({ mail, smtp }: Profile): void {
  if (mail && (mail.to as readonly string[]).length === 0) throw new BackupError('usage', 'mail.to is empty');
  if (mail?.transport === 'smtp' && !smtp) {
    throw new BackupError('usage', 'mail.transport is "smtp", but there is no [mail.smtp] with the host');
  }
  const port = smtp?.port as number | undefined;
  if (port !== undefined && (port < 1 || port > 65535)) {
    throw new BackupError('usage', `mail.smtp.port takes 1 to 65535, not ${port}`);
  }
}

/** That something can be sealed for them; private keys need not be here. */
async function checkKeys(values: Readonly<Record<string, OptionValue>>, host: Host): Promise<void> {
  if (values['gpg-options'] !== undefined || values['gpg-binary'] !== undefined) return; // another keyring
  const { tryKey } = await import('../commands/key-trial.ts');
  for (const long of ['encrypt-key', 'hidden-encrypt-key', 'encrypt-sign-key']) {
    for (const key of [values[long] ?? []].flat()) await tryKey(String(key), new Uint8Array(), host);
  }
}

function tablesOf(profile: Profile): ProfileTable[] {
  const { s3, mail, smtp, ntfy, pings, webhooks } = profile;
  return [s3, mail, smtp, ntfy, ...pings, ...webhooks].filter(table => table !== undefined);
}

export function secretsOf(profile: Profile): SecretSource[] {
  const isSecret = (value: unknown): value is SecretSource =>
    typeof value === 'object' && value !== null && 'form' in value;
  return [profile.passphrase, profile.signPassphrase, ...tablesOf(profile).flatMap(Object.values)].filter(
    isSecret,
  );
}

/** As TOML, without what is secret; defaults filled in. */
function shown(profile: Profile): string {
  const lines = [`# ${profile.file}`];
  const row = (key: string, value: unknown) => {
    if (value === undefined) return;
    if (typeof value === 'object' && !Array.isArray(value)) {
      const { form, value: from } = value as SecretSource;
      lines.push(form === 'inline' ? `${key} = "(not shown)"` : `${key}-${form} = ${JSON.stringify(from)}`);
    } else lines.push(`${key} = ${JSON.stringify(value)}`);
  };
  row('source', profile.source);
  row('target', profile.target);
  row('schedule', profile.schedule);
  row('full-every', profile.fullEvery);
  row('check', profile.check);
  row('max-age', profile.maxAge);
  row('nice', profile.nice);
  row('metrics-file', profile.metricsFile);
  row('passphrase', profile.passphrase);
  row('sign-passphrase', profile.signPassphrase);
  const table = (name: string, values: Iterable<[string, unknown]>) => {
    lines.push('', name);
    for (const [key, value] of values) row(key, value);
  };
  if (profile.options.size > 0) table('[options]', profile.options);
  if (profile.prune) table('[prune]', profile.prune);
  const named = [
    ['[s3]', profile.s3],
    ['[mail]', profile.mail],
    ['[mail.smtp]', profile.smtp],
    ...profile.pings.map(one => ['[[ping]]', one] as const),
    ...profile.webhooks.map(one => ['[[webhook]]', one] as const),
    ['[ntfy]', profile.ntfy],
  ] as const;
  for (const [name, values] of named) if (values) table(name, Object.entries(values));
  return `${lines.join('\n')}\n`;
}
