// docs/duplicity-compatibility.md and docs/profile.schema.json from the tables of the command line; `node scripts/compatibility.mjs` after a build.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Names that only one generation of duplicity has; all others are in both. */
const only08 = `asynchronous-upload azure-blob-tier cf-backend do-not-restore-ownership encrypt-secret-keyring
  exclude-globbing-filelist exclude-filelist-stdin file-to-restore gio include-globbing-filelist include-filelist-stdin
  old-filenames s3-european-buckets s3-multipart-max-timeout s3-use-multiprocessing s3-use-new-style short-filenames`;
const only30 = `concurrency copy-blocksize file-prefix-jsonstat files-from filter-globbing filter-ignorecase
  filter-literal filter-regexp filter-strictcase jsonstat no-restore-ownership path-to-restore skip-if-no-change
  webdav-headers`;
const only31 = 'full-if-n-inc no-check-remote use-gpgsm';
const inBoth = `allow-source-mismatch archive-dir azure-max-block-size azure-max-connections
  azure-max-single-put-size b2-hide-files backend-retry-delay compare-data config-dir copy-links dry-run encrypt-key
  encrypt-sign-key exclude exclude-device-files exclude-filelist exclude-if-present exclude-older-than
  exclude-other-filesystems exclude-regexp file-changed file-prefix file-prefix-archive file-prefix-manifest
  file-prefix-signature force ftp-passive ftp-regular full-if-older-than gpg-binary gpg-options hidden-encrypt-key
  idr-fakeroot ignore-errors imap-full-address imap-mailbox include include-filelist include-regexp log-fd log-file
  log-timestamp max-blocksize metadata-sync-mode mf-purge mp-segment-size name no-compression no-encryption
  no-files-changed no-print-statistics null-separator num-retries numeric-owner par2-options par2-redundancy
  par2-volumes progress progress-rate pydevd rename restore-time rsync-options s3-endpoint-url s3-kms-grant s3-kms-key-id
  s3-multipart-chunk-size s3-multipart-max-procs s3-region-name s3-unencrypted-connection s3-use-deep-archive
  s3-use-glacier s3-use-glacier-ir s3-use-ia s3-use-onezone-ia s3-use-rrs s3-use-server-side-encryption
  s3-use-server-side-kms-encryption scp-command sftp-command show-changes-in-set sign-key ssh-askpass ssh-options
  ssl-cacert-file ssl-cacert-path ssl-no-check-certificate swift-storage-policy tempdir time time-separator timeout
  use-agent verbosity volsize`;

const words = text => text.split(/\s+/);

/** Every option of duplicity's with the generations that have it, sorted by name. */
export const duplicityOptions = [
  ...words(only08).map(name => ({ name, generations: '0.8' })),
  ...words(only30).map(name => ({ name, generations: '3.0' })),
  ...words(only31).map(name => ({ name, generations: '3.1' })),
  ...words(inBoth).map(name => ({ name, generations: '0.8, 3.0' })),
].sort((a, b) => (a.name < b.name ? -1 : 1));

/** Every action, with the names that duplicity gives it. */
const duplicityActions = [
  ['backup', 'backup, bu, or none', '3.0'],
  ['full', 'full, fb', '0.8, 3.0'],
  ['incremental', 'incremental, inc, incr, ib', '0.8, 3.0'],
  ['restore', 'restore, rb, or none', '0.8, 3.0'],
  ['verify', 'verify, vb', '0.8, 3.0'],
  ['collection-status', 'collection-status, st', '0.8, 3.0'],
  ['list-current-files', 'list-current-files, ls', '0.8, 3.0'],
  ['remove-older-than', 'remove-older-than, ro', '0.8, 3.0'],
  ['remove-all-but-n-full', 'remove-all-but-n-full, ra', '0.8, 3.0'],
  ['remove-all-inc-of-but-n-full', 'remove-all-inc-of-but-n-full, ri', '0.8, 3.0'],
  ['cleanup', 'cleanup, cl', '0.8, 3.0'],
  ['replicate', 'replicate', '0.8'],
];

/** @param tables `actions`, `options` and `foreignOptions` of the command line */
export function compatibilityPage({ actions, options, foreignOptions }) {
  const actionRows = duplicityActions.map(([action, names, generations]) => {
    const isKnown = actions.some(known => known.action === action);
    return `| ${names} | ${generations} | ${isKnown ? 'supported' : 'not supported: make a copy of the folder or bucket with rsync, rclone or the tools of the service'} |`;
  });
  const rows = duplicityOptions.map(({ name, generations }) => {
    const own = options.find(({ long, aliases = [] }) => long === name || aliases.includes(name));
    const foreign = foreignOptions.find(({ long }) => long === name);
    if (!own && !foreign) throw new Error(`--${name} is neither an option nor a foreign one`);
    const called = own && own.long !== name ? ` as \`--${own.long}\`` : '';
    const fate = own
      ? `supported${called}`
      : foreign.fate === 'ignored'
        ? `ignored, with a notice: ${foreign.reason}`
        : `not supported: ${foreign.reason}`;
    return `| \`--${name}\` | ${generations} | ${fate.replaceAll('|', '\\|')} |`;
  });
  return `# What of duplicity's command line works

Every action and option of duplicity 0.8.22, 3.0 and 3.1, and what tsbackup makes of it. Made by \`npm run docs\` from the table
of options; a test holds it against the program and against duplicity's own help. Actions and options may be cut short
wherever that is unambiguous, as in duplicity 0.8. An option of another action is passed over, as duplicity does it; one
that is not supported ends the run with status 2 and one line, before anything is touched.

Called through a link named \`duplicity\`, or with \`--duplicity-exit-codes\`, tsbackup ends with duplicity's exit statuses. Through such a link \`--log-file\` is duplicity's form for programs, which
\`--log-fd\` always is; else it is a log for people that never outgrows \`--log-max-size\`.

## Actions

| names | duplicity | tsbackup |
|---|---|---|
${actionRows.join('\n')}

## Options

| option | duplicity | tsbackup |
|---|---|---|
${rows.join('\n')}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { actions } = await import('../dist/src/cli/actions.js');
  const { options } = await import('../dist/src/cli/options.js');
  const { foreignOptions } = await import('../dist/src/cli/foreign-options.js');
  const { profileSchema } = await import('../dist/src/profiles/schema.js');
  const schema = `${JSON.stringify(profileSchema(options), undefined, 2)}\n`;
  writeFileSync(new URL('../docs/profile.schema.json', import.meta.url), schema);
  writeFileSync(
    new URL('../docs/duplicity-compatibility.md', import.meta.url),
    compatibilityPage({ actions, options, foreignOptions }),
  );
}
