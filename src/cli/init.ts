/** `init [NAME]`: a few questions, the answers tried, and a profile written. */

import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Host } from '../commands/host.ts';
import { probe } from '../commands/probe.ts';
import { BackupError, exitStatus, messageOf, systemCode } from '../errors.ts';
import { sendMail } from '../notices/mail.ts';
import { noticeSettings } from '../profiles/notice-settings.ts';
import { atHome } from '../profiles/parse.ts';
import { profileFolder, profileNames, requireProfileName } from '../profiles/places.ts';
import { loadProfile } from '../profiles/profile.ts';
import { type Answers, formatProfile, type MailAnswers } from '../profiles/template.ts';
import { parseCalendar } from '../schedule/calendar.ts';
import type { S3Options } from '../storage/s3-options.ts';
import { isTargetUrl, parseTarget } from '../storage/url.ts';
import { optionNames } from './options.ts';
import type { OptionValue } from './parse.ts';
import { createQuestions, type Questions } from './questions.ts';
import { s3Options } from './s3-values.ts';

/** @returns the exit status */
export async function init(
  given: string | undefined,
  values: Readonly<Record<string, OptionValue>>,
  host: Host,
): Promise<number> {
  const questions = createQuestions(process.stdin, process.stderr);
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
  const target = await questions.askFor('Where to (a folder, or s3://bucket/prefix)', undefined, targetOf);
  const secrets: { path: string; text: string }[] = [];
  const keepAs = (what: string) => (text: string) => {
    const path = join(folder, `${name}.${what}`);
    secrets.push({ path, text });
    return path;
  };
  const s3 = target.startsWith('file:') ? undefined : await askCredentials(questions, keepAs('s3'));
  await tryTarget(target, s3Options(values), questions, host);

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
  const mail = await askMail(questions, keepAs('mail'));

  const options = Object.entries(values).filter(([long]) => long.startsWith('s3-'));
  const answers: Answers = { source, target, encryption, schedule, mail, s3, options };
  const file = join(folder, `${name}.toml`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const { path, text } of secrets) write(path, `${text}\n`);
  write(file, formatProfile(name, answers));
  const profile = loadProfile(name, { names: optionNames }, process.env);
  questions.say(`Written: ${[file, ...secrets.map(({ path }) => path)].join(', ')}`);

  let status: number = exitStatus.done;
  if (mail && (await questions.ask('Send a test mail now (yes, no)', 'yes')).startsWith('y')) {
    const settings = noticeSettings(profile, process.env).mail!;
    const subject = `[test] backup ${name}`;
    const body = `This is how tsbackup will tell you of the backup ${name} of ${source}.\n`;
    try {
      await sendMail(
        { from: settings.from, to: settings.to, subject, body },
        settings.transport,
        host.signal,
        [],
      );
      questions.say(`A test mail is on its way to ${settings.to.join(', ')}.`);
    } catch (error) {
      status = exitStatus.failed;
      host.reporter.report({ level: 'warning', code: 'notice-failed', message: messageOf(error) });
    }
  }
  questions.say('');
  if (encryption && 'passphraseFile' in encryption) {
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

/** The environment or a shared configuration may have them already. */
async function askCredentials(
  questions: Questions,
  keep: (secret: string) => string,
): Promise<Answers['s3']> {
  const id = await questions.ask('Access key id (empty: as the AWS tools find it)', '');
  if (id === '') return undefined;
  const secret = await questions.askHidden('Its secret');
  process.env.AWS_ACCESS_KEY_ID ??= id;
  process.env.AWS_SECRET_ACCESS_KEY ??= secret;
  return { accessKeyId: id, secretAccessKeyFile: keep(secret) };
}

async function tryTarget(
  url: string,
  s3: S3Options,
  questions: Questions,
  { reporter, signal }: Host,
): Promise<void> {
  const { usable, advice } = await tried();
  if (!usable) throw new BackupError('target-unreachable', advice);
  questions.say('The target takes, keeps and gives back what is stored there.');

  async function tried(): Promise<{ usable: boolean; advice: string }> {
    const lines: string[] = [];
    const result = await probe({ url, s3 }, { reporter, signal, print: line => void lines.push(line) });
    return {
      usable: result.usable,
      advice: `${url} can't be used; tsbackup probe says why: ${lines.at(-1)}`,
    };
  }
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
      return {
        key: await questions.askFor('Which key (id, e-mail address or key file)', undefined, notEmpty),
      };
    case 'generated':
      // 20 characters of 32: 100 bits; without those that look alike.
      return { passphraseFile: keep(generated(host.random(20))) };
    default:
      for (;;) {
        const first = await questions.askHidden('Passphrase');
        if (first === '') {
          questions.say('An empty passphrase would protect nothing.');
          if (!process.stdin.isTTY) throw new BackupError('passphrase-missing', 'the passphrase is empty');
          continue;
        }
        if ((await questions.askHidden('The same once more')) === first)
          return { passphraseFile: keep(first) };
        if (!process.stdin.isTTY) throw new BackupError('usage', 'the two passphrases differ');
        questions.say('The two differ; once more.');
      }
  }
}

const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';

function generated(random: Uint8Array): string {
  const letters = [...random].map(byte => ALPHABET[byte % ALPHABET.length]!).join('');
  return letters.replace(/.{5}(?=.)/g, '$&-');
}

function notEmpty(text: string): string {
  if (text === '') throw new BackupError('usage', 'this has to be answered');
  return text;
}

async function askMail(
  questions: Questions,
  keep: (secret: string) => string,
): Promise<MailAnswers | undefined> {
  const to = await questions.ask('Who gets a mail (an address; empty: nobody)', '');
  if (to === '') return undefined;
  const when = await questions.askFor('When: always, error, change', 'always', text => {
    const found = (['always', 'error', 'change'] as const).find(known => known === text);
    if (!found) throw new BackupError('usage', `'${text}' is none of these`);
    return found;
  });
  const from = await questions.ask('From which address', to);
  const host = await questions.ask('Mail server (its name; empty: the local sendmail)', '');
  if (host === '') return { to, from, on: when, smtp: undefined };
  const port = await questions.askFor('Its port', '587', text => {
    if (!/^\d{1,5}$/.test(text)) throw new BackupError('usage', `'${text}' is no port`);
    return Number(text);
  });
  const security = await questions.askFor(
    'Encryption: starttls, tls, none',
    port === 465 ? 'tls' : port === 25 ? 'none' : 'starttls',
    text => {
      if (!['starttls', 'tls', 'none'].includes(text))
        throw new BackupError('usage', `'${text}' is none of these`);
      return text;
    },
  );
  const user = await questions.ask('User (empty: without login)', '');
  const password = user === '' ? '' : await questions.askHidden('Password');
  return {
    ...{ to, from, on: when },
    smtp: {
      ...{ host, port, security, user: user === '' ? undefined : user },
      passwordFile: user === '' ? undefined : keep(password),
    },
  };
}

/** Secrets and profiles are their owner's alone. */
function write(path: string, text: string): void {
  if (existsSync(path))
    throw new BackupError('usage', `${path} is there already; remove it, or take another name`);
  try {
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' });
    chmodSync(path, 0o600);
  } catch (error) {
    throw new BackupError('local-io', `can't write ${path}: ${messageOf(error)}`);
  }
}
