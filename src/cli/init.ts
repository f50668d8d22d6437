/** `init [NAME]`: a few questions, the answers tried, and a profile written. */

import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathFromText } from '../bytes.ts';
import type { Host } from '../commands/host.ts';
import { tryKey } from '../commands/key-trial.ts';
import { probe } from '../commands/probe.ts';
import { checkSource } from '../commands/source-check.ts';
import { BackupError, exitStatus, messageOf, systemCode } from '../errors.ts';
import { createSelection } from '../files/select.ts';
import { sendMail } from '../notices/mail.ts';
import { atHome } from '../profiles/home.ts';
import { SENDMAIL } from '../profiles/notice-settings.ts';
import { profileFolder, profileNames, requireProfileName } from '../profiles/places.ts';
import { readProfile } from '../profiles/profile.ts';
import { type Answers, formatProfile, type MailAnswers } from '../profiles/template.ts';
import { parseCalendar } from '../schedule/calendar.ts';
import { isTargetUrl, parseTarget } from '../storage/url.ts';
import { requireWritable, writeFiles } from './init-files.ts';
import { placedIn } from './layers.ts';
import { optionNames, options } from './options.ts';
import type { OptionValue } from './parse.ts';
import { checkTypable } from './passphrase.ts';
import { createQuestions, type Questions } from './questions.ts';
import { s3Options } from './s3-values.ts';

/** @returns the exit status */
export async function init(
  given: string | undefined,
  values: Readonly<Record<string, OptionValue>>,
  host: Host,
): Promise<number> {
  const questions = createQuestions(process.stdin, process.stderr, host.signal);
  try {
    return await ask(given, values, questions, host);
  } finally {
    questions.close();
  }
}

async function ask(
  given: string | undefined,
  values: Readonly<Record<string, OptionValue>>,
  questions: Questions,
  host: Host,
): Promise<number> {
  const folder = profileFolder(process.env, process.geteuid?.());
  if (given !== undefined) requireProfileName(given);
  requireWritable(folder);
  const freeName = (name: string) => {
    requireProfileName(name);
    if (profileNames(process.env).includes(name)) {
      throw new BackupError('usage', `there is a profile ${name} already; edit it, or take another name`);
    }
    return name;
  };
  const name =
    given === undefined ? await questions.askFor('Name of the profile', 'home', freeName) : freeName(given);
  const source = await questions.askFor('What to back up', process.env.HOME, sourceOf);
  const secrets = new Map<string, string>();
  const keepAs = (what: string) => (text: string) => {
    const path = join(folder, `${name}.${what}`);
    secrets.set(path, text);
    return path;
  };
  const { target, s3, needed } = await questions.askFor(
    'Where to (a folder, or s3://bucket/prefix)',
    undefined,
    text => askTarget(text, source, values, questions, host, keepAs('s3')),
  );
  const encryption = await askEncryption(questions, host, keepAs('passphrase'));
  const schedule = await questions.askFor(
    'When ("Mon 21:15", "daily 03:30", "hourly", or "never")',
    'daily 03:30',
    text => {
      if (text === 'never') return undefined;
      parseCalendar(text);
      return text;
    },
  );
  let status: number = exitStatus.done;
  const mail = await questions.askFor('Who gets a mail (an address; empty: nobody)', '', async to => {
    const answers = await askMail(to, questions, keepAs('mail'));
    if (!answers) return undefined;
    try {
      await tryMail(answers, { name, source }, questions, host.signal);
    } catch (error) {
      if (questions.isPerson) throw error;
      status = exitStatus.failed;
      host.reporter.report({ level: 'warning', code: 'notice-failed', message: messageOf(error) });
    }
    return answers.mail;
  });

  const answers: Answers = {
    ...{ source, target, encryption, schedule, mail, s3 },
    options: [...new Map([...kept(values), ...needed])],
  };
  const file = join(folder, `${name}.toml`);
  const text = formatProfile(name, answers);
  readProfile(name, file, text, { names: optionNames }); // that it can be read is not for the first run to find out
  writeFiles([...[...secrets].map(([path, secret]) => [path, `${secret}\n`] as const), [file, text]]);
  questions.say(`Written: ${[file, ...secrets.keys()].join(', ')}`);

  questions.say('');
  if (encryption && 'key' in encryption) {
    questions.say(
      'Keep a copy of the private key somewhere else than on this machine: recovery-kit says how.',
    );
  } else if (encryption) {
    questions.say(
      `Keep a copy of the passphrase somewhere else than on this machine: it is in ${encryption.passphraseFile}.`,
    );
  }
  questions.say(`The first backup:           tsbackup run ${name}`);
  if (schedule !== undefined) questions.say(`From then on by itself:     tsbackup schedule install ${name}`);
  questions.say(`A page for the worst case:  tsbackup recovery-kit ${name}`);
  questions.say(`To get everything back:     tsbackup restore --profile ${name} FOLDER`);
  return status;
}

