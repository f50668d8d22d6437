/**
 * The command line as data: every action and option once, with its help. The parser, the help text and the
 * documentation are made from this table.
 */

export type Action =
  | 'full'
  | 'incremental'
  | 'backup'
  | 'restore'
  | 'verify'
  | 'check'
  | 'collection-status'
  | 'list-current-files'
  | 'probe'
  | 'remove-older-than'
  | 'remove-all-but-n-full'
  | 'remove-all-inc-of-but-n-full'
  | 'cleanup'
  | 'prune'
  | 'replicate'
  | 'run'
  | 'init'
  | 'config'
  | 'schedule'
  | 'status'
  | 'recovery-kit'
  | 'completion';

/** What ends with `?` may be left out. */
export type Positional =
  | 'SOURCE'
  | 'URL'
  | 'DIR'
  | 'TIME'
  | 'N'
  | 'VERB'
  | 'NAME'
  | 'NAME?'
  | 'SHELL'
  | 'URL2';

export interface ActionSpec {
  readonly action: Action;
  /** Positional arguments in order. */
  readonly positionals: readonly Positional[];
  /** Actions whose options it takes as well: it has them done. */
  readonly does?: readonly Action[];
  readonly summary: string;
  /** More than the summary, for the action's own help. */
  readonly detail: string;
  /** Whether standard output carries data, so that notices go to standard error. */
  readonly dataOnStdout: boolean;
}

