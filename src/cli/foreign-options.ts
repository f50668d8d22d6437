/**
 * Options of duplicity's that we have no use for, so that a script written for it works or is told in a line what to do:
 * those that can be passed over without harm are, with a notice; the others are refused by name.
 */

export interface ForeignOption {
  readonly long: string;
  readonly takes: 'nothing' | 'value';
  readonly fate: 'ignored' | 'refused';
  /** What to tell, a part of a sentence. */
  readonly reason: string;
}

/** Wrappers give them whatever the target is; targets of the kinds that they are for are refused themselves. */
const elsewhere = 'it is for targets of other kinds than folders and S3 buckets';
const always = 'uploads overlap with packing anyway';
const found = 'this is found out by itself';

function all(
  fate: ForeignOption['fate'],
  takes: ForeignOption['takes'],
  reason: string,
  names: string,
): ForeignOption[] {
  return names.split(' ').map(long => ({ long, takes, fate, reason }));
}

export const foreignOptions: readonly ForeignOption[] = [
  ...all('ignored', 'nothing', always, 'asynchronous-upload'),
  ...all('ignored', 'value', always, 'concurrency'),
  ...all('ignored', 'value', 'buffers have a fixed size', 'copy-blocksize mp-segment-size'),
  ...all('ignored', 'value', 'only what is needed is copied', 'metadata-sync-mode'),
  ...all('ignored', 'value', 'there is no configuration folder', 'config-dir'),
  ...all('ignored', 'value', 'names have the standard form', 'time-separator'),
  ...all('ignored', 'value', 'waits grow by themselves; see --retry-for', 'backend-retry-delay'),
  ...all('ignored', 'value', 'progress has a rate of its own', 'progress-rate'),
  ...all(
    'ignored',
    'nothing',
    'a restore goes on after errors anyway, and names what is lost',
    'ignore-errors',
  ),
  ...all('ignored', 'nothing', 'manifests list what has changed', 'no-files-changed'),
  ...all('ignored', 'nothing', 'the statistics are printed as text, or as JSON with --json', 'jsonstat'),
  ...all(
    'ignored',
    'nothing',
    'a backup needs no private key anyway, as long as the archive cache is there',
    'no-check-remote',
  ),
  ...all('ignored', 'nothing', 'it is for finding faults in duplicity', 'pydevd'),
  ...all('ignored', 'nothing', found, 's3-european-buckets s3-use-new-style s3-use-multiprocessing'),
  ...all('ignored', 'value', 'a silent connection is cut after --timeout', 's3-multipart-max-timeout'),
  ...all('ignored', 'nothing', elsewhere, 'gio ssh-askpass ftp-passive ftp-regular b2-hide-files mf-purge'),
  ...all('ignored', 'value', elsewhere, 'ssh-options scp-command sftp-command rsync-options imap-mailbox'),
  ...all('ignored', 'nothing', elsewhere, 'imap-full-address'),
  ...all(
    'ignored',
    'value',
    elsewhere,
    'azure-blob-tier azure-max-block-size azure-max-connections cf-backend idr-fakeroot',
  ),
  ...all('ignored', 'value', elsewhere, 'azure-max-single-put-size swift-storage-policy webdav-headers'),
  ...all(
    'refused',
    'nothing',
    'symlinks are stored as symlinks; back up the folders that they point to in backups of their own, or bind-mount them into the source',
    'copy-links',
  ),
  ...all('refused', 'nothing', 'such names are read, but no longer written', 'old-filenames short-filenames'),
  ...all(
    'refused',
    'value',
    'use a file system or service that keeps its data safe',
    'par2-redundancy par2-options',
  ),
  ...all('refused', 'value', 'use a file system or service that keeps its data safe', 'par2-volumes'),
  ...all('refused', 'value', 'set AWS_CA_BUNDLE to the file', 'ssl-cacert-file ssl-cacert-path'),
  ...all(
    'refused',
    'nothing',
    'a certificate that nobody checks protects nothing',
    'ssl-no-check-certificate',
  ),
  ...all(
    'refused',
    'nothing',
    'archives are sealed as OpenPGP, with a passphrase or with --encrypt-key; duplicity 3.1 reads what gpgsm has sealed',
    'use-gpgsm',
  ),
  ...all('refused', 'value', 'it is for tests of duplicity', 'fail-on-volume skip-volume'),
];
