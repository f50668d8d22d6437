/**
 * What someone needs who has to get a profile's backup back on a new machine, perhaps years later and without us: a
 * page to print. As blocks that text and HTML are made from.
 */

import type { Target } from '../storage/url.ts';

export type Block =
  | { readonly kind: 'title' | 'heading' | 'text'; readonly text: string }
  /** To be typed into a shell, a line each. */
  | { readonly kind: 'commands'; readonly lines: readonly string[] }
  /** What it is, and what to fill in or look up; an undefined value is a line to write on. */
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [name: string, value: string | undefined])[] }
  /** A text of several lines as it is. */
  | { readonly kind: 'verbatim'; readonly text: string };

/** A secret: where this machine has it, and itself if the page is to hold it. */
export interface KitSecret {
  /** Such as `the first line of /etc/tsbackup/photos.passphrase`; undefined: not in the profile. */
  readonly place: string | undefined;
  readonly text: string | undefined;
}

export interface KitFacts {
  readonly profile: string;
  readonly host: string;
  /** Day, as `2014-12-15`. */
  readonly made: string;
  readonly source: string;
  /** As the profile has it. */
  readonly url: string;
  readonly target: Target;
  /** Address of the S3 service; undefined for Amazon's, and for what is no S3. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  /** Options and their values that a restore needs too, such as `--file-prefix`. */
  readonly options: readonly (readonly string[])[];
  readonly protection:
    | { readonly kind: 'none' }
    | { readonly kind: 'passphrase'; readonly passphrase: KitSecret }
    | {
        readonly kind: 'keys';
        readonly keys: readonly string[];
        /** Of the private key. */
        readonly passphrase: KitSecret;
        /** Files with private keys; their content if the page is to hold it. */
        readonly files: readonly { readonly path: string; readonly text: string | undefined }[];
      };
  /** Undefined for what is no S3. */
  readonly credentials: { readonly id: string | undefined; readonly secret: KitSecret } | undefined;
}

/** The page, from top to bottom. */
export function recoveryKit(facts: KitFacts): Block[] {
  const { profile, host, made, source, protection } = facts;
  const command = (program: string, action: string, ...more: readonly string[]) =>
    [program, action, ...facts.options.flat().map(shellWord), shellWord(portableUrl(facts)), ...more].join(
      ' ',
    );
  const restores = (program: string): Block[] => [
    {
      kind: 'commands',
      lines: [
        ...prepared(facts),
        command(program, 'collection-status'),
        command(program, 'restore', '~/restored'),
      ],
    },
    { kind: 'text', text: 'A single file or folder, and as it was at another time:' },
    {
      kind: 'commands',
      lines: [
        command(program, 'list-current-files'),
        command(program, 'restore -t 2W -r some/folder', '~/restored-folder'),
      ],
    },
  ];
  return [
    { kind: 'title', text: `How to get back the backup ${profile}` },
    {
      kind: 'text',
      text: `Made on ${made}. Print this page, keep it away from the computer that it is about, and try it once a year.`,
    },
    { kind: 'heading', text: 'What there is' },
    {
      kind: 'facts',
      rows: [
        ['Backed up', `${source} of the computer ${host}`],
        ['The archive', portableUrl(facts)],
        ...(facts.endpoint === undefined ? [] : [['S3 service', facts.endpoint] as const]),
        ...(facts.region === undefined ? [] : [['S3 region', facts.region] as const]),
        ['Its format', "duplicity's: volumes that are tar files, compressed, in OpenPGP messages"],
      ],
    },
    { kind: 'heading', text: 'What you need besides' },
    ...protectedBy(protection),
    ...credentials(facts.credentials),
    ...disk(facts),
    { kind: 'heading', text: 'With duplicity' },
    {
      kind: 'text',
      text: 'It comes with Debian, Ubuntu, Fedora and others; what stands here works with version 0.8.20 and newer.',
    },
    {
      kind: 'commands',
      lines: [`sudo apt install duplicity gnupg${facts.target.scheme === 's3' ? ' python3-boto3' : ''}`],
    },
    ...restores('duplicity'),
    {
      kind: 'text',
      text: 'Where it stops with "No remote manifest name", as version 3.1 does if the last backup was cut off, take away first what that has left:',
    },
    { kind: 'commands', lines: [command('duplicity', 'cleanup --force')] },
    { kind: 'heading', text: 'With tsbackup' },
    {
      kind: 'text',
      text: `Node.js 20.15 or newer is all that it needs. Keep its package beside this page; it is unpacked anywhere, and bin/tsbackup in it is the program. The commands are the same:`,
    },
    ...restores('tsbackup'),
    { kind: 'heading', text: 'With neither' },
    {
      kind: 'text',
      text: 'Fetch the volumes of the newest full backup, named …duplicity-full.TIME.…difftar…, to a folder of their own, and take them apart: what is below snapshot/ are whole files, what is below multivol_snapshot/ are pieces of large ones, to be joined in the order of their numbers.',
    },
    {
      kind: 'commands',
      lines: [
        protection.kind === 'none'
          ? 'for volume in *.difftar.gz; do gzip -dc "$volume" | tar -xf -; done'
          : 'for volume in *.difftar.gpg; do gpg --decrypt "$volume" | tar -xf -; done',
        'cd multivol_snapshot/some/folder/file; ls | sort -n | xargs cat > ~/file',
      ],
    },
    {
      kind: 'text',
      text: 'Do the same with each backup that follows, named …duplicity-inc.TIME.to.TIME.…difftar…, oldest first and each in a folder of its own: what is below snapshot/ is new or takes the place of what was there, what is below deleted/ is gone, and what is below diff/ (or, in pieces, multivol_diff/) makes the newer file of the older one, by the program rdiff:',
    },
    { kind: 'commands', lines: ['rdiff patch ~/file diff/some/folder/file ~/newer-file'] },
  ];
}

