/** The command line of duplicity, both generations: everything in it is understood, or refused by its name. */

import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { test } from 'node:test';
import { type Invocation, parseCommandLine } from '../../src/cli/parse.ts';
import { BackupError } from '../../src/errors.ts';

const background = {
  environment: {},
  loadProfile: () => assert.fail('no profile was named'),
};

const parse = (...argv: string[]) => parseIn({}, ...argv);

async function parseIn(
  environment: Readonly<Record<string, string>>,
  ...argv: string[]
): Promise<Invocation> {
  const invocation = await parseCommandLine(argv, '1.0.0', () => {}, { ...background, environment });
  assert.ok(invocation, 'help was asked for');
  return invocation;
}

/** What the error says of a command line that must be refused. */
async function refusal(...argv: string[]): Promise<string> {
  try {
    await parse(...argv);
  } catch (error) {
    assert.ok(error instanceof BackupError && error.code === 'usage', String(error));
    return error.message;
  }
  return assert.fail(`${argv.join(' ')} was not refused`);
}

/** Options of duplicity 0.8.22, 3.0.1 and 3.1.0 with an argument that they take, apart from those for keys. */
const surface: readonly string[] = [
  ...['--verbosity 4', '-v5', '--name n', '--archive-dir a', '--tempdir t', '--log-fd 3', '--log-file f'],
  ...['--log-timestamp', '--no-print-statistics', '--force', '--dry-run', '--num-retries 3'],
  ...['--backend-retry-delay 5', '--timeout 30', '--ignore-errors', '--progress', '--progress-rate 3'],
  ...['--jsonstat', '--config-dir c', '--asynchronous-upload', '--concurrency 2', '--copy-blocksize 128'],
  ...['--metadata-sync-mode full', '--time-separator :', '--old-filenames', '--short-filenames', '--gio'],
  ...['--file-prefix p', '--file-prefix-archive p', '--file-prefix-manifest p', '--file-prefix-signature p'],
  ...['--file-prefix-jsonstat p', '--full-if-older-than 1M', '--volsize 25', '--allow-source-mismatch'],
  ...['--skip-if-no-change', '--copy-links', '--max-blocksize 2048', '--no-files-changed'],
  ...[
    '--mp-segment-size 5',
    '--no-encryption',
    '--no-compression',
    '-t 1D',
    '--time 1D',
    '--restore-time 1D',
  ],
  ...['-r p', '--path-to-restore p', '--file-to-restore p', '--compare-data', '--numeric-owner'],
  ...['--no-restore-ownership', '--do-not-restore-ownership', '--rename a b', '--file-changed p'],
  ...['--show-changes-in-set 0', '--include **', '--exclude **', '--include-filelist f'],
  ...['--exclude-filelist f', '--exclude-other-filesystems', '--include-regexp r', '--exclude-regexp r'],
  ...['--exclude-if-present n', '--exclude-older-than 1D', '--exclude-device-files', '--null-separator'],
  ...['--files-from f', '--filter-globbing', '--filter-literal', '--filter-regexp', '--filter-ignorecase'],
  ...['--filter-strictcase', '--include-globbing-filelist f', '--exclude-globbing-filelist f'],
  ...['--include-filelist-stdin', '--exclude-filelist-stdin', '--s3-endpoint-url u', '--s3-region-name r'],
  ...['--s3-use-ia', '--s3-use-onezone-ia', '--s3-use-rrs', '--s3-use-glacier', '--s3-use-glacier-ir'],
  ...['--s3-use-deep-archive', '--s3-unencrypted-connection', '--s3-use-server-side-encryption'],
  ...['--s3-use-server-side-kms-encryption', '--s3-kms-key-id k', '--s3-kms-grant g'],
  ...['--s3-multipart-chunk-size 25', '--s3-multipart-max-procs 4', '--s3-european-buckets'],
  ...['--s3-use-new-style', '--s3-use-multiprocessing', '--s3-multipart-max-timeout 5', '--ssh-options o'],
  ...['--ssh-askpass', '--scp-command c', '--sftp-command c', '--rsync-options o', '--ftp-passive'],
  ...['--ftp-regular', '--ssl-cacert-file f', '--ssl-cacert-path p', '--ssl-no-check-certificate'],
  ...['--azure-blob-tier t', '--azure-max-block-size 1', '--azure-max-connections 1'],
  ...['--azure-max-single-put-size 1', '--b2-hide-files', '--cf-backend c', '--idr-fakeroot f'],
  ...['--imap-full-address', '--imap-mailbox m', '--mf-purge', '--par2-redundancy 10', '--par2-options o'],
  ...['--par2-volumes 1', '--swift-storage-policy p', '--webdav-headers h', '--current-time 1600000000'],
  ...['--fail-on-volume 1', '--skip-volume 1', '--pydevd'],
  ...['--full-if-n-inc 7', '--no-check-remote', '--use-gpgsm'],
];