export const actions: readonly ActionSpec[] = [
  {
    action: 'backup',
    positionals: ['SOURCE', 'URL'],
    summary: 'back up a folder or file (the action when only SOURCE and URL are given)',
    detail:
      'Stores what has changed since the last backup of SOURCE at URL; the first one is full.\n\nExample:\n  tsbackup ~/Pictures file:///mnt/nas/pictures',
    dataOnStdout: false,
  },
  {
    action: 'incremental',
    positionals: ['SOURCE', 'URL'],
    summary: 'store what has changed since the last backup',
    detail:
      'Continues the newest chain at URL; an error if there is none.\n\nExample:\n  tsbackup incremental ~/Pictures file:///mnt/nas/pictures',
    dataOnStdout: false,
  },
  {
    action: 'full',
    positionals: ['SOURCE', 'URL'],
    summary: 'back up everything, beginning a new chain',
    detail:
      'Stores every file of SOURCE at URL, whatever is there already.\n\nExamples:\n  tsbackup full ~/Pictures file:///mnt/nas/pictures\n  tsbackup full --volsize 50 "/srv/my data" "file://backups/my data"',
    dataOnStdout: false,
  },
  {
    action: 'restore',
    positionals: ['URL', 'DIR'],
    summary: 'get a backup, or one file of it, back into DIR',
    detail:
      'DIR must be absent or an empty folder, unless --force is given: then files of the same name are replaced and all\nothers are kept.\n\nExamples:\n  tsbackup restore file:///mnt/nas/pictures ~/restored\n  tsbackup restore -t 3D --path-to-restore 2014/summer file:///mnt/nas/pictures ~/summer',
    dataOnStdout: false,
  },
  {
    action: 'verify',
    positionals: ['URL', 'DIR'],
    summary: 'prove that a backup can be restored; with --compare-data, that it equals DIR',
    detail:
      'Reads, hashes, decrypts and rebuilds everything in the archive. Contents of DIR are looked at only with\n--compare-data; the last line says which of the two was done.\n\nExample:\n  tsbackup verify --compare-data file:///mnt/nas/pictures ~/Pictures',
    dataOnStdout: false,
  },
  {
    action: 'check',
    positionals: ['URL'],
    summary: 'prove an archive as it is at URL, all of it or a sample at a time',
    detail:
      'Fetches, hashes, decrypts and takes apart what is there, and makes sure that every delta has its base: everything\nis proved at all its times. With --sample what was proved longest ago comes first, so that runs one after the other\ncover all. Names the files and times that are lost by what is damaged or missing, and says when each volume was last\nproved.\n\nExamples:\n  tsbackup check file:///mnt/nas/pictures\n  tsbackup check --sample 5% s3://bucket/pictures',
    dataOnStdout: true,
  },
  {
    action: 'collection-status',
    positionals: ['URL'],
    summary: 'show the backup chains and sets at URL',
    detail:
      'Needs no passphrase, but for the lists of what has changed.\n\nExamples:\n  tsbackup collection-status file:///mnt/nas/pictures\n  tsbackup collection-status --show-changes-in-set 0 file:///mnt/nas/pictures',
    dataOnStdout: true,
  },
  {
    action: 'list-current-files',
    positionals: ['URL'],
    summary: 'list the files in a backup',
    detail:
      'One line per entry: date, then the path as it is stored.\n\nExample:\n  tsbackup list-current-files -t 2024-12-24 file:///mnt/nas/pictures',
    dataOnStdout: true,
  },
  {
    action: 'remove-older-than',
    positionals: ['TIME', 'URL'],
    summary: 'remove backup chains that ended before TIME',
    detail:
      'Whole chains only, and never the newest. Without --force it only shows what would go.\n\nExample:\n  tsbackup remove-older-than 6M --force file:///mnt/nas/pictures',
    dataOnStdout: true,
  },
  {
    action: 'remove-all-but-n-full',
    positionals: ['N', 'URL'],
    summary: 'remove the chains before the newest N full backups',
    detail:
      'Without --force it only shows what would go.\n\nExample:\n  tsbackup remove-all-but-n-full 3 --force file:///mnt/nas/pictures',
    dataOnStdout: true,
  },
  {
    action: 'remove-all-inc-of-but-n-full',
    positionals: ['N', 'URL'],
    summary: 'remove the incrementals of chains before the newest N full backups',
    detail: 'Their full backups stay. Without --force it only shows what would go.',
    dataOnStdout: true,
  },
  {
    action: 'prune',
    positionals: ['URL'],
    summary: 'remove backups that no rule of a calendar keeps',
    detail:
      'Keeps what the rules name, with all that it builds on, and says why. Only shows what it would do, unless --force is given.\n\nExample:\n  tsbackup prune --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --force file:///mnt/nas/pictures',
    dataOnStdout: true,
  },
  {
    action: 'cleanup',
    positionals: ['URL'],
    summary: 'remove what interrupted backups left at URL',
    detail: 'Without --force it only shows what would go.',
    dataOnStdout: true,
  },
  {
    action: 'replicate',
    positionals: ['URL', 'URL2'],
    summary: 'copy the backup sets at URL to URL2',
    detail:
      'Object by object, byte for byte: the same passphrase or keys open the copy. What is there already is passed over, so\nthat it can be broken off, and made again to bring what is new. With --time only sets up to then.\n\nExample:\n  tsbackup replicate file:///mnt/nas/pictures s3://bucket/pictures',
    dataOnStdout: true,
  },
  {
    action: 'probe',
    positionals: ['URL'],
    summary: 'try whether backups can be kept at URL',
    detail:
      'Lists, stores, reads and deletes small objects, and prints what works, what does not, and the options to use.\n\nExample:\n  tsbackup probe s3://bucket/prefix --s3-endpoint-url https://nas.example:9000',
    dataOnStdout: true,
  },
  {
    action: 'init',
    positionals: ['NAME?'],
    summary: 'make a profile: what to back up, where to, when, and who is told',
    detail:
      'Asks a few questions, tries the answers, and writes NAME.toml into ~/.config/tsbackup (/etc/tsbackup for root).\n\nExample:\n  tsbackup init pictures',
    dataOnStdout: false,
  },
  {
    action: 'run',
    positionals: ['NAME'],
    does: ['backup', 'check', 'prune'],
    summary: 'do all that the profile NAME says: back up, check, prune, and tell of it',
    detail:
      'What cron calls. Continues what was interrupted, full or incremental as the profile says, proves a sample of the\narchive, removes what no rule keeps, writes the log and sends the mail.\n\nExample:\n  tsbackup run pictures',
    dataOnStdout: false,
  },
  {
    action: 'schedule',
    positionals: ['VERB', 'NAME'],
    summary: 'install, remove or show what runs the profile NAME at its time',
    detail:
      'A timer of systemd, a file in /etc/cron.d, or an entry in the crontab of the user, whichever there is.\n\nExamples:\n  tsbackup schedule install pictures --every "Mon 21:15"\n  tsbackup schedule show pictures\n  tsbackup schedule remove pictures',
    dataOnStdout: true,
  },
  {
    action: 'status',
    positionals: ['NAME?'],
    summary: 'how the runs of a profile, or of all, went, and when the next one is',
    detail:
      'Ends with 1 when the last run failed, or the last success is older than --max-age (or than the profile says), with 3\nwhen the last run left something out.\n\nExample:\n  tsbackup status --max-age 8D pictures',
    dataOnStdout: true,
  },
  {
    action: 'config',
    positionals: ['VERB', 'NAME'],
    summary: 'check or show the profile NAME',
    detail:
      'check reads the profile and its secrets and says what is wrong; show prints what it means, without secrets; schema\n(with any NAME) prints the JSON Schema for editors.\n\nExample:\n  tsbackup config check pictures',
    dataOnStdout: true,
  },
  {
    action: 'recovery-kit',
    positionals: ['NAME'],
    summary: 'a page to print: how to get the backup of the profile NAME back on a new machine',
    detail:
      'With stock duplicity and gpg, with tsbackup, and with neither. Secrets are named, not shown, unless --with-secrets is\ngiven. A file whose name ends in .html becomes a page for a browser and its printer.\n\nExample:\n  tsbackup recovery-kit --output pictures-recovery.html pictures',
    dataOnStdout: true,
  },
  {
    action: 'completion',
    positionals: ['SHELL'],
    summary: 'print a completion script for bash, zsh or fish',
    detail: 'Example:\n  . <(tsbackup completion bash)',
    dataOnStdout: true,
  },
];

