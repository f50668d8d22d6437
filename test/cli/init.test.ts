/** `init` as a script answers it; what people see of it is in terminal.test.ts. */

import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeFiles } from '../../src/cli/init-files.ts';
import { createGpgHome } from '../keys/support.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram, type Program } from '../support/program.ts';
import { startS3Server } from '../support/s3-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needRoot, needTool } from '../support/tools.ts';

function sourceOf({ home }: Program): string {
  const source = join(home, 'photos');
  mkdirSync(source);
  writeFileSync(join(source, 'one'), 'first');
  return source;
}

const lines = (...answers: readonly string[]) => `${answers.join('\n')}\n`;
const profileOf = ({ home }: Program) => readFileSync(join(home, '.config/tsbackup/photos.toml'), 'utf8');

test('init tries a key: with its passphrase runs check, without the private key they prove checksums', async t => {
  if (!needTool(t, 'gpg')) return;
  const gpg = createGpgHome(t);
  const name = 'Anna <anna@example.org>';
  gpg.makeKey({ name, algorithm: 'ed25519', encryption: 'cv25519', passphrase: 'of the key' });
  const env = { GNUPGHOME: gpg.home };
  const program = createProgram(t);
  const source = sourceOf(program);
  const init = (key: string, passphrase: string) =>
    program.run(['init', 'photos'], {
      input: lines(source, 'target', 'key', key, passphrase, 'Mon 21:15', ''),
      env,
    });
  assert.match(expectStatus(await init('bea@example.org', ''), 2).stderr, /no key bea@example\.org/);
  gpg.forget();
  assert.match(expectStatus(await init('anna@example.org', 'wrong'), 12).stderr, /with this passphrase/);
  gpg.forget();
  const made = expectStatus(await init('anna@example.org', 'of the key'));
  assert.doesNotMatch(made.stdout + made.stderr, /of the key/);
  assert.match(profileOf(program), /^check = "5%"$/m);
  assert.equal(statSync(join(program.home, '.config/tsbackup/photos.passphrase')).mode & 0o777, 0o600);
  gpg.forget();
  assert.match(expectStatus(await program.run(['run', 'photos'], { env })).stdout, /no fault found/);

  const other = createProgram(t);
  const file = gpg.exportKey('anna@example.org', 'public');
  const answers = lines(sourceOf(other), 'target', 'key', file, '', 'never', '');
  const asked = expectStatus(await other.run(['init', 'photos'], { input: answers }));
  assert.match(asked.stderr, /can be made with this key, but not opened here: checks prove only checksums/);
  assert.match(profileOf(other), /^check = "5%"$/m);
  assert.match(expectStatus(await other.run(['run', 'photos'])).stdout, /proved by their checksums alone/);
  writeFileSync(join(other.home, 'photos', 'two'), 'second');
  assert.match(expectStatus(await other.run(['run', 'photos'])).stdout, /^RawDeltaSize 6 /m);
});