/** The URL as all versions of both programs take it: the service, where the URL names one, is an option. */
function portableUrl({ url, target }: KitFacts): string {
  if (target.scheme !== 's3') return url;
  return `boto3+s3://${[target.bucket, target.prefix].filter(part => part !== '').join('/')}`;
}

function protectedBy(protection: KitFacts['protection']): Block[] {
  switch (protection.kind) {
    case 'none':
      return [{ kind: 'text', text: 'The archive is not encrypted: whoever has it can read it.' }];
    case 'passphrase':
      return [secret('The passphrase', protection.passphrase), warning('the passphrase')];
    case 'keys':
      return [
        { kind: 'facts', rows: [['Encrypted to', protection.keys.join(', ')]] },
        ...protection.files.flatMap(({ path, text }): Block[] => [
          { kind: 'facts', rows: [['A private key', `in the file ${path}; keep a copy of that file too`]] },
          ...(text === undefined ? [] : [{ kind: 'verbatim', text } as const]),
        ]),
        {
          kind: 'text',
          text: "A private key in gpg's keyring is written to a file, and read in on the new machine, with:",
        },
        {
          kind: 'commands',
          lines: ['gpg --export-secret-keys --armor KEY > private-key.asc', 'gpg --import private-key.asc'],
        },
        secret('Its passphrase', protection.passphrase),
        warning('a private key'),
      ];
  }
}

function warning(what: string): Block {
  return { kind: 'text', text: `Without ${what} nobody can read the backup, whoever they ask.` };
}

function secret(name: string, { place, text }: KitSecret): Block {
  const where = place === undefined ? [] : [[`${name} is kept`, `on this computer, ${place}`] as const];
  return { kind: 'facts', rows: [[name, text], ...where] };
}

function credentials(given: KitFacts['credentials']): Block[] {
  if (!given) return [];
  return [
    { kind: 'facts', rows: [['S3 access key id', given.id]] },
    secret('S3 secret access key', given.secret),
    {
      kind: 'text',
      text: 'If they are lost, the account at the S3 service makes new ones; its name and who pays for it:',
    },
    { kind: 'facts', rows: [['Account', undefined]] },
  ];
}

function disk({ target }: KitFacts): Block[] {
  if (target.scheme !== 'file') return [];
  return [
    {
      kind: 'text',
      text: 'The disk with the archive. Where it is mounted in another place, that place goes into the URL: file:///other/place.',
    },
    { kind: 'facts', rows: [['The disk is', undefined]] },
  ];
}

/** What a shell has to know before either program is called. Secrets are typed, so that no history keeps them. */
function prepared({ protection, credentials }: KitFacts): string[] {
  const asked = (name: string) => `read -rsp '${name}: ' ${name}; export ${name}`;
  return [
    ...(protection.kind === 'none' ? [] : [asked('PASSPHRASE')]),
    ...(credentials
      ? [
          credentials.id === undefined
            ? asked('AWS_ACCESS_KEY_ID')
            : `export AWS_ACCESS_KEY_ID=${shellWord(credentials.id)}`,
          asked('AWS_SECRET_ACCESS_KEY'),
        ]
      : []),
  ];
}

/** As one word for a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