function sourceOf(text: string): string {
  const path = resolve(atHome(text));
  try {
    statSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new BackupError('usage', `there is no ${path}`);
    throw new BackupError('usage', `${path} can't be looked at: ${messageOf(error)}`);
  }
  return path;
}

function targetOf(text: string): string {
  if (text === '') throw new BackupError('usage', 'a backup has to go somewhere');
  const url = isTargetUrl(text) ? text : `file://${resolve(atHome(text))}`;
  parseTarget(url);
  return url;
}

/** What was typed for this call alone; all else is the profile's. */
const ofThisCall = ['verbosity', 'json', 'progress', 'current-time', 'duplicity-exit-codes'].concat(
  ...['log-fd', 'log-timestamp'],
);

/** Options for the profile: what was typed here means the same there. */
function kept(values: Readonly<Record<string, OptionValue>>): (readonly [long: string, value: unknown])[] {
  return options.flatMap(option => {
    const value = values[option.long];
    if (value === undefined || ofThisCall.includes(option.long) || !optionNames.includes(option.long))
      return [];
    const placed = (text: string) => placedIn(process.cwd(), option, text);
    const isText = typeof value === 'string';
    return [[option.long, isText ? placed(value) : Array.isArray(value) ? value.map(placed) : value]];
  });
}

interface TargetAnswers {
  readonly target: string;
  readonly s3: Answers['s3'];
  /** Options that the target needs. */
  readonly needed: readonly (readonly [long: string, value: string])[];
}

async function askTarget(
  text: string,
  source: string,
  values: Readonly<Record<string, OptionValue>>,
  questions: Questions,
  { reporter, signal }: Host,
  keep: (secret: string) => string,
): Promise<TargetAnswers> {
  const target = targetOf(text);
  checkSource(pathFromText(source), target, createSelection([], pathFromText(source)));
  const s3 = parseTarget(target).scheme === 'file' ? undefined : await askCredentials(questions, keep);
  const result = await probe({ url: target, s3: s3Options(values) }, { reporter, signal, print() {} });
  const needed = result.options.map(option => option.replace(/^--/, ''));
  if (needed.includes('s3-unencrypted-connection')) {
    throw new BackupError(
      'target-unreachable',
      `${target} answers without TLS only; if that is meant, call tsbackup init with --s3-unencrypted-connection`,
    );
  }
  if (!result.usable) {
    const failed = result.steps.find(({ outcome }) => outcome === 'fails');
    throw new BackupError('target-unreachable', `${target} can't be used: ${failed?.detail}`);
  }
  questions.say('The target takes, keeps and gives back what is stored there.');
  return { target, s3, needed: needed.map(option => option.split('=') as [string, string]) };
}

/** The environment or a shared configuration may have them already. */
async function askCredentials(
  questions: Questions,
  keep: (secret: string) => string,
): Promise<Answers['s3']> {
  const id = await questions.ask('Access key id (empty: as the AWS tools find it)', '');
  if (id === '') {
    if (process.env.AWS_ACCESS_KEY_ID !== undefined) {
      questions.say(
        'The environment has them now; a run by schedule would not: ~/.aws/credentials is for that.',
      );
    }
    return undefined;
  }
  const secret = await questions.askHidden('Its secret');
  process.env.AWS_ACCESS_KEY_ID = id;
  process.env.AWS_SECRET_ACCESS_KEY = secret;
  return { accessKeyId: id, secretAccessKeyFile: keep(secret) };
}

