import { backups, continuing, type OptionSpec } from '../option-spec.ts';

/** What a backup stores, and how. */
export const backupOptions: readonly OptionSpec[] = [
  {
    long: 'full-if-older-than',
    kind: 'time',
    value: 'TIME',
    help: 'make a full backup if the last one is from before TIME, for example 1M',
    actions: continuing,
  },
  {
    long: 'skip-if-no-change',
    kind: 'flag',
    help: 'store nothing if nothing has changed',
    actions: continuing,
  },
  {
    long: 'volsize',
    kind: 'count',
    value: 'MiB',
    help: 'size of a volume (200)',
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
    long: 'no-compression',
    kind: 'flag',
    help: 'do not compress volumes',
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
    long: 'allow-source-mismatch',
    kind: 'flag',
    help: 'continue a chain of another host or source folder',
    actions: continuing,
  },
  {
    long: 'allow-mass-delete',
    kind: 'flag',
    typedOnly: true,
    help: 'go on although the source is empty or moved, or most of it is gone: that is on purpose',
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
    long: 'source-errors-ok',
    kind: 'flag',
    help: 'end with 0 instead of 3 when some sources could not be read, as duplicity does',
    actions: backups,
  },
  {
    long: 'source-retry-for',
    kind: 'count',
    value: 'SECONDS',
    help: 'how long a source that is away (a network drive that sleeps) is waited for (300)',
    actions: backups,
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
    long: 'no-print-statistics',
    kind: 'flag',
    help: 'no statistics at the end',
    actions: backups,
  },
];
