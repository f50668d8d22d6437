/** The text of a profile that `init` writes: what was answered, and comments that say what else there is. */

export interface Answers {
  readonly source: string;
  readonly target: string;
  /** `undefined`: not encrypted. */
  readonly encryption: { readonly passphraseFile: string } | { readonly key: string } | undefined;
  readonly schedule: string | undefined;
  readonly mail: MailAnswers | undefined;
  /** undefined: credentials are found elsewhere. */
  readonly s3?: { readonly accessKeyId: string; readonly secretAccessKeyFile: string } | undefined;
  /** Of the command line. */
  readonly options?: readonly (readonly [long: string, value: unknown])[];
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
        readonly security: string;
        readonly user: string | undefined;
        readonly passwordFile: string | undefined;
      }
    | undefined;
}

/** TOML; every text is quoted as a JSON string, which is a basic string of TOML as well. */
export function formatProfile(name: string, answers: Answers): string {
  const { source, target, encryption, schedule, mail, s3, options = [] } = answers;
  const text = (value: string) => JSON.stringify(value).replaceAll('\u007f', '\\u007f');
  const lines = [
    `# What "tsbackup run ${name}" does. Made by tsbackup init; edit it as you like, then: tsbackup config check ${name}`,
    '',
    `source = ${text(source)}`,
    `target = ${text(target)}`,
    '',
    ...(encryption && 'passphraseFile' in encryption
      ? [
          '# Without the passphrase nobody can restore: keep a copy of it somewhere else.',
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
    'check = "5%"',
    '',
    '# When "tsbackup status" calls the last backup too old.',
    'max-age = "8D"',
    '',
    '[options]',
    ...(encryption === undefined ? ['no-encryption = true'] : []),
    ...(encryption && 'key' in encryption ? [`encrypt-key = ${text(encryption.key)}`] : []),
    ...options.map(([long, value]) => `${long} = ${typeof value === 'string' ? text(value) : String(value)}`),
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
