/** Every action once, with its arguments and help. */

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
  /** All that its first argument may be. */
  readonly choices?: readonly string[];
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
      'DIR must be absent or an empty folder, unless --force is given: then files of the same name are replaced and all others are kept.\n\nExamples:\n  tsbackup restore file:///mnt/nas/pictures ~/restored\n  tsbackup restore -t 3D -r 2014/summer file:///mnt/nas/pictures ~/summer',
    dataOnStdout: false,
  },
  {
    action: 'verify',
    positionals: ['URL', 'DIR'],
    summary: 'prove that a backup can be restored; with --compare-data, that it equals DIR',
    detail:
      'Reads, hashes, decrypts and rebuilds everything in the archive. Contents of DIR are looked at only with --compare-data; the last line says which of the two was done.\n\nExample:\n  tsbackup verify --compare-data file:///mnt/nas/pictures ~/Pictures',
    dataOnStdout: false,
  },
  {
    action: 'check',
    positionals: ['URL'],
    summary: 'prove an archive as it is at URL, all of it or a sample at a time',
    detail:
      'Fetches, hashes, decrypts and takes apart what is there, and makes sure that every delta has its base: everything is proved at all its times. With --sample what was proved longest ago comes first, so that runs one after the other cover all. Names the files and times that are lost by what is damaged or missing, and says when each volume was last proved.\n\nExamples:\n  tsbackup check file:///mnt/nas/pictures\n  tsbackup check --sample 5% s3://bucket/pictures',
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
      'Object by object, byte for byte: the same passphrase or keys open the copy. What is there already is passed over, so that it can be broken off, and made again to bring what is new (sizes are compared; check proves the copy). With --time only sets up to then.\n\nExample:\n  tsbackup replicate file:///mnt/nas/pictures s3://bucket/pictures',
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
      'Asks a few questions, tries the answers, and writes NAME.toml into ~/.config/tsbackup (/etc/tsbackup for root). Options that every action takes are kept in the profile if they are typed with it.\n\nExample:\n  tsbackup init pictures',
    dataOnStdout: false,
  },
  {
    action: 'run',
    positionals: ['NAME'],
    does: ['backup', 'check', 'prune'],
    summary: 'do all that the profile NAME says: back up, check, prune, and tell of it',
    detail:
      'What cron calls. Continues what was interrupted, full or incremental as the profile says, proves a sample of the archive, removes what no rule keeps, writes the log and sends the mail.\n\nExample:\n  tsbackup run pictures',
    dataOnStdout: false,
  },
  {
    action: 'schedule',
    positionals: ['VERB', 'NAME'],
    choices: ['install', 'remove', 'show'],
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
      'Ends with 1 when the last run failed, or the last success is older than --max-age (or than the profile says), with 3 when the last run backed up, but left something out or has to tell of something else.\n\nExample:\n  tsbackup status --max-age 8D pictures',
    dataOnStdout: true,
  },
  {
    action: 'config',
    positionals: ['VERB', 'NAME'],
    choices: ['check', 'show', 'schema'],
    summary: 'check or show the profile NAME',
    detail:
      'check reads the profile and its secrets and says what is wrong; show prints what it means, without secrets; schema (with any NAME) prints the JSON Schema for editors.\n\nExample:\n  tsbackup config check pictures',
    dataOnStdout: true,
  },
  {
    action: 'recovery-kit',
    positionals: ['NAME'],
    summary: 'a page to print: how to get the backup of the profile NAME back on a new machine',
    detail:
      'With stock duplicity and gpg, with tsbackup, and with neither. Secrets are named, not shown, unless --with-secrets is given. A file whose name ends in .html becomes a page for a browser and its printer.\n\nExample:\n  tsbackup recovery-kit --output pictures-recovery.html pictures',
    dataOnStdout: true,
  },
  {
    action: 'completion',
    positionals: ['SHELL'],
    choices: ['bash', 'zsh', 'fish'],
    summary: 'print a completion script for bash, zsh or fish',
    detail:
      'Examples:\n  . <(tsbackup completion bash)\n  . <(tsbackup completion zsh)\n  tsbackup completion fish | source',
    dataOnStdout: true,
  },
];