/** Whether an action has an option. */
export function knows({ action, does = [] }: ActionSpec, { actions: known }: OptionSpec): boolean {
  return !known || known.includes(action) || does.some(part => known.includes(part));
}

/** `pair`: two words follow it; `path`: a place on this machine. */
export type OptionKind = 'flag' | 'pair' | 'text' | 'path' | 'count' | 'time' | 'verbosity';

/** The S3 options of duplicity's, and those that only we have; see docs/s3.md. */
const s3 = 'S3: ';

export interface OptionSpec {
  readonly long: string;
  /** Other long names with the same meaning, of either generation of duplicity. */
  readonly aliases?: readonly string[];
  readonly short?: string;
  readonly kind: OptionKind;
  /** How the value is called in the help. */
  readonly value?: string;
  readonly repeatable?: boolean;
  /** Its place among the others of the kind counts, and it may be repeated. */
  readonly ordered?: boolean;
  readonly help: string;
  /** Not in the help: for tests and for who moves archives. */
  readonly hidden?: boolean;
  /** Actions that know the option; all if absent. */
  readonly actions?: readonly Action[];
}

const backups: readonly Action[] = ['full', 'incremental', 'backup'];
const continuing: readonly Action[] = ['incremental', 'backup'];
const removals: readonly Action[] = [
  'remove-older-than',
  'remove-all-but-n-full',
  'remove-all-inc-of-but-n-full',
  'cleanup',
  'prune',
];
const readers: readonly Action[] = ['restore', 'verify', 'list-current-files'];
const downloaders: readonly Action[] = [...readers, 'check'];
/** Those with a URL. */
const placed: readonly Action[] = [...backups, ...removals, ...downloaders, 'collection-status', 'probe'];

/** What a backup takes of the source; the first option that says something of a path decides. */
const selection: readonly OptionSpec[] = (
  [
    [
      'include',
      'text',
      'PATTERN',
      'take what PATTERN matches (*, ?, [], ** across folders) with all below it',
    ],
    ['exclude', 'text', 'PATTERN', 'leave it out; PATTERN begins as SOURCE is written, or with **'],
    ['include-filelist', 'path', 'FILE', 'take what the patterns in the lines of FILE match; "- " excludes'],
    ['exclude-filelist', 'path', 'FILE', 'leave it out; "+ " before a pattern includes'],
    ['include-filelist-stdin', 'flag', undefined, 'the same, from standard input'],
    ['exclude-filelist-stdin', 'flag', undefined, 'the same, from standard input'],
    ['include-regexp', 'text', 'REGEXP', 'take paths in which the regular expression is found'],
    ['exclude-regexp', 'text', 'REGEXP', 'leave them out'],
    ['exclude-if-present', 'text', 'NAME', 'leave out folders that hold a file NAME'],
    ['exclude-older-than', 'time', 'TIME', 'leave out files that were last changed before TIME'],
    ['exclude-other-filesystems', 'flag', undefined, 'stay on the file system of SOURCE'],
    ['exclude-device-files', 'flag', undefined, 'leave out device files'],
    ['files-from', 'path', 'FILE', 'take only what FILE lists, relative to SOURCE'],
    ['filter-globbing', 'flag', undefined, 'read the patterns that follow as above'],
    ['filter-literal', 'flag', undefined, 'read the patterns that follow as paths'],
    ['filter-regexp', 'flag', undefined, 'read the patterns that follow as regular expressions'],
    ['filter-ignorecase', 'flag', undefined, 'let case not matter in the patterns that follow'],
    ['filter-strictcase', 'flag', undefined, 'let case matter in the patterns that follow'],
  ] as const
).map(([long, kind, value, help]) => ({
  ...{ long, kind, help, ordered: true, actions: [...backups, 'verify', 'restore'] },
  ...(value !== undefined && { value }),
  ...(long.endsWith('clude-filelist') && { aliases: [long.replace('-', '-globbing-')] }),
}));

