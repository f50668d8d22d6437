/** The text of a profile that `init` writes: what was answered, and comments that say what else there is. */

import { parseCalendar } from '../schedule/calendar.ts';

export interface Answers {
  readonly source: string;
  readonly target: string;
  /** `undefined`: not encrypted. */
  readonly encryption: PassphraseAnswers | KeyAnswers | undefined;
  readonly schedule: string | undefined;
  readonly mail: MailAnswers | undefined;
  /** undefined: credentials are found elsewhere. */
  readonly s3?: { readonly accessKeyId: string; readonly secretAccessKeyFile: string } | undefined;
  /** Of the command line. */
  readonly options?: readonly (readonly [long: string, value: unknown])[];
}

export interface PassphraseAnswers {
  readonly passphraseFile: string;
  /** Nobody guesses it, however little a guess costs. */
  readonly isRandom: boolean;
}

export interface KeyAnswers {
  readonly key: string;
  /** Whether the private key is on this machine and can be used. */
  readonly opens: boolean;
  /** Of the private key; undefined if it has none, or it is not to be used here. */
  readonly passphraseFile: string | undefined;
}

export interface MailAnswers {
  readonly to: string;
  readonly from: string;
  readonly on: 'always' | 'error' | 'change';
  /** undefined: the local sendmail. */
  readonly smtp:
    | {
        readonly host: string;
        readonly port: number;
        readonly security: 'starttls' | 'tls' | 'none';
        readonly user: string | undefined;
        readonly passwordFile: string | undefined;
      }
    | undefined;
}

/** TOML; every text is quoted as a JSON string, which is a basic string of TOML as well. */
export function formatProfile(name: string, answers: Answers): string {
  const { source, target, encryption, schedule, mail, s3, options = [] } = answers;
  const text = (value: string) => JSON.stringify(value).replaceAll('\u007f', '\\u007f');
  const named = (option: string) => options.some(([long]) => long === option);
  const lines = [
    `# What "tsbackup run ${name}" does. Made by tsbackup init; edit it as you like, then: tsbackup config check ${name}`,
    '',
    `source = ${text(source)}`,
    `target = ${text(target)}`,
    '',
    ...(encryption?.passphraseFile !== undefined
      ? [
          `# Without the ${'key' in encryption ? 'private key and its ' : ''}passphrase nobody can restore: keep a copy somewhere else.`,
          `passphrase-file = ${text(encryption.passphraseFile)}`,
          '',
        ]
      : []),
    '# When "tsbackup schedule install" has it run: "Mon 21:15", "daily 03:30", "hourly".',
    schedule === undefined ? '# schedule = "daily 03:30"' : `schedule = ${text(schedule)}`,
    '',
    '# A full backup when the last one is older than that; incremental ones in between.',
    'full-every = "3M"',
    '',
    '# How much of the archive every run reads and proves, what was proved longest ago first.',
    ...(encryption && 'key' in encryption && !encryption.opens
      ? ['# Without the private key only the checksums of volumes are proved; prove the rest where it is.']
      : []),
    'check = "5%"',
    '',
    '# When "tsbackup status" calls the last backup too old.',
    `max-age = ${text(maxAgeFor(schedule))}`,
    '',
    '[options]',
    ...(encryption === undefined ? ['no-encryption = true'] : []),
    ...(encryption && 'key' in encryption ? [`encrypt-key = ${text(encryption.key)}`] : []),
    ...(encryption && 'isRandom' in encryption && encryption.isRandom && !named('gpg-options')
      ? [
          '# Each object has a key made of the passphrase. This one is random: to hash it 62 times as often, as is done without',
          '# this line, takes a small board seconds for each and makes it no harder to guess.',
          'gpg-options = "--s2k-count 1048576"',
        ]
      : []),
    ...options.map(
      ([long, value]) =>
        `${long} = ${Array.isArray(value) ? `[${value.map(text).join(', ')}]` : typeof value === 'string' ? text(value) : String(value)}`,
    ),
    '# Any option of the command line, for example:',
    '# exclude = ["**/.cache", "**/node_modules"]',
    '# volsize = 200',
    '',
    '# Which sets every run keeps; without this table all of them.',
    '# [prune]',
    '# keep-daily = 7',
    '# keep-weekly = 5',
    '# keep-monthly = 12',
    '',
    ...(s3
      ? [
          '[s3]',
          `access-key-id = ${text(s3.accessKeyId)}`,
          `secret-access-key-file = ${text(s3.secretAccessKeyFile)}`,
          '',
        ]
      : []),
    ...mailLines(mail, text),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

/** A run that was missed is made up for, or the next one does; only what is later than that is told. */
function maxAgeFor(schedule: string | undefined): string {
  const { weekdays, monthDays } =
    schedule === undefined ? { weekdays: [0], monthDays: undefined } : parseCalendar(schedule);
  return monthDays ? '33D' : weekdays ? '8D' : '3D';
}

function mailLines(mail: MailAnswers | undefined, text: (value: string) => string): string[] {
  if (!mail) {
    return ['# [mail]', '# to = ["you@example.org"]', '# on = ["error"]', '# transport = "sendmail"'];
  }
  const { to, from, on, smtp } = mail;
  const lines = [
    '[mail]',
    `to = [${text(to)}]`,
    `from = ${text(from)}`,
    '# "always", "error" (and warnings), "change" (when it is not as it was the last time)',
    `on = [${text(on)}]`,
    `transport = ${text(smtp ? 'smtp' : 'sendmail')}`,
  ];
  if (!smtp) return lines;
  return [
    ...lines,
    '',
    '[mail.smtp]',
    `host = ${text(smtp.host)}`,
    `port = ${smtp.port}`,
    `security = ${text(smtp.security)}`,
    ...(smtp.user === undefined ? [] : [`user = ${text(smtp.user)}`]),
    ...(smtp.passwordFile === undefined ? [] : [`password-file = ${text(smtp.passwordFile)}`]),
  ];
}
