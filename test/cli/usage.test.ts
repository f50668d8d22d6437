/** Wrong command lines: one line that helps, exit status 2, and nothing touched. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertToldOnly } from '../commands/troubles.ts';
import { createProgram } from '../support/program.ts';

const wrong: readonly (readonly [words: readonly string[], message: RegExp])[] = [
  [[], /missing required argument 'SOURCE'; see tsbackup --help/],
  [['full'], /missing required argument 'SOURCE'/],
  [['full', 'source'], /missing required argument 'URL'/],
  [['source'], /missing required argument 'URL'/],
  [['restore', 'file://target'], /missing required argument 'DIR'/],
  [['full', 'source', 'file://target', 'extra'], /too many arguments for 'full'/],
  [['fulll', 'source', 'file://target'], /'fulll' is no action \(full is\); see/],
  [['stauts'], /missing required argument 'URL', and 'stauts' is no action \(status is\)/],
  [['--archive-dir', 'cache', 'fulll', 'source', 'file://target'], /and 'fulll' is no action/],
  [['full', '', 'file://target'], /: SOURCE is empty; see tsbackup --help/],
  [['', 'file://target'], /: SOURCE is empty/],
  [['restore', 'file://target', ''], /: DIR is empty/],
  [['verify', 'file://target', ''], /: DIR is empty/],
  [['full', 'source', ''], /: URL is empty/],
  [['full', 'source', 'target'], /'target' is not a URL; for a folder write file:\/\/\/folder/],
  [['full', 'source', 'file://'], /The file URL names no folder/],
  [['full', 'source', 'gopher://host/x'], /gopher:\/\/ are not supported/],
  [['full', 'file://target', 'source'], /in the order SOURCE URL/],
  [['source', '--', 'file://target', 'x'], /too many arguments/],
  [['restore', 'out', 'file://target'], /in the order URL DIR/],
  [['restore', '--rename', '.', 'new', 'file://target', 'out'], /--rename takes two places below the folder/],
  [['verify', 'out', 'file://target'], /in the order URL DIR/],
  [['restore', 'file://target', 'file://target'], /one URL and one folder, not two URLs/],
  [['full', 'file://target', 'file://target'], /one URL and one folder, not two URLs/],
  [['collection-status', 'target'], /target is not a URL/],
  [['list-current-files', 'target'], /target is not a URL/],
  [['full', '--bogus', 'source', 'file://target'], /unknown option '--bogus'/],
  [['full', '--volzise', '1', 'source', 'file://target'], /Did you mean --volsize\?/],
  [['probe', '--dry-run', 'file://target'], /unknown option '--dry-run'/],
  [['full', '--progress=yes', 'source', 'file://target'], /--progress takes no value/],
  [['full', '--copy-links', 'source', 'file://target'], /--copy-links is not supported: symlinks are stored/],
  [['full', 'source', 'file://target', '--volsize'], /'--volsize <MiB>' argument missing/],
  [['full', '--stall-timeout', '9999999', 'source', 'file://target'], /--stall-timeout takes 0 to 1000000,/],
  [['full', '--volsize', '0', 'source', 'file://target'], /--volsize takes 1 to 1000000, not 0/],
  [['full', '--volsize', '1.5', 'source', 'file://target'], /--volsize takes a whole number, not '1.5'/],
  [['full', '--volsize', '-1', 'source', 'file://target'], /--volsize takes a whole number, not '-1'/],
  [['full', '--volsize', '', 'source', 'file://target'], /--volsize takes a whole number, not ''/],
  [
    ['full', '--compression-level', '10', 'source', 'file://target'],
    /--compression-level takes 0 to 9, not 10/,
  ],
  [['--full-if-older-than', 'soon', 'source', 'file://target'], /"soon" is not a time/],
  [['restore', '-t', 'yesterdayish', 'file://target', 'out'], /"yesterdayish" is not a time/],
  [['restore', '-t', '2024-13-01', 'file://target', 'out'], /"2024-13-01" is not a time/],
  [['restore', '-r', '../x', 'file://target', 'out'], /'\.\.\/x' leads out of the backup/],
  [['full', '-v', '77', 'source', 'file://target'], /--verbosity takes 0-9 or one of/],
  [['full', '--name', '', 'source', 'file://target'], /--name takes something that is not empty/],
  [['full', '--name', 'a/b', 'source', 'file://target'], /a\/b/],
  [['full', 'restore', 'source', 'file://target'], /too many arguments for 'full'/],
  [['remove-older-than', '--force', 'file://target'], /missing required argument 'TIME'/],
  [['remove-all-but-n-full', 'file://target'], /missing required argument 'N'/],
  [['full', 'file://target'], /missing required argument 'SOURCE'/],
  [['remove-older-than', 'often', 'file://target'], /"often" is not a time/],
  [['remove-all-but-n-full', '0', 'file://target'], /1 or more, not '0'/],
  [['remove-all-inc-of-but-n-full', 'two', 'file://target'], /1 or more, not 'two'/],
  [['prune', 'file://target'], /say what to keep, for example --keep-daily 7/],
  [['prune', '--keep-last', '1', '--keep-full-min', '0', 'file://target'], /at least one chain/],
  [['prune', '--keep-within', 'long', 'file://target'], /long/],
  [['check', '--sample', '0%', 'file://target'], /--sample takes a share such as 5%.*'0%'/],
  [['check', '--sample', '101%', 'file://target'], /--sample .*'101%'/],
  [['check', '--sample', 'half', 'file://target'], /--sample .*'half'/],
  [['incremental', '--max-delete', '101', 'source', 'file://target'], /--max-delete takes 0 to 100/],
  [['full', '--max-blocksize', '100', 'source', 'file://target'], /--max-blocksize takes 512 to 1048576/],
  [['full', '--no', 'source', 'file://target'], /--no may be --no-/],
  [['remove-all', '1', 'file://target'], /'remove-all' may be remove-all-but-n-full, remove-all-inc/],
  [['full', '--current-time', 'now', 'source', 'file://target'], /--current-time takes seconds/],
  [['full', '--exclude', '[', 'source', 'file://target'], /\[/],
  [['full', '--exclude', '/elsewhere/x', 'source', 'file://target'], /\/elsewhere\/x/],
  [['full', '--exclude-regexp', '(', 'source', 'file://target'], /\(/],
  [['full', '--include-filelist', 'absent', 'source', 'file://target'], /absent/],
  [['full', '--files-from', 'absent', 'source', 'file://target'], /absent/],
  [['full', '--exclude-older-than', 'old', 'source', 'file://target'], /"old" is not a time/],
  [['full', 'source', 'file://source/target'], /source/],
  [['full', '--log-file', 'source', 'source', 'file://target'], /log file source/],
  [['full', '--log-fd', '55', 'source', 'file://target'], /--log-fd 55 is no open file/],
  [['full', '--log-file', '/dev/null', '--log-max-size', 'big', 'source', 'file://target'], /'big'/],
  [['full', '--s3-path-style', 'maybe', 'source', 's3://bucket/x'], /takes yes or no, not 'maybe'/],
  [['full', '--s3-use-ia', '--s3-use-rrs', 'source', 's3://bucket/x'], /do not go together/],
  [['full', '--s3-use-server-side-kms-encryption', 'source', 's3://b/x'], /needs --s3-kms-key-id/],
  [['full', '--upload-limit', '0', 'source', 's3://bucket/x'], /--upload-limit takes 1 to/],
  [['restore', '--download-limit', '0', 's3://bucket/x', 'out'], /--download-limit takes 1 to/],
  [['full', '--timeout', '0', 'source', 's3://bucket/x'], /--timeout takes 1 to/],
  [['full', '--s3-multipart-max-procs', '0', 'source', 's3://bucket/x'], /takes 1 to 1000/],
  [['full', '--s3-multipart-chunk-size', '5000', 'source', 's3://bucket/x'], /takes 1 to 1024/],
  [['restore', '--thaw-tier', 'Warm', 's3://bucket/x', 'out'], /Warm/],
  [['full', 'source', 's3://'], /bucket/i],
  [['run', 'absent'], /there is no profile absent in .*tsbackup init absent/],
  [['run', '../absent'], /absent/],
  [['run', 'a b'], /'a b' can't be the name of a profile/],
  [['run'], /missing required argument 'NAME'/],
  [['status', 'absent'], /there is no profile absent/],
  [['status'], /there is no profile; make one with tsbackup init NAME/],
  [['config', 'eat', 'absent'], /'config' takes check, show or schema, not 'eat'/],
  [['schedule', 'often', 'absent'], /'schedule' takes install, remove or show, not 'often'/],
  [['schedule', 'install', 'absent'], /there is no profile absent/],
  [['full', '--profile', 'absent'], /there is no profile absent/],
];

test('a wrong command line ends with status 2 and one line, and touches nothing', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  writeFileSync(join(program.home, 'source/file'), 'content');
  const outcomes = wrong.map(async ([words, message]) => {
    const result = await program.run(words, { passphrase: 'x' });
    const told = `${words.join(' ')}: ${result.stdout}${result.stderr}`;
    assert.equal(result.status, 2, told);
    assert.match(result.stderr, /^Error: [^\n]+\n$/, told);
    assert.match(result.stderr, message, told);
    assert.equal(result.stdout, '', told);
  });
  await Promise.all(outcomes);
  assert.deepEqual(readdirSync(program.home), ['source']);
  assertToldOnly(await program.run(['full', '--bogus', 'source', 'file://x']), 'a wrong command line');
  assert.ok(!existsSync(join(program.home, '.cache')));
});

test('a source that is not there is told with the action that it is called almost like, if none was named', async t => {
  const program = createProgram(t);
  for (const words of [['chek'], ['./chek'], ['photographs'], ['full', 'chek']]) {
    const isMistyped = words[0] === 'chek';
    const result = await program.run([...words, 'file://target'], { passphrase: 'x' });
    assertToldOnly(result, isMistyped ? 'a mistyped action is taken for a source' : 'the source is gone');
    assert.equal(/did you mean the action check\?$/m.test(result.stderr), isMistyped, result.stderr);
  }
  mkdirSync(join(program.home, 'chek'));
  const { status, stderr } = await program.run(['chek', 'file://target', '--no-encryption']);
  assert.equal(status, 0, stderr);
});

test('options stand before the action, after it, or after the arguments', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  for (const words of [
    ['--no-encryption', '--name', 'full', 'full', 'source', 'file://1'],
    ['full', '--name', 'n', '--no-encryption', 'source', 'file://2'],
    ['source', 'file://3', '--no-encryption', '--name=n3'],
    ['-v', 'notice', '--no-encryption', 'source', 'file://4'],
  ]) {
    const result = await program.run(words);
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stdout, /^NewFiles 1$/m);
  }
});

test('--help and --version print on standard output and end with 0', async t => {
  const program = createProgram(t);
  for (const words of [
    ['--help'],
    ['restore', '--help'],
    ['--version'],
    ['full', '-h'],
    ['help'],
    ['help', 'full'],
  ]) {
    const { status, stdout, stderr } = await program.run(words);
    assert.equal(status, 0);
    assert.equal(stderr, '');
    assert.match(stdout, words.includes('--version') ? /^tsbackup \d+\.\d+\.\d+\n$/ : /Usage: tsbackup/);
  }
});
