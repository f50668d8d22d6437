/**
 * What a profile can hold, once, as data: the parser, the JSON Schema for editors, and the comments of a profile that
 * `init` writes are made from this table. A profile is TOML; options of the command line go into its table `[options]`.
 */

export type KeyKind =
  | 'text'
  /** One text or a list of them. */
  | 'texts'
  /** `~/` is the home folder; relative to the folder of the profile. */
  | 'path'
  | 'count'
  /** 1M, 3D, 1W2D … */
  | 'interval'
  /** `Mon 21:15`; see schedule/calendar.ts. */
  | 'calendar'
  /** Text that must not be seen: under this name in the profile only if the user insists; see secrets.ts. */
  | 'secret'
  /** An address that may be secret: given as a secret is, or openly. */
  | 'address';

export interface KeySpec {
  readonly key: string;
  readonly kind: KeyKind;
  readonly choices?: readonly string[];
  readonly required?: boolean;
  /** A sentence for people, without its full stop. */
  readonly help: string;
}

export interface TableSpec {
  /** '' for the top of the file; dots where it lies in another one. */
  readonly table: string;
  /** `[[table]]`: there may be several. */
  readonly many?: boolean;
  readonly help: string;
  readonly keys: readonly KeySpec[];
}

const url = 'URL it is sent to; better in a file (url-file) if it says who you are';

export const tables: readonly TableSpec[] = [
  {
    table: '',
    help: 'A backup that is made again and again',
    keys: [
      { key: 'source', kind: 'path', required: true, help: 'folder or file to back up' },
      { key: 'target', kind: 'text', required: true, help: 'URL of the archive: file:// or s3://' },
      { key: 'schedule', kind: 'calendar', help: 'when `tsbackup schedule install` has it run: Mon 21:15' },
      { key: 'full-every', kind: 'interval', help: 'a full backup when the last one is older than that: 3M' },
      { key: 'check', kind: 'text', help: 'how much of the archive every run proves: 5% or 2G' },
      { key: 'max-age', kind: 'interval', help: 'when status calls the last backup too old: 8D' },
      { key: 'nice', kind: 'count', help: 'priority of runs, 0 to 19 (10); 0 leaves it as it is' },
      { key: 'metrics-file', kind: 'path', help: "where metrics go for Prometheus's node_exporter" },
      { key: 'passphrase', kind: 'secret', help: 'passphrase of the archive' },
      { key: 'sign-passphrase', kind: 'secret', help: 'passphrase of the key that signs' },
    ],
  },
  {
    table: 'prune',
    help: 'Which sets every run keeps, as `tsbackup prune` explains; all of them without this table',
    keys: (['last', 'daily', 'weekly', 'monthly', 'yearly', 'full-min'] as const)
      .map((rule): KeySpec => ({ key: `keep-${rule}`, kind: 'count', help: `as --keep-${rule}` }))
      .concat({ key: 'keep-within', kind: 'interval', help: 'as --keep-within' }),
  },
  {
    table: 's3',
    help: 'Credentials, where the environment and the shared configuration of AWS have none',
    keys: [
      { key: 'access-key-id', kind: 'text', help: 'name of the access key' },
      { key: 'secret-access-key', kind: 'secret', help: 'its secret' },
      { key: 'profile', kind: 'text', help: "a profile of AWS's shared configuration instead" },
    ],
  },
  {
    table: 'mail',
    help: 'A mail at the end of runs',
    keys: [
      { key: 'to', kind: 'texts', required: true, help: 'who gets it' },
      { key: 'from', kind: 'text', help: 'who it is from; default: the first of `to`' },
      {
        ...{ key: 'on', kind: 'texts', choices: ['always', 'error', 'change'] },
        help: 'when: always, on errors and warnings, or when the verdict changes (always)',
      },
      { key: 'transport', kind: 'text', choices: ['smtp', 'sendmail'], help: 'how it is sent (smtp)' },
      { key: 'sendmail', kind: 'path', help: 'the sendmail program (/usr/sbin/sendmail)' },
    ],
  },
  {
    table: 'mail.smtp',
    help: 'The server that takes the mail',
    keys: [
      { key: 'host', kind: 'text', required: true, help: 'its name' },
      { key: 'port', kind: 'count', help: 'its port (587 for starttls, 465 for tls, 25 for none)' },
      {
        ...{ key: 'security', kind: 'text', choices: ['starttls', 'tls', 'none'] },
        help: 'how the connection is encrypted (starttls)',
      },
      { key: 'user', kind: 'text', help: 'who logs in' },
      { key: 'password', kind: 'secret', help: 'with which password' },
      { key: 'ca-file', kind: 'path', help: 'certificates to trust besides those of the system' },
    ],
  },
  {
    ...{ table: 'ping', many: true },
    help: 'A service that waits for a sign of life, as healthchecks.io does',
    keys: [{ key: 'url', kind: 'address', required: true, help: url }],
  },
  {
    ...{ table: 'webhook', many: true },
    help: 'A service that takes the result as JSON',
    keys: [
      { key: 'url', kind: 'address', required: true, help: url },
      { key: 'authorization', kind: 'secret', help: 'value of the header Authorization' },
    ],
  },
  {
    table: 'ntfy',
    help: 'A notice on a phone through ntfy',
    keys: [
      { key: 'url', kind: 'address', required: true, help: 'https://ntfy.sh/TOPIC' },
      { key: 'token', kind: 'secret', help: 'access token' },
      {
        ...{ key: 'on', kind: 'texts', choices: ['always', 'error', 'change'] },
        help: 'when, as for mail (error)',
      },
    ],
  },
];

/** Whether it may be given in these forms. */
export function hasForms(kind: KeyKind): boolean {
  return kind === 'secret' || kind === 'address';
}

/** How a secret `X` is given: as `X-file = "…"` and so on. */
export const secretForms = ['file', 'command', 'env', 'credential'] as const;
export type SecretForm = (typeof secretForms)[number];

/** What has to stand at the top of a profile that holds secrets itself. */
export const INLINE_SECRETS = 'secrets-in-this-file';