export const options: readonly OptionSpec[] = [
  ...selection,
  {
    long: 'null-separator',
    kind: 'flag',
    help: 'entries of lists end with a NUL byte instead of a line end',
    actions: [...backups, 'verify', 'restore'],
  },
  {
    long: 'volsize',
    kind: 'count',
    value: 'MiB',
    help: 'size of a volume (200)',
    actions: backups,
  },
  {
    long: 'max-blocksize',
    kind: 'count',
    value: 'BYTES',
    help: 'upper limit of the block length in signatures of large files (2048)',
    actions: backups,
  },
  {
    long: 'full-if-older-than',
    kind: 'time',
    value: 'TIME',
    help: 'make a full backup if the last one is from before TIME, for example 1M',
    actions: continuing,
  },
  {
    long: 'allow-source-mismatch',
    kind: 'flag',
    help: 'continue a chain of another host or source folder',
    actions: continuing,
  },
  {
    long: 'source-retry-for',
    kind: 'count',
    value: 'SECONDS',
    help: 'how long a source that is away (a network drive that sleeps) is waited for (300)',
    actions: backups,
  },
  {
    long: 'max-delete',
    kind: 'count',
    value: 'PERCENT',
    help: 'stop if more of the known files and folders are gone, and more than 100 (50)',
    actions: continuing,
  },
  {
    long: 'allow-mass-delete',
    kind: 'flag',
    help: 'they are gone, or the source is empty or moved, on purpose',
    actions: backups,
  },
  {
    long: 'skip-if-no-change',
    kind: 'flag',
    help: 'store nothing if nothing has changed',
    actions: continuing,
  },
  {
    long: 'no-encryption',
    kind: 'flag',
    help: 'store plain volumes that everybody can read',
    actions: [...backups, 'restore', 'verify', 'check', 'collection-status', 'list-current-files'],
  },
  {
    long: 'encrypt-key',
    kind: 'text',
    value: 'KEY',
    repeatable: true,
    help: "encrypt to the owner of KEY instead of with a passphrase: an id in gpg's keyring, an e-mail address, or a key file; may be repeated",
  },
  {
    long: 'hidden-encrypt-key',
    kind: 'text',
    value: 'KEY',
    repeatable: true,
    help: 'the same, without telling for whom',
  },
  {
    long: 'sign-key',
    kind: 'text',
    value: 'KEY',
    help: 'sign every object; restore and verify accept only what KEY has signed',
  },
  {
    long: 'encrypt-sign-key',
    kind: 'text',
    value: 'KEY',
    help: 'both',
  },
  {
    long: 'encrypt-secret-keyring',
    aliases: ['decrypt-key'],
    kind: 'path',
    value: 'FILE',
    repeatable: true,
    help: 'a file with the private key; without it gpg is asked for session keys',
  },
  {
    long: 'use-agent',
    kind: 'flag',
    help: "let gpg's agent ask for the passphrases of its keys",
  },
  {
    long: 'gpg-binary',
    kind: 'path',
    value: 'FILE',
    help: 'the gpg that is asked (gpg)',
  },
  {
    long: 'gpg-options',
    kind: 'text',
    value: 'OPTIONS',
    repeatable: true,
    help: 'what old scripts tell gpg; understood as far as it means something here',
  },
  {
    long: 'no-compression',
    kind: 'flag',
    help: 'do not compress volumes',
    actions: backups,
  },
  {
    long: 'compression-level',
    kind: 'count',
    value: '0-9',
    help: 'how hard to compress: 1 is fast, 9 small (chosen by what the data are)',
    actions: backups,
  },
  {
    long: 'passphrase-file',
    kind: 'path',
    value: 'FILE',
    help: 'read the passphrase from the first line of FILE',
  },
  {
    long: 'passphrase-command',
    kind: 'text',
    value: 'COMMAND',
    help: 'read the passphrase from the first line that the shell command COMMAND prints',
  },
  {
    long: 'time',
    aliases: ['restore-time'],
    short: 't',
    kind: 'time',
    value: 'TIME',
    help: 'state at TIME: now, 2024-12-24, 2024-12-24T18:00:00Z, or ago: 3D, 1W2D, 5h (now)',
    actions: [...readers, 'replicate'],
  },
  {
    long: 'path-to-restore',
    aliases: ['file-to-restore'],
    short: 'r',
    kind: 'text',
    value: 'PATH',
    repeatable: true,
    help: 'only this file or folder, relative to the backed up folder; may be repeated',
    actions: ['restore', 'verify'],
  },
  {
    long: 'file-changed',
    kind: 'text',
    value: 'PATH',
    help: 'in which sets of the newest chain this file changed; relative to the backed up folder',
    actions: ['collection-status'],
  },
  {
    long: 'show-changes-in-set',
    kind: 'text',
    value: 'N',
    help: 'what changed in a set of the newest chain: 0 is the newest set, -1 all of them',
    actions: ['collection-status'],
  },
  {
    long: 'sample',
    kind: 'text',
    value: 'PERCENT|BYTES',
    help: 'how much to read, for example 5% or 2G (everything)',
    actions: ['check'],
  },
  {
    long: 'compare-data',
    kind: 'flag',
    help: 'compare contents and attributes with DIR',
    actions: ['verify'],
  },
  {
    long: 'force',
    kind: 'flag',
    help: 'restore: into a folder that is not empty; removals: really delete',
    actions: ['restore', ...removals],
  },
  {
    long: 'rename',
    kind: 'pair',
    value: 'OLD NEW',
    repeatable: true,
    help: 'restore what is at OLD (relative to DIR) as NEW instead; may be repeated',
    actions: ['restore'],
  },
  {
    long: 'in-place',
    kind: 'flag',
    help: 'restore into a folder that is not empty; files that are the same already are left as they are',
    actions: ['restore'],
  },
  {
    long: 'delete',
    kind: 'flag',
    help: 'with --in-place: delete what is not in the backup, once all else is done',
    actions: ['restore'],
  },
  ...(
    [
      ['last', 'N', 'keep the last N sets'],
      ['daily', 'N', 'keep the last set of each of the last N days that have one'],
      ['weekly', 'N', 'the same for weeks'],
      ['monthly', 'N', 'the same for months'],
      ['yearly', 'N', 'the same for years'],
      ['full-min', 'N', 'chains that stay in any case (1)'],
    ] as const
  ).map(
    ([name, value, help]): OptionSpec => ({
      ...{ long: `keep-${name}`, kind: 'count', value, help },
      actions: ['prune'],
    }),
  ),
  {
    long: 'keep-within',
    kind: 'text',
    value: 'INTERVAL',
    help: 'keep sets that are less than INTERVAL older than the newest, for example 3M',
    actions: ['prune'],
  },
  {
    long: 'with-secrets',
    kind: 'flag',
    help: 'let the page hold the passphrase, private keys and S3 credentials',
    actions: ['recovery-kit'],
  },
  {
    long: 'output',
    kind: 'path',
    value: 'FILE',
    help: 'write the page to FILE, which must not exist yet (standard output)',
    actions: ['recovery-kit'],
  },
  {
    long: 'numeric-owner',
    kind: 'flag',
    help: 'restore owners by number, not by name',
    actions: ['restore', 'verify'],
  },
  {
    long: 'no-restore-ownership',
    aliases: ['do-not-restore-ownership'],
    kind: 'flag',
    help: 'restored files belong to whoever restores',
    actions: ['restore'],
  },
  {
    long: 'dry-run',
    kind: 'flag',
    help: 'only show what would be done: nothing is stored, restored or removed',
    actions: [...backups, ...removals, ...readers, 'collection-status', 'replicate'],
  },
  {
    long: 'pre-command',
    kind: 'text',
    value: 'COMMAND',
    help: 'run this shell command first; if it fails nothing is backed up',
    actions: backups,
  },
  {
    long: 'post-command',
    kind: 'text',
    value: 'COMMAND',
    help: 'run this shell command afterwards, however the backup ended ($TSBACKUP_STATUS)',
    actions: backups,
  },
  {
    long: 'source-errors-ok',
    kind: 'flag',
    help: 'end with 0 instead of 3 when some sources could not be read, as duplicity does',
    actions: backups,
  },
  {
    long: 'no-print-statistics',
    kind: 'flag',
    help: 'no statistics at the end',
    actions: backups,
  },
  {
    long: 'progress',
    kind: 'flag',
    help: 'show how far it is: a bar on a terminal, else a line a minute',
    actions: [...backups, 'restore', 'verify', 'check'],
  },
  {
    long: 'thaw',
    kind: 'flag',
    help: 'ask for volumes in cold storage (Glacier, Deep Archive) that the restore needs',
    actions: ['restore'],
  },
  {
    long: 'thaw-tier',
    kind: 'text',
    value: 'TIER',
    help: 'Expedited, Standard or Bulk (Standard)',
    actions: ['restore'],
  },
  {
    long: 'thaw-days',
    kind: 'count',
    value: 'N',
    help: 'how long thawed copies are kept (7)',
    actions: ['restore'],
  },
  {
    long: 'thaw-wait',
    kind: 'flag',
    help: 'with --thaw: wait until all is thawed, instead of ending with status 14',
    actions: ['restore'],
  },
  {
    long: 's3-endpoint-url',
    kind: 'text',
    value: 'URL',
    help: `${s3}server, for services other than Amazon's`,
  },
  {
    long: 's3-region-name',
    kind: 'text',
    value: 'REGION',
    help: `${s3}region of the bucket`,
  },
  {
    long: 's3-path-style',
    kind: 'text',
    value: 'yes|no',
    help: `${s3}whether the bucket's name goes into the path (found out by itself)`,
  },
  {
    long: 's3-unencrypted-connection',
    kind: 'flag',
    help: `${s3}plain HTTP`,
  },
  ...(['rrs', 'ia', 'onezone-ia', 'glacier', 'glacier-ir', 'deep-archive'] as const).map(
    (name): OptionSpec => ({
      long: `s3-use-${name}`,
      kind: 'flag',
      help: `${s3}storage class ${name} for volumes`,
      actions: backups,
    }),
  ),
  {
    long: 's3-use-server-side-encryption',
    kind: 'flag',
    help: `${s3}encrypted by the service too (AES256)`,
    actions: backups,
  },
  {
    long: 's3-use-server-side-kms-encryption',
    kind: 'flag',
    help: `${s3}the same with a key of its key service`,
    actions: backups,
  },
  {
    long: 's3-kms-key-id',
    kind: 'text',
    value: 'ID',
    help: `${s3}that key`,
    actions: backups,
  },
  {
    long: 's3-kms-grant',
    kind: 'text',
    value: 'GRANTEE',
    help: `${s3}who gets full control of the objects`,
    actions: backups,
  },
  {
    long: 's3-multipart-chunk-size',
    kind: 'count',
    value: 'MiB',
    help: `${s3}size of a part of an upload, at least 5 (6)`,
    actions: backups,
  },
  {
    long: 's3-multipart-max-procs',
    kind: 'count',
    value: 'N',
    help: `${s3}parts on their way at once (4)`,
    actions: backups,
  },
  {
    long: 'num-retries',
    kind: 'count',
    value: 'N',
    help: `${s3}attempts in total for what the service refuses (5)`,
  },
  {
    long: 'retry-for',
    kind: 'count',
    value: 'SECONDS',
    help: `${s3}how long an unreachable service is waited for (900)`,
  },
  {
    long: 'timeout',
    kind: 'count',
    value: 'SECONDS',
    help: `${s3}silence after which a connection is given up (30)`,
  },
  {
    long: 'upload-limit',
    kind: 'count',
    value: 'BYTES',
    help: `${s3}most bytes per second sent`,
    actions: [...backups, 'probe'],
  },
  {
    long: 'download-limit',
    kind: 'count',
    value: 'BYTES',
    help: `${s3}most bytes per second received`,
    actions: [...downloaders, 'probe'],
  },
  {
    long: 'stall-timeout',
    kind: 'count',
    value: 'SECONDS',
    help: 'end a run that makes no progress for so long; 0: never (1800)',
  },
  {
    long: 'duplicity-exit-codes',
    kind: 'flag',
    help: 'exit statuses of duplicity, for scripts that know them',
  },
  {
    long: 'log-file',
    kind: 'path',
    value: 'FILE',
    help: 'write a log as well: each event with its time, notices and below at least to level info',
  },
  {
    long: 'log-timestamp',
    kind: 'flag',
    help: 'begin each line that tells what happens with the time and its level',
  },
  {
    long: 'log-fd',
    kind: 'count',
    value: 'N',
    help: "write events to file descriptor N, in the form of duplicity's log",
  },
  {
    long: 'json',
    kind: 'flag',
    help: 'print JSON Lines for programs instead of text; see docs/json.md',
  },
  {
    long: 'log-max-size',
    kind: 'text',
    value: 'BYTES',
    help: 'begin a new log file after so much (1M)',
  },
  {
    long: 'log-keep',
    kind: 'count',
    value: 'N',
    help: 'log files that are kept, FILE.1 and so on among them (3)',
  },
  {
    long: 'archive-dir',
    kind: 'path',
    value: 'DIR',
    help: 'where manifests and signatures are kept ($XDG_CACHE_HOME/tsbackup or ~/.cache/tsbackup)',
  },
  {
    long: 'name',
    kind: 'text',
    value: 'NAME',
    help: 'sub-folder of the archive dir (a hash of URL)',
  },
  {
    long: 'tempdir',
    kind: 'path',
    value: 'DIR',
    help: 'for temporary files ($TMPDIR or /tmp)',
  },
  {
    long: 'file-prefix',
    kind: 'text',
    value: 'TEXT',
    help: 'begin every object name at the target with TEXT',
  },
  ...(['archive', 'manifest', 'signature', 'jsonstat'] as const).map(
    (kind): OptionSpec => ({
      long: `file-prefix-${kind}`,
      kind: 'text',
      value: 'TEXT',
      help: `the same for ${kind === 'archive' ? 'volumes' : kind === 'jsonstat' ? "duplicity's statistics" : `${kind}s`}, after the general one`,
    }),
  ),
  {
    long: 'profile',
    kind: 'text',
    value: 'NAME',
    help: 'take source, URL and options that are not given from this profile (see tsbackup init)',
    actions: placed,
  },
  {
    long: 'every',
    kind: 'text',
    value: 'TIME',
    help: 'when it runs: "Mon 21:15", "daily 03:30", "hourly" (as the profile says)',
    actions: ['schedule'],
  },
  {
    long: 'print',
    kind: 'flag',
    help: 'only show what would be installed',
    actions: ['schedule'],
  },
  {
    long: 'kind',
    kind: 'text',
    value: 'KIND',
    help: 'systemd, cron.d or crontab (what the host has)',
    actions: ['schedule'],
  },
  {
    long: 'max-age',
    kind: 'text',
    value: 'INTERVAL',
    help: 'the last success is too old after that, for example 8D (as the profile says)',
    actions: ['status'],
  },
  {
    long: 'metrics-file',
    kind: 'path',
    value: 'FILE',
    help: "write the state for Prometheus's node_exporter to FILE (as the profile says)",
    actions: ['run', 'status'],
  },
  {
    long: 'current-time',
    kind: 'text',
    value: 'EPOCH',
    help: '',
    hidden: true,
  },
  {
    long: 'verbosity',
    short: 'v',
    kind: 'verbosity',
    value: 'LEVEL',
    help: '0-9 or error, warning, notice, info, debug (notice)',
  },
];

/** Those that a profile may hold. */
export const optionNames: readonly string[] = options.flatMap(({ long, kind, aliases = [], hidden }) =>
  hidden || long === 'profile' || kind === 'pair' ? [] : [long, ...aliases],
);
