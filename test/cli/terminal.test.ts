/** What people see who type: questions on a real terminal. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { converse } from '../support/terminal.ts';
import { needTool } from '../support/tools.ts';

test('init asks until the answers can be used, hides what is secret, and writes a profile that works', async t => {
  if (!needTool(t, 'python3')) return;
  const program = createProgram(t);
  const source = join(program.home, 'pictures');
  mkdirSync(source);
  writeFileSync(join(source, 'one'), 'first');
  writeFileSync(join(program.home, 'film'), '');
  const { status, screen } = await converse(
    program,
    ['init'],
    [
      ['Name of the profile', 'no/name'],
      ['Name of the profile', 'photos'],
      ['What to back up', '~/absent'],
      ['What to back up', '~/pictures'],
      ['Where to', '~/pictures/one/below'],
      ['Where to', '~/film/below'],
      ['Where to', '~/target'],
      ['Encrypt with', 'what?'],
      ['Encrypt with', 'pass'],
      ['Passphrase: ', 'grün und blau'],
      ['The same once more: ', 'grün und gelb'],
      ['Passphrase: ', 'grün und blau'],
      ['The same once more: ', 'grün und blau'],
      ['When (', 'sometimes'],
      ['When (', 'Mon 21:15'],
      ['Who gets a mail', 'anna@example.org'],
      ['When: always', 'error'],
      ['From which address', ''],
      ['Mail server', '127.0.0.1'],
      ['Its port', '1'],
      ['Encryption', 'none'],
      ['User', ''],
      ['Send a test mail now', 'yes'],
      ['Who gets a mail', ''],
    ],
  );
  assert.equal(status, 0, screen);
  assert.doesNotMatch(screen, /grün/);
  const refused = [
    /one\/below lies in the source /,
    /film\/below can't be used: .*ENOTDIR/,
    /the mail could not be sent through 127\.0\.0\.1:1/,
  ];
  for (const said of [
    ...refused,
    /there is no .*absent/,
    /'what\?' is none of these/,
    /The two differ; once more/,
  ]) {
    assert.match(screen, said);
  }
  assert.match(screen, /schedule install photos$/m);
  const folder = join(program.home, '.config', 'tsbackup');
  const secret = join(folder, 'photos.passphrase');
  assert.equal(readFileSync(secret, 'utf8'), 'grün und blau\n');
  assert.equal(statSync(secret).mode & 0o777, 0o600);
  assert.match(readFileSync(join(folder, 'photos.toml'), 'utf8'), /^schedule = "Mon 21:15"$/m);
  expectStatus(await program.run(['run', 'photos']));
  expectStatus(await program.run(['restore', '--profile', 'photos', 'back']));
  assertSameTree(snapshotTree(join(program.home, 'back')), snapshotTree(source));
});

test('Ctrl-C at a question of init ends it at once, and nothing is written', async t => {
  if (!needTool(t, 'python3')) return;
  const program = createProgram(t);
  const { status, screen } = await converse(
    program,
    ['init', 'photos'],
    [
      ['What to back up', ''],
      ['Where to', '\u0003'],
    ],
  );
  assert.equal(status, 130, screen);
  assert.match(screen, /\nInterrupted\.\n/);
  assert.deepEqual(readdirSync(join(program.home, '.config', 'tsbackup')), []);
});

test('a backup asks for its passphrase twice, a restore once; neither shows it', async t => {
  if (!needTool(t, 'python3')) return;
  const program = createProgram(t);
  const source = join(program.home, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'one'), 'first');
  const backedUp = await converse(
    program,
    ['full', 'source', 'file://target'],
    [
      ['Passphrase of the backup: ', ''],
      ['Passphrase of the backup: ', 'hidden\u007fn'], // backspace takes a letter back
      ['The same once more: ', 'hidden'],
      ['Passphrase of the backup: ', 'hidden'],
      ['The same once more: ', 'hidden'],
    ],
  );
  assert.equal(backedUp.status, 0, backedUp.screen);
  assert.match(backedUp.screen, /An empty passphrase would protect nothing/);
  const restored = await converse(
    program,
    ['restore', 'file://target', 'back'],
    [['Passphrase of the backup: ', 'hidden']],
  );
  assert.equal(restored.status, 0, restored.screen);
  assert.doesNotMatch(backedUp.screen + restored.screen, /hidd/);
  assertSameTree(snapshotTree(join(program.home, 'back')), snapshotTree(source));
});

test('Ctrl-C at a hidden question leaves the terminal as it was, and touches nothing', async t => {
  if (!needTool(t, 'python3')) return;
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  const { status, screen } = await converse(
    program,
    ['full', 'source', 'file://target'],
    [['Passphrase of the backup: ', '\u0003']],
  );
  assert.equal(status, 130, screen);
  assert.match(screen, /\nInterrupted; earlier backups stay as they are/);
  assert.equal(statSync(join(program.home, 'target'), { throwIfNoEntry: false }), undefined);
  const { status: ofInit } = await converse(
    program,
    ['init', 'photos'],
    [
      ['What to back up', 'source'],
      ['Where to', 'target'],
      ['Encrypt with', ''],
      ['Passphrase: ', '\u0003'],
    ],
  );
  assert.equal(ofInit, 130);
});

test('a list shows names that would steer the terminal, and gives programs their bytes', async t => {
  if (!needTool(t, 'python3')) return;
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  for (const name of ['\x1b]0;title\x07', 'grün']) writeFileSync(join(program.home, 'source', name), '');
  const url = `file://${join(program.home, 'target')}`;
  expectStatus(await program.run(['full', '--no-encryption', 'source', url]), 0);
  const { status, screen } = await converse(program, ['list-current-files', url], []);
  assert.equal(status, 0);
  assert.match(screen, / \\x1b\]0;title\\x07\n/);
  assert.match(screen, / grün\n/);
  assert.ok(!screen.includes('\x1b]'));
  const piped = await program.run(['list-current-files', url]);
  assert.ok(piped.stdout.includes('\x1b]0;title\x07\n'));
});

test('a terminal that goes away ends a backup in order; without one SIGHUP begins the log anew', async t => {
  if (!needTool(t, 'python3')) return;
  const program = createProgram(t);
  const { home } = program;
  mkdirSync(join(home, 'source'));
  for (let i = 0; i < 20; i++) writeFileSync(join(home, 'source', `${i}`), createRandom(i).bytes(4_000_000));
  const command = ['full', '--no-encryption', '--volsize', '1', '-v', 'info', '--log-file', 'log', 'source'];
  const lost = await converse(program, [...command, 'file://target'], [['Processed volume 1', 'hang up']]);
  assert.equal(lost.status, 129);
  assert.match(readFileSync(join(home, 'log'), 'utf8'), / END full .*: status 129\n$/);

  const running = program.start([...command, 'file://other']);
  await new Promise<void>(resolve => {
    running.child.stdout!.on('data', chunk => String(chunk).includes('Processed volume 1') && resolve());
  });
  renameSync(join(home, 'log'), join(home, 'log.old'));
  running.kill('SIGHUP');
  expectStatus(await running.done);
  assert.match(readFileSync(join(home, 'log'), 'utf8'), / END full .*: status 0\n$/);
});
