/** The recovery kit is followed to the letter: what it says is typed into a shell, on a machine that knows nothing. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { shellWord } from '../../src/profiles/recovery-kit.ts';
import { kitAsHtml, kitAsText } from '../../src/profiles/recovery-pages.ts';
import { expectStatus } from '../support/processes.ts';
import { cliPath, createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { needTool } from '../support/tools.ts';

const PASSPHRASE = 'äpfel & "quotes" <$HOME>';

/** A profile `photos` of a folder with a file of several volumes, and one run of it. */
async function setUp(t: Parameters<typeof createProgram>[0], options = '', url = '') {
  const program = createProgram(t);
  const { home } = program;
  const config = join(home, '.config', 'tsbackup');
  const source = join(home, "Anna's photos");
  mkdirSync(join(source, 'some', 'folder'), { recursive: true });
  mkdirSync(config, { recursive: true });
  writeFileSync(join(source, 'some', 'folder', 'IMG_1.jpg'), createRandom(1).bytes(1_500_000));
  writeFileSync(join(source, 'notes'), 'notes');
  writeFileSync(join(config, 'photos.passphrase'), `${PASSPHRASE}\n`, { mode: 0o600 });
  const target = url || `file://${home}/the disk`;
  const lines = [
    `source = ${JSON.stringify(source)}`,
    `target = ${JSON.stringify(target)}`,
    'passphrase-file = "photos.passphrase"',
    '[options]',
    'volsize = 1',
    options,
  ];
  writeFileSync(join(config, 'photos.toml'), `${lines.join('\n')}\n`);
  return { program, home, source, config };
}

/** The shell commands below a heading of the text, as one script. */
function commandsBelow(kit: string, heading: string): string {
  const [, part = ''] = new RegExp(
    `^${heading}\n-+\n([\\s\\S]*?)(?=\n\n[^\n]+\n---|$(?![\\s\\S]))`,
    'm',
  ).exec(kit)!;
  return part
    .split('\n')
    .flatMap(line => (line.startsWith('    ') ? line.slice(4) : []))
    .join('\n');
}