const lines: readonly (readonly string[])[] = [
  ['full', 's', 'file://t'],
  ['restore', 'file://t', 'd'],
  ['collection-status', 'file://t'],
];

for (const [action = '', ...rest] of lines) {
  test(`${action} understands every option of duplicity's, or refuses it by name`, async () => {
    let understood = 0;
    for (const option of surface) {
      const words = option.split(' ');
      const name = words[0]!.startsWith('--') ? words[0]! : '-';
      try {
        const { arguments: left } = await parse(action, ...words, ...rest);
        assert.deepEqual(left, rest, option);
        understood++;
      } catch (error) {
        assert.ok(error instanceof BackupError, `${option}: ${error}`);
        const isForm = error.message.startsWith(`${name} is not supported: `);
        assert.ok(isForm || /^unknown option '--dry-run'/.test(error.message), `${option}: ${error.message}`);
      }
    }
    assert.ok(understood > 70, String(understood));
  });
}

test('actions have short names, and may be cut short where that is unambiguous', async () => {
  const pair = ['s', 'file://t'];
  const names = { bu: 'backup', fb: 'full', inc: 'incremental', incr: 'incremental', ib: 'incremental' };
  for (const [name, action] of Object.entries({
    ...names,
    ful: 'full',
    increm: 'incremental',
    b: 'backup',
  })) {
    assert.equal((await parse(name, ...pair)).action, action);
  }
  for (const name of ['rb', 'rest', 'restore'])
    assert.equal((await parse(name, 'file://t', 'd')).action, 'restore');
  for (const name of ['st', 'coll'])
    assert.equal((await parse(name, 'file://t')).action, 'collection-status');
  for (const name of ['ls', 'li']) assert.equal((await parse(name, 'file://t')).action, 'list-current-files');
  for (const name of ['ro', 'remove-o'])
    assert.equal((await parse(name, '1M', 'file://t')).action, 'remove-older-than');
  assert.equal((await parse('ri', '1', 'file://t')).action, 'remove-all-inc-of-but-n-full');
  assert.equal((await parse('cl', 'file://t')).action, 'cleanup');
  assert.match(
    await refusal('remove-all', '1', 'file://t'),
    /^'remove-all' may be remove-all-but-n-full, remove-all-inc-of-but-n-full;/,
  );
  assert.equal(
    (await parse('f', 'file://t')).action,
    'backup',
    'a folder, for it has one argument behind it',
  );
});

test('options may be cut short where that is unambiguous', async () => {
  const { values } = await parse(
    'backup',
    '--no-enc',
    '--vol=25',
    '--allow-so',
    's',
    'file://t',
    '--arch',
    'a',
  );
  assert.equal(values['no-encryption'], true);
  assert.equal(values.volsize, 25);
  assert.equal(values['allow-source-mismatch'], true);
  assert.equal(values['archive-dir'], 'a');
  assert.equal((await parse('--num-ret', '3', 's', 'file://t')).values['num-retries'], 3);
  // What duplicity 3.1 has added does not change what is cut short in older scripts.
  assert.equal((await parse('--full-if', '1M', 's', 'file://t')).values['full-if-older-than'], '1M');
  assert.equal((await parse('--full-if-n', '7', 's', 'file://t')).values['full-if-n-inc'], 7);
  assert.equal((await parse('--use', 's', 'file://t')).values['use-agent'], true);
  assert.match(await refusal('full', '--no', 's', 'file://t'), /^--no may be --no-/);
  assert.match(
    await refusal('full', '--exclude-de', '--vols', 's', 'file://t'),
    /--volsize takes a whole number/,
  );
});

test('without an action the order of folder and URL tells what is meant', async () => {
  assert.equal((await parse('s', 'file://t')).action, 'backup');
  const restore = await parse('file://t', 'd');
  assert.equal(restore.action, 'restore');
  assert.deepEqual(restore.notices, ['URL and DIR: this is a restore.']);
});