async function askEncryption(
  questions: Questions,
  host: Host,
  keep: (secret: string) => string,
): Promise<Answers['encryption']> {
  const kind = await questions.askFor(
    'Encrypt with: passphrase, generated (a passphrase made up now), key (of gpg), none',
    'passphrase',
    text => {
      const found = ['passphrase', 'generated', 'key', 'none'].find(
        known => text !== '' && known.startsWith(text),
      );
      if (!found) throw new BackupError('usage', `'${text}' is none of these`);
      return found;
    },
  );
  switch (kind) {
    case 'none':
      return undefined;
    case 'key':
      return questions.askFor('Which key (id, e-mail address or key file)', undefined, key =>
        askKey(key, questions, host, keep),
      );
    case 'generated':
      // 20 characters of 32: 100 bits; without those that look alike.
      return { passphraseFile: keep(generated(host.random(20))), isRandom: true };
    default:
      for (;;) {
        const first = await questions.askHidden('Passphrase');
        if (first === '') {
          questions.say('An empty passphrase would protect nothing.');
          if (!process.stdin.isTTY) throw new BackupError('passphrase-missing', 'the passphrase is empty');
          continue;
        }
        if ((await questions.askHidden('The same once more')) === first) {
          checkTypable(Buffer.from(first));
          return { passphraseFile: keep(first), isRandom: false };
        }
        if (!process.stdin.isTTY) throw new BackupError('usage', 'the two passphrases differ');
        questions.say('The two differ; once more.');
      }
  }
}

/** A machine that backs up need not have the private key; it can't check then. */
async function askKey(
  typed: string,
  questions: Questions,
  host: Host,
  keep: (secret: string) => string,
): Promise<Answers['encryption']> {
  if (typed === '') throw new BackupError('usage', 'this has to be answered');
  const key = /[/~]/.test(typed) ? resolve(atHome(typed)) : typed;
  await tryKey(key, Buffer.alloc(0), host); // before a passphrase is asked for
  const passphrase = await questions.askHidden(
    'Passphrase of its private key (empty: it has none, or is not on this machine)',
  );
  const { opens, why } = await tryKey(key, Buffer.from(passphrase), host);
  if (!opens && passphrase !== '') throw new BackupError('wrong-passphrase', why);
  if (!opens)
    questions.say('Backups can be made with this key, but not opened here: checks prove only checksums.');
  return { key, opens, passphraseFile: passphrase === '' ? undefined : keep(passphrase) };
}

const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';

function generated(random: Uint8Array): string {
  const letters = [...random].map(byte => ALPHABET[byte % ALPHABET.length]!).join('');
  return letters.replace(/.{5}(?=.)/g, '$&-');
}

interface MailToTry {
  readonly mail: MailAnswers;
  readonly password: string;
}

async function askMail(
  to: string,
  questions: Questions,
  keep: (secret: string) => string,
): Promise<MailToTry | undefined> {
  if (to === '') return undefined;
  const when = await questions.askFor('When: always, error, change', 'always', text => {
    const found = (['always', 'error', 'change'] as const).find(known => known === text);
    if (!found) throw new BackupError('usage', `'${text}' is none of these`);
    return found;
  });
  const from = await questions.ask('From which address', to);
  const host = await questions.ask('Mail server (its name; empty: the local sendmail)', '');
  if (host === '') return { mail: { to, from, on: when, smtp: undefined }, password: '' };
  const port = await questions.askFor('Its port', '587', text => {
    if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > 65535)
      throw new BackupError('usage', `'${text}' is no port`);
    return Number(text);
  });
  const security = await questions.askFor(
    'Encryption: starttls, tls, none',
    port === 465 ? 'tls' : port === 25 ? 'none' : 'starttls',
    text => {
      const found = (['starttls', 'tls', 'none'] as const).find(known => known === text);
      if (!found) throw new BackupError('usage', `'${text}' is none of these`);
      return found;
    },
  );
  const user = await questions.ask('User (empty: without login)', '');
  const password = user === '' ? '' : await questions.askHidden('Password');
  const smtp = {
    ...{ host, port, security, user: user === '' ? undefined : user },
    passwordFile: user === '' ? undefined : keep(password),
  };
  return { mail: { to, from, on: when, smtp }, password };
}

/** @throws BackupError `notice-failed` */
async function tryMail(
  { mail, password }: MailToTry,
  { name, source }: { readonly name: string; readonly source: string },
  questions: Questions,
  signal: AbortSignal,
): Promise<void> {
  if (!(await questions.ask('Send a test mail now (yes, no)', 'yes')).startsWith('y')) return;
  const { to, from, smtp } = mail;
  const transport = smtp
    ? { ...smtp, password: smtp.user === undefined ? undefined : async () => password }
    : { sendmail: SENDMAIL };
  const subject = `[test] backup ${name}`;
  const body = `This is how tsbackup will tell you of the backup ${name} of ${source}.\n`;
  await sendMail({ from, to: [to], subject, body }, transport, signal, []);
  questions.say(`A test mail is on its way to ${to}.`);
}