for (const program of ['duplicity', 'tsbackup']) {
  test(`what the kit says of ${program} gets the backup back`, async t => {
    if (!needTool(t, 'bash') || !needTool(t, 'duplicity')) return;
    const { program: ours, home, source } = await setUp(t, 'file-prefix = "it\'s-"');
    expectStatus(await ours.run(['run', 'photos']));
    const kit = expectStatus(await ours.run(['recovery-kit', 'photos'])).stdout;
    assert.doesNotMatch(kit, /äpfel/);
    assert.match(
      kit,
      /^The passphrase: _+\nThe passphrase is kept: on this computer, in the first line of .*photos\.passphrase$/m,
    );
    const fresh = join(home, 'new machine');
    mkdirSync(join(fresh, 'bin'), { recursive: true });
    symlinkSync(cliPath, join(fresh, 'bin', 'tsbackup'));
    const heading = program === 'duplicity' ? 'With duplicity' : 'With tsbackup';
    const script = commandsBelow(kit, heading).replace(/^sudo .*\n/m, '');
    assert.match(script, new RegExp(`${program} restore -t 2W -r`));
    execFileSync('bash', ['-ec', script.replace('-t 2W', '-t now')], {
      input: `${PASSPHRASE}\n`,
      env: { PATH: `${fresh}/bin:${process.env.PATH}`, HOME: fresh, LC_ALL: 'C.UTF-8' },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    assertSameTree(snapshotTree(join(fresh, 'restored')), snapshotTree(source));
    const folder = join(fresh, 'restored-folder');
    assertSameTree(snapshotTree(folder), snapshotTree(join(source, 'some/folder')));
  });
}

test('volumes can be taken apart without either program, as the kit says', async t => {
  if (!['bash', 'tar', 'gzip', 'rdiff'].every(tool => needTool(t, tool))) return;
  const { program, home, source } = await setUp(t, 'no-encryption = true');
  expectStatus(await program.run(['run', 'photos']));
  const kit = expectStatus(await program.run(['recovery-kit', 'photos'])).stdout;
  assert.match(kit, /The archive is not encrypted: whoever has it can read it\./);
  assert.doesNotMatch(kit, /PASSPHRASE/);
  const folder = join(home, 'the disk');
  const script = commandsBelow(kit, 'With neither').replaceAll('some/folder/file', 'some/folder/IMG_1.jpg');
  const [apart = '', join1 = '', patch = ''] = script.trim().split('\n');
  const image = join(source, 'some/folder/IMG_1.jpg');
  const follow = (commands: string, cwd: string) =>
    execFileSync('bash', ['-ec', commands], { cwd, env: { ...process.env, HOME: home } });
  follow(`${apart}\n${join1}`, folder);
  assert.ok(readFileSync(join(home, 'file')).equals(readFileSync(image)));
  assert.equal(readFileSync(join(folder, 'snapshot', 'notes'), 'utf8'), 'notes');

  appendFileSync(image, 'changed');
  writeFileSync(join(source, 'new'), 'new');
  expectStatus(await program.run(['run', 'photos']));
  const newer = join(home, 'newer');
  mkdirSync(newer);
  const volumes = readdirSync(folder).filter(name => /duplicity-inc.*difftar/.test(name));
  for (const name of volumes) copyFileSync(join(folder, name), join(newer, name));
  follow(`${apart}\n${patch}`, newer);
  assert.ok(readFileSync(join(home, 'newer-file')).equals(readFileSync(image)));
  assert.equal(readFileSync(join(newer, 'snapshot', 'new'), 'utf8'), 'new');
});

test('secrets are in the kit only when they are wanted, in a file that only its owner can read', async t => {
  const { program, home, config } = await setUp(
    t,
    [
      'encrypt-key = ["ann@example.org"]',
      'encrypt-secret-keyring = ["ann-secret.asc"]',
      's3-region-name = "eu-west-1"',
      '[s3]',
      'access-key-id = "AKIAEXAMPLE"',
      'secret-access-key-file = "s3.secret"',
    ].join('\n'),
    's3+http://127.0.0.1:9000/bucket/deep/prefix',
  );
  writeFileSync(join(config, 's3.secret'), 'very/secret+key\n', { mode: 0o600 });
  writeFileSync(join(config, 'ann-secret.asc'), '-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nabc\n');
  const open = expectStatus(await program.run(['recovery-kit', 'photos'])).stdout;
  assert.doesNotMatch(open, /very\/secret|äpfel|BEGIN PGP/);
  const restore = 'boto3+s3://bucket/deep/prefix ~/restored';
  const service = '--s3-endpoint-url http://127.0.0.1:9000 --s3-region-name eu-west-1';
  assert.ok(open.includes(`duplicity restore ${service} ${restore}`), open);
  assert.ok(open.includes('export AWS_ACCESS_KEY_ID=AKIAEXAMPLE'));
  assert.match(open, /Encrypted to: ann@example\.org/);

  const file = join(home, 'kit.html');
  const args = ['recovery-kit', 'photos', '--with-secrets', '--output', file];
  assert.match(expectStatus(await program.run(args)).stdout, /It holds secrets: print it and delete it\.\n$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const page = readFileSync(file, 'utf8');
  assert.match(page, /<dd>äpfel &amp; &quot;quotes&quot; &lt;\$HOME&gt;<\/dd>/);
  assert.match(page, /<dd>very\/secret\+key<\/dd>/);
  assert.match(page, /<pre>-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nabc<\/pre>/);
  const again = await program.run(args);
  assert.match(
    expectStatus(again, 2).stderr,
    /^Error: can't write .*kit\.html: EEXIST.*; delete it or name another file\n$/,
  );
});

test('the kit names the service with the scheme that backups use', async t => {
  const options = (...lines: readonly string[]) =>
    setUp(t, ['s3-endpoint-url = "minio.lan:9000"', ...lines].join('\n'), 's3://bucket/photos');
  const plain = await options('s3-unencrypted-connection = true');
  const kit = expectStatus(await plain.program.run(['recovery-kit', 'photos'])).stdout;
  assert.match(kit, /^ *duplicity restore --s3-endpoint-url http:\/\/minio\.lan:9000 /m);
  const encrypted = await options();
  const other = expectStatus(await encrypted.program.run(['recovery-kit', 'photos'])).stdout;
  assert.match(other, /^ *duplicity restore --s3-endpoint-url https:\/\/minio\.lan:9000 /m);
});

test('a private key that is gone is told in one line', async t => {
  const { program } = await setUp(t, 'encrypt-key = "A"\nencrypt-secret-keyring = "gone.asc"');
  expectStatus(await program.run(['recovery-kit', 'photos']));
  const { stderr } = expectStatus(await program.run(['recovery-kit', 'photos', '--with-secrets']), 2);
  assert.match(stderr, /^Error: can't read the private key: ENOENT[^\n]*gone\.asc'\n$/);
});

test('pages escape what HTML reads as its own, and words of a shell are quoted', () => {
  const blocks = [
    { kind: 'title', text: '<&">' },
    { kind: 'facts', rows: [['a<b', undefined]] },
  ] as const;
  assert.match(kitAsHtml(blocks), /<title>&lt;&amp;&quot;&gt;<\/title>/);
  assert.match(kitAsHtml(blocks), /<dt>a&lt;b<\/dt><dd class="blank"><\/dd>/);
  assert.equal(kitAsText(blocks), `<&">\n====\n\na<b: ${'_'.repeat(40)}\n`);
  assert.equal(shellWord('file:///a/b'), 'file:///a/b');
  assert.equal(shellWord("it's $1"), `'it'\\''s $1'`);
  assert.equal(shellWord(''), "''");
});