test('options of another action are passed over, and said to be', async () => {
  const { action, passedOver, values } = await parse('full', '-t', '1D', '--force', 's', 'file://t');
  assert.equal(action, 'full');
  assert.deepEqual(passedOver, [
    '--time means nothing to full and is ignored.',
    '--force means nothing to full and is ignored.',
  ]);
  assert.equal(values.time, undefined);
});

test('options for other kinds of targets are passed over, as wrappers always give them', async () => {
  // Debian's backupninja does so with the first one.
  const others = ['--ssh-options', '', '--ftp-passive', '--rsync-options=--rsh', '--cf-backend', 'pyrax'];
  const { notices, arguments: left } = await parse('full', ...others, 's', 'file://t');
  assert.deepEqual(left, ['s', 'file://t']);
  const why = 'is ignored: it is for targets of other kinds than folders and S3 buckets.';
  assert.deepEqual(
    notices,
    ['ssh-options', 'ftp-passive', 'rsync-options', 'cf-backend'].map(long => `--${long} ${why}`),
  );
});

test('selection options keep their order', async () => {
  const { ordered } = await parse(
    '--include',
    'a',
    'full',
    '--exclude',
    'b',
    's',
    '--include=c',
    'file://t',
    '--exclude-device-files',
  );
  assert.deepEqual(
    ordered.map(({ option, value }) => `${option} ${value}`.trim()),
    ['include a', 'exclude b', 'include c', 'exclude-device-files'],
  );
});

test('the home folder of a named user is expanded, where there is such a user', async () => {
  const full = await parseIn({}, 'full', '--archive-dir=~root/cache', '~nobody-at-all/x', 'file:///t');
  assert.equal(full.values['archive-dir'], '/root/cache');
  assert.deepEqual(full.arguments, ['~nobody-at-all/x', 'file:///t']);
});

test('what has to be meant each time is refused in the environment, for actions that know it', async () => {
  for (const [environment, ...words] of [
    [{ TSBACKUP_DRY_RUN: '1' }, 'full', 's', 'file://t'],
    [{ TSBACKUP_FORCE: 'yes' }, 'restore', 'file://t', 'd'],
    [{ TSBACKUP_ALLOW_MASS_DELETE: '1' }, 's', 'file://t'],
    [{ TSBACKUP_PROFILE: 'p' }, 'full', 's', 'file://t'],
  ] as const) {
    const [name] = Object.keys(environment) as [string];
    await assert.rejects(parseIn(environment, ...words), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(`^${name} is not allowed: --[a-z-]+ has to be typed each time$`),
      );
      return true;
    });
  }
  const harmless = { TSBACKUP_DRY_RUN: '0', TSBACKUP_FORCE: '1' };
  assert.equal((await parseIn(harmless, 'full', 's', 'file://t')).values['dry-run'], undefined);
  const typed = await parseIn({ TSBACKUP_DRY_RUN: '1' }, 'full', '--dry-run', 's', 'file://t');
  assert.equal(typed.values['dry-run'], true);
});

test('home folders and variables that no shell has expanded are, in paths of this machine alone', async () => {
  const home = homedir();
  const environment = { WHERE: '/mnt/x y', TSBACKUP_TEMPDIR: '$WHERE/tmp' };
  const words = ['--archive-dir=~/cache', '--include-filelist', '$WHERE/list', '--exclude', '$WHERE/*'];
  const full = await parseIn(environment, 'full', ...words, '~/$WHERE$UNSET', 'file://~/$WHERE');
  assert.deepEqual(full.arguments, [`${home}//mnt/x y$UNSET`, 'file://~/$WHERE']);
  assert.deepEqual([full.values['archive-dir'], full.values.tempdir], [`${home}/cache`, '/mnt/x y/tmp']);
  assert.deepEqual(
    full.ordered.map(({ value }) => value),
    ['/mnt/x y/list', '$WHERE/*'],
  );
  const restore = await parseIn(environment, 'restore', '-r', '$WHERE', 'file://t', '$WHERE/out');
  assert.deepEqual(restore.arguments, ['file://t', '/mnt/x y/out']);
  assert.deepEqual(restore.values['path-to-restore'], ['$WHERE'], 'that is in the backup');
});