test('init keeps the options that were typed and those that the target needs', async t => {
  const server = await startS3Server();
  t.after(() => server.close());
  const proxy = await startFaultProxy(server.port, () => undefined);
  t.after(() => proxy.close());
  const program = createProgram(t);
  const source = sourceOf(program);
  const answers = (bucket: string) =>
    lines(source, `s3://${bucket}/photos`, 'S3RVER', 'S3RVER', 'generated', 'monthly', '');
  const env = { AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/dev/null' };
  const init = (bucket: string, ...options: readonly string[]) =>
    program.run(['init', 'photos', ...options], { input: answers(bucket), env });
  const plain = ['--s3-endpoint-url', proxy.url.replace('http://', '')];
  const refused = await init('bucket', ...plain);
  assert.match(expectStatus(refused, 13).stderr, /call tsbackup init with --s3-unencrypted-connection/);
  const typed = [...plain, '--s3-unencrypted-connection', '--file-prefix', 'pi-'];
  const wrong = await init('nowhere', ...typed);
  assert.match(expectStatus(wrong, 13).stderr, /^Error: s3:\/\/nowhere\/photos can't be used: .*no bucket/m);
  expectStatus(await init('bucket', ...typed));
  const profile = profileOf(program);
  for (const line of ['s3-unencrypted-connection = true', 'file-prefix = "pi-"', 'max-age = "33D"']) {
    assert.ok(profile.includes(`\n${line}\n`), profile);
  }
  expectStatus(await program.run(['run', 'photos'], { env }));
});

test('init has a passphrase hashed less that it made itself, and no other', async t => {
  const hashing = /^gpg-options = (.*)$/m;
  const initFor = async (encryption: readonly string[], ...options: string[]) => {
    const program = createProgram(t);
    const input = lines(sourceOf(program), 'target', ...encryption, 'never', '');
    expectStatus(await program.run(['init', 'photos', ...options], { input }));
    return program;
  };
  const program = await initFor(['generated']);
  assert.equal(hashing.exec(profileOf(program))?.[1], '"--s2k-count 1048576"');
  const { stderr } = expectStatus(await program.run(['run', 'photos']));
  assert.equal(stderr, '');
  const folder = join(program.home, 'target');
  for (const name of readdirSync(folder)) {
    const packet = readFileSync(join(folder, name)).subarray(2, 15);
    assert.deepEqual([...packet.subarray(0, 4), packet[12]], [4, 9, 3, 8, 0xa0], name); // RFC 9580 §5.3.1
  }
  assert.doesNotMatch(profileOf(await initFor(['passphrase', 'x', 'x'])), hashing);
  const typed = await initFor(['generated'], '--gpg-options=--s2k-count 65011712');
  assert.equal(hashing.exec(profileOf(typed))?.[1], '["--s2k-count 65011712"]');
});

test('init refuses what it can not keep before it asks, and keeps nothing that is no option', async t => {
  const program = createProgram(t);
  const source = sourceOf(program);
  const input = lines(source, 'target', 'passphrase', 'x', 'x', 'never', '');
  const init = (...words: readonly string[]) => program.run(['init', ...words, 'photos'], { input });
  const foreign = expectStatus(await init('--volsize', '3'), 2).stderr;
  assert.equal(
    foreign,
    'Error: --volsize means nothing to init; write it into the profile that init makes\n',
  );
  expectStatus(await init('--asynchronous-upload'));
  assert.doesNotMatch(profileOf(program), /foreign|asynchronous/);
});

test('writeFiles() leaves nothing of a try that fails, and what was there before', t => {
  const folder = tempDir(t);
  const [first, second, inNone] = ['first', 'second', 'none/third'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(second, 'old');
  assert.throws(
    () =>
      writeFiles([
        [first, 'new'],
        [second, 'new'],
      ]),
    /second is there already/,
  );
  assert.throws(
    () =>
      writeFiles([
        [first, 'new'],
        [inNone, 'new'],
      ]),
    /can't write .*none\/third: ENOENT/,
  );
  assert.deepEqual(readdirSync(folder), ['second']);
  assert.equal(readFileSync(second, 'utf8'), 'old');
  writeFiles([[first, 'new']]);
  assert.equal(statSync(first).mode & 0o777, 0o600);
});

test('init takes no port that there can not be', async t => {
  const program = createProgram(t);
  const mail = ['anna@example.org', 'error', '', 'localhost'];
  const input = lines(sourceOf(program), 'target', 'none', 'never', ...mail, '99999', 'none', '', 'no');
  const { stderr } = expectStatus(await program.run(['init', 'photos'], { input }), 2);
  assert.match(stderr, /^Error: '99999' is no port$/m);
});

test('init takes no target that lies in the source', async t => {
  const program = createProgram(t);
  const input = lines(program.home, 'backups', 'none', 'never', '');
  const { stderr } = expectStatus(await program.run(['init', 'photos'], { input }), 2);
  assert.match(stderr, /^Error: the target .*backups lies in the source/m);
  assert.ok(!existsSync(join(program.home, 'backups')));
});

test('init keeps paths as they were meant where it was called', async t => {
  const program = createProgram(t);
  const input = lines(sourceOf(program), 'target', 'none', 'never', '');
  const words = ['--archive-dir', 'cache here', '--log-file', '~/run.log', '--name', 'own'];
  expectStatus(await program.run(['init', 'photos', ...words], { input }));
  const profile = profileOf(program);
  for (const [option, value] of [
    ['archive-dir', join(program.home, 'cache here')],
    ['log-file', join(program.home, 'run.log')],
    ['name', 'own'],
  ] as const) {
    assert.ok(profile.includes(`\n${option} = "${value}"\n`), profile);
  }
});

test("init writes root's profiles where those of the machine are, and anybody finds them there", async t => {
  if (!needRoot(t, 'other users have a folder of their own')) return;
  const program = createProgram(t);
  const source = sourceOf(program);
  const input = lines(source, 'target', 'generated', 'never', '');
  expectStatus(await program.run(['init', 'photos'], { input, env: { XDG_CONFIG_HOME: '' } }));
  const { stdout } = expectStatus(await program.run(['config', 'show', 'photos']));
  assert.match(stdout, new RegExp(`^# ${join(program.home, 'etc/photos.toml')}\n`));
  assert.match((await program.run(['status'])).stdout, /^photos: it has never run/);
});

test('a file in place of the folder of profiles is told in one line', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, '.config'));
  writeFileSync(join(program.home, '.config/tsbackup'), '');
  const status = expectStatus(await program.run(['status']), 1).stderr;
  assert.match(status, /^Error: can't look for profiles in .*\.config\/tsbackup: ENOTDIR[^(]*\n$/);
  const init = expectStatus(await program.run(['init', 'x']), 1).stderr;
  assert.match(init, /^Error: profiles can't be written to .*\.config\/tsbackup: EEXIST[^(]*\n$/);
});

test('init says before the first question that it can not write profiles', async t => {
  if (!needRoot(t, 'needs a user of its own')) return;
  const program = createProgram(t, 65534);
  const config = join(program.home, 'of root');
  mkdirSync(config);
  chmodSync(config, 0o755);
  const { stderr } = expectStatus(await program.run(['init', 'x'], { env: { XDG_CONFIG_HOME: config } }), 1);
  assert.match(stderr, /^Error: profiles can't be written to .*of root\/tsbackup: EACCES.*\n$/);
  assert.ok(!existsSync(join(config, 'tsbackup')));
});
