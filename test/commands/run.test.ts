/** `run NAME` where something is wrong with the profile itself: nobody sits there, so it has to be told by mail. */

import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatProfileStatus, statusOfProfile } from '../../src/commands/profile-status.ts';
import { runProfile } from '../../src/commands/run.ts';
import { mailOf } from '../../src/notices/mail-text.ts';
import type { RunOutcome } from '../../src/notices/run-outcome.ts';
import { createTestHost } from '../support/host.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { createSleepingSource } from '../support/sleeping-source.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A folder for profiles, a source with a file, and a sendmail that keeps the newest mail. */
function setUp(t: TestContext) {
  const program = createProgram(t);
  const { home } = program;
  const config = join(home, '.config', 'tsbackup');
  for (const folder of [config, join(home, 'source')]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(home, 'source', 'one'), 'first');
  const sendmail = join(home, 'sendmail');
  const mail = join(home, 'mail');
  writeFileSync(sendmail, `#!/bin/sh\ncat > '${mail}'\n`);
  chmodSync(sendmail, 0o755);
  return { program, home, config, sendmail, mail };
}

test('a slip in a profile and a secret that is gone are told by mail and by status, and what was typed is not', async t => {
  const { program, home, config, sendmail, mail } = setUp(t);
  const profile = (options: string, more = '') => `source = "${home}/source"
target = "file://${home}/target"
passphrase-file = "p.passphrase"
[options]
${options}
${more}
[mail]
to = ["anna@example.org"]
transport = "sendmail"
sendmail = "${sendmail}"
`;
  const write = (text: string) => writeFileSync(join(config, 'p.toml'), text);
  const subjectAndReason = () => {
    const text = readFileSync(mail, 'utf8').replaceAll('=\n', '');
    rmSync(mail);
    return /^Subject: (\[\w+\])/m.exec(text)![1] + /\n\n(.*)/.exec(text)![1]!;
  };

  write(profile('volsize = 10'));
  expectStatus(await program.run(['run', 'p']), 2);
  assert.match(subjectAndReason(), /^\[ERR\]No backup was made: .*p\.passphrase/);
  assert.match(
    expectStatus(await program.run(['status', 'p', '--max-age', '8d']), 1).stdout,
    /^p: the last run failed[\s\S]*p\.passphrase/,
  );

  writeFileSync(join(config, 'p.passphrase'), 'right\n', { mode: 0o600 });
  write(profile('volsize = "ten"'));
  expectStatus(await program.run(['run', 'p']), 2);
  assert.match(subjectAndReason(), /^\[ERR\]No backup was made: --volsize takes a whole number, not 'ten'/);

  write(profile('', '[s3]\naccess-key-id = "id"\nsecret-access-key-file = "p.s3"\n'));
  expectStatus(await program.run(['run', 'p']), 2);
  assert.match(subjectAndReason(), /^\[ERR\]No backup was made: .*p\.s3/);

  write(profile(`log-file = "${home}/source"`));
  assert.match(expectStatus(await program.run(['run', 'p'])).stderr, /^Warning: can't write the log file /);
  assert.match(subjectAndReason(), /^\[ok\]Backed up: /);
  assert.match(
    expectStatus(await program.run(['run', 'p', '--volsize', 'x']), 2).stderr,
    /^Error: --volsize/,
  );
  assert.throws(subjectAndReason, 'who types sees it');
});

test('a profile that is no TOML, or has an unknown key, is told by mail, ping, metrics, log and status', async t => {
  const { program, home, config, sendmail, mail } = setUp(t);
  const file = join(config, 'p.toml');
  const write = (slip: string, sent = sendmail) =>
    writeFileSync(
      file,
      `source = "${home}/source"\ntarget = "file://${home}/target"\nmetrics-file = "${home}/metrics"\n${slip}
[mail]\nto = "anna@example.org"\ntransport = "sendmail"\nsendmail = "${sent}"\n`,
    );
  const run = async (...more: string[]) => expectStatus(await program.run(['run', 'p', ...more]), 2).stderr;
  const received = () => {
    const text = readFileSync(mail, 'utf8').replaceAll('=\r\n', '').replaceAll('=\n', '');
    rmSync(mail);
    return text;
  };

  write('passphrase = "secret');
  assert.match(await run(), /^Error: .*p\.toml: line 4 \(passphrase\): [^\n]+\n$/);
  const first = received();
  assert.match(first, /^Subject: \[ERR\] backup p @ /m);
  assert.match(first, /No backup was made: .*p\.toml: line 4 \(passphrase\): /);
  assert.doesNotMatch(first, /secret/);
  assert.match(readFileSync(join(home, 'metrics'), 'utf8'), /^tsbackup_last_run_status\{profile="p"\} 2$/m);
  const log = join(home, '.local/state/tsbackup/p/log');
  assert.match(readFileSync(log, 'utf8'), / ERROR .*p\.toml: line 4 .*\n.* END run p: status 2\n$/);

  write('[options]\nvolsise = 5');
  await run('--dry-run');
  assert.throws(received, 'nothing was to be run');
  await run();
  assert.match(received(), /p\.toml: line 5: volsise is not known in \[options\]; did you mean volsize\?/);
  const told = await program.run(['status', 'p']);
  assert.match(expectStatus(told, 2).stderr, /p\.toml: line 5: volsise/);

  write('[options]\nvolsise = 5', '/absent');
  const [warning, error] = (await run()).split('\n');
  assert.match(warning!, /^Warning: the mail could not be sent .* kept for the next run$/);
  assert.match(error!, /^Error: .*volsise/);
  write('[options]\nno-encryption = true');
  const status = expectStatus(await program.run(['status', 'p']), 1).stdout;
  assert.match(status, /^p: the last run failed[\s\S]*No backup was made: .*volsise/);
  expectStatus(await program.run(['run', 'p']));
});

/** A source and the profile `p`, which mails what is not well. */
function createMailing(t: TestContext, lines: { readonly top?: string; readonly options?: string } = {}) {
  const { program, home, config, sendmail, mail } = setUp(t);
  writeFileSync(
    join(config, 'p.toml'),
    `source = "${home}/source"\ntarget = "file://${home}/target"\n${lines.top ?? ''}
[options]\nno-encryption = true\n${lines.options ?? ''}
[mail]\nto = "anna@example.org"\non = "error"\ntransport = "sendmail"\nsendmail = "${sendmail}"\n`,
  );
  return { program, home, mail: () => readFileSync(mail, 'utf8').replaceAll('=\n', '') };
}

test('a run that can write neither its state nor the archive cache is told by mail, and one that can do with a warning', async t => {
  const { program, home, mail } = createMailing(t, { top: 'metrics-file = "~/metrics"' });
  mkdirSync(join(home, '.local'));
  writeFileSync(join(home, '.local', 'state'), 'a disk that is full or read-only can hold no state either');
  const well = expectStatus(await program.run(['run', 'p']));
  assert.match(well.stderr, /^Warning: can't make \S+\/state\/tsbackup\/p: .*ENOTDIR/m);
  assert.match(readFileSync(join(home, 'metrics'), 'utf8'), /^tsbackup_last_run_status\{profile="p"\} 0$/m);
  assert.match(mail(), /^Subject: \[warn\] backup p /m);
  assert.match(
    mail(),
    /^Backed up: .*\nNeither "tsbackup status" nor the next run will know of this one: .*ENOTDIR/m,
  );
  rmSync(join(home, '.cache'), { recursive: true });
  writeFileSync(join(home, '.cache'), 'on the same disk');
  expectStatus(await program.run(['run', 'p']), 1);
  assert.match(mail(), /^Subject: \[ERR\][\s\S]*\n\nNo backup was made: The archive cache fails/m);

  for (const name of ['.cache', '.local/state']) rmSync(join(home, name));
  mkdirSync(join(home, '.local/state/tsbackup/p/state.json.new'), { recursive: true });
  const unwritten = expectStatus(await program.run(['run', 'p'])).stderr;
  assert.match(unwritten, /^Warning: can't write \S+\/state\.json: /m);

  rmSync(join(home, 'source'), { recursive: true });
  expectStatus(await program.run(['run', 'p']), 75);
  assert.match(mail(), /^Subject: \[ERR\] backup p /m);
});

test('a command that fails after a backup is told, and the backup counts as made', async t => {
  const { program, mail } = createMailing(t, { top: 'check = "100%"', options: 'post-command = "exit 7"' });
  expectStatus(await program.run(['run', 'p']), 1);
  assert.match(mail(), /^Subject: \[warn\] backup p /m);
  assert.match(mail(), /^Backed up, but the command of --post-command ended with status 7: 2 new, /m);
  assert.match(mail(), /^Check complete: .*no fault found/m);
  const { stdout } = expectStatus(await program.run(['status', 'p']), 3);
  assert.match(stdout, /last success +\w/);
  assert.match(stdout, /but the command of --post-command ended with status 7/);
});

test('runs that are killed one after the other are told of before the next one can be killed', async t => {
  const { program, home, mail } = createMailing(t, {
    options: 'pre-command = "test -e well || kill -9 $PPID"',
  });
  const run = () => program.run(['run', 'p']);
  for (const _ of [1, 2]) assert.equal((await run()).signal, 'SIGKILL');
  assert.throws(mail, 'one may have been an accident');
  assert.equal((await run()).signal, 'SIGKILL');
  assert.match(mail(), /^Subject: \[ERR\] backup p /m);
  assert.match(
    mail(),
    /^The last 2 runs, of \w.* to .*, never ended: they were killed, or the power failed\. /m,
  );
  writeFileSync(join(home, 'well'), '');
  expectStatus(await run());
  assert.match(mail(), /^The last 3 runs, of .* never ended/m);
  rmSync(join(home, 'mail'));
  rmSync(join(home, 'well'));
  assert.equal((await run()).signal, 'SIGKILL');
  writeFileSync(join(home, 'well'), '');
  expectStatus(await run());
  assert.throws(mail, 'it counts from the last one that ended');
});

test('the mail of a run that was ended goes before the next one can be ended', async t => {
  const { program, mail } = createMailing(t, { options: 'pre-command = "kill -TERM $PPID; sleep 20"' });
  const run = async () => expectStatus(await program.run(['run', 'p']), 143);
  await run();
  assert.throws(mail, 'it has no time');
  await run();
  assert.match(mail(), /^Subject: \[ERR\] backup p [\s\S]*ended by SIGTERM/m);
});

test('after damage in the newest chain a run makes a full backup, unless somebody has made one', async t => {
  const program = createProgram(t);
  const { home } = program;
  const target = join(home, 'target');
  const config = join(home, '.config', 'tsbackup');
  for (const folder of [config, join(home, 'source')]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(home, 'source', 'one'), 'first');
  writeFileSync(
    join(config, 'p.toml'),
    `source = "${home}/source"\ntarget = "file://${target}"\ncheck = "100%"\n[options]\nno-encryption = true\n`,
  );
  let time = 1_700_000_000;
  const call = async (status: number, ...words: string[]) => {
    time += 1000;
    return expectStatus(await program.run([...words, '--current-time', String(time)]), status);
  };
  const sets = () =>
    readdirSync(target)
      .filter(name => name.endsWith('.manifest'))
      .map(name => /^duplicity-(full|inc)\./.exec(name)![1]);
  await call(0, 'run', 'p');
  const volume = join(target, readdirSync(target).find(name => name.includes('.vol1.'))!);
  writeFileSync(volume, 'damaged');
  const log = join(home, '.local/state/tsbackup/p/log');
  await call(1, 'run', 'p');
  assert.match(readFileSync(log, 'utf8'), / WARNING the newest chain, begun by the full backup of /);
  assert.match(
    (await call(1, 'status', 'p')).stdout,
    /last check .*, faults found; the next run makes a full backup$/m,
  );

  await call(1, 'run', 'p');
  assert.deepEqual(sets().sort(), ['full', 'full', 'inc'], 'a full one, and the old chain is still damaged');
  assert.doesNotMatch((await call(1, 'status', 'p')).stdout, /the next run makes/);
  await call(1, 'run', 'p');
  assert.deepEqual(sets().sort(), ['full', 'full', 'inc', 'inc'], 'the newest chain is whole');

  const newest = readdirSync(target)
    .filter(name => /^duplicity-full.*\.vol1\./.test(name))
    .sort()
    .at(-1)!;
  writeFileSync(join(target, newest), 'damaged too');
  await call(1, 'run', 'p');
  await call(0, 'full', '--profile', 'p');
  await call(1, 'run', 'p');
  assert.deepEqual(sets().filter(type => type === 'full').length, 3, 'somebody was faster');
});

test('status tells a backup that left something out as that, and as too old when it is', () => {
  const now = 1_000_000;
  const run = { started: 0, ended: now - 7 * 86_400, verdict: 'warn', status: 3, summary: '' } as const;
  const state = { runs: [run], lastSuccess: undefined, running: undefined, archive: undefined };
  const verdict = (days: number) =>
    statusOfProfile({
      ...{ profile: 'p', state: { ...state, lastCheck: undefined }, now },
      ...{ maxAge: days * 86_400, nextRun: undefined },
    }).verdict;
  assert.deepEqual([verdict(8), verdict(6)], ['warn', 'too-old']);
});

test('a success that a wrong clock has dated in years to come does not keep status content until then', () => {
  const now = 1_800_000_000;
  const request = (ended: number) => {
    const run = { started: ended - 60, ended, verdict: 'ok', status: 0, summary: '' } as const;
    const state = { runs: [run], lastSuccess: ended, running: undefined, archive: undefined };
    return {
      ...{ profile: 'p', state: { ...state, lastCheck: undefined }, now },
      ...{ maxAge: 86_400, nextRun: undefined },
    };
  };
  const ahead = statusOfProfile(request(now + 1000 * 86_400));
  assert.deepEqual([ahead.verdict, ahead.status, ahead.age], ['too-old', 1, undefined]);
  assert.match(formatProfileStatus(ahead, now), /last success .* \(the clock was wrong then, or is now\)$/m);
  assert.equal(statusOfProfile(request(now + 60)).verdict, 'ok', 'a clock that was set right by a minute');
});

test('config check finds what a run would stumble over, all at once; config show tells each key', async t => {
  const program = createProgram(t);
  const config = join(program.home, '.config', 'tsbackup');
  mkdirSync(config, { recursive: true });
  const write = (...lines: readonly string[]) =>
    writeFileSync(join(config, 'p.toml'), [`source = "${program.home}"`, ...lines].join('\n'));
  write(
    'target = "ftp://x/y"',
    'check = "lots"',
    '[options]',
    'encrypt-key = "absent.asc"',
    '[mail]',
    'to = []',
  );
  const { stderr } = expectStatus(await program.run(['config', 'check', 'p']), 2);
  for (const fault of [/ftp:/, /absent\.asc/, /mail\.to is empty/]) assert.match(stderr, fault);
  write('target = "file:///x"', 'check = "lots"', '[mail]', 'to = ["a@x"]', 'transport = "smtp"');
  const second = expectStatus(await program.run(['config', 'check', 'p']), 2).stderr;
  for (const fault of [/not 'lots'/, /no \[mail\.smtp\]/]) assert.match(second, fault);
  write('target = "file:///x"', 'max-age = "9D"');
  expectStatus(await program.run(['config', 'check', 'p']));
  assert.match(expectStatus(await program.run(['config', 'show', 'p'])).stdout, /^max-age = "9D"$/m);
});

test('a run that continues an interrupted set stores what has come since as well', async t => {
  const program = createProgram(t);
  const { home } = program;
  const config = join(home, '.config', 'tsbackup');
  const source = join(home, 'source');
  const folder = join(home, 'target');
  for (const path of [config, source]) mkdirSync(path, { recursive: true });
  const random = createRandom('since');
  for (let i = 0; i < 12; i++) writeFileSync(join(source, `m${i}`), random.bytes(1_000_000));
  writeFileSync(
    join(config, 'p.toml'),
    `source = "${source}"\ntarget = "file://${folder}"\n[options]\nno-encryption = true\nvolsize = 1\n`,
  );
  const { options, fail } = createSleepingSource(program);
  fail({ code: 'HANG', match: join(source, 'm9'), calls: ['openSync'] }); // the last one: it can't end by itself
  const running = program.start(['run', 'p'], options);
  // The third is not begun before the journal has the first.
  const isThere = () => existsSync(folder) && readdirSync(folder).some(name => name.includes('.vol3.'));
  while (!isThere()) {
    assert.equal(running.child.exitCode, null, 'it ended before it could be interrupted');
    await sleep(5);
  }
  running.kill('SIGKILL');
  await running.done;

  writeFileSync(join(source, 'a'), 'sorts before all that is stored');
  const { stdout } = expectStatus(await program.run(['run', 'p']));
  assert.match(stdout, /^Continuing the full backup/m);
  expectStatus(await program.run(['restore', `file://${folder}`, 'out']));
  assertSameTree(snapshotTree(join(home, 'out')), snapshotTree(source));
  const status = expectStatus(await program.run(['status', 'p', '--json'])).stdout;
  assert.match(status, /"sets":2/);
});

test('a run that does not end, as with a command that hangs, is told of meanwhile', async t => {
  const folder = tempDir(t);
  const host = createTestHost();
  const told: RunOutcome[] = [];
  let tellEnd = () => {};
  const isTold = new Promise<void>(resolve => {
    tellEnd = resolve;
  });
  const awake = setInterval(() => {}, 1000);
  t.after(() => clearInterval(awake));
  const ended: RunOutcome[] = [];
  const nothing = async () => [];
  const status = await runProfile(
    {
      ...{ profile: 'p', stateFolder: join(folder, 'state'), nice: 0, longRunMs: 1 },
      async backup(stepHost) {
        stepHost.reporter.report({ level: 'info', code: 'hook', message: 'it hangs' });
        await isTold;
        return 0;
      },
      ...{ rest: async () => 0, full: async () => 0 },
      facts: async () => assert.fail('no archive'),
      notifier: {
        begin: nothing,
        postpone: nothing,
        async meanwhile(outcome) {
          told.push(outcome);
          tellEnd();
          return ['no mail server'];
        },
        async end(outcome) {
          ended.push(outcome);
          return [];
        },
      },
      logLines: () => host.reports.map(({ message }) => message),
    },
    host,
  );
  assert.equal(status, 0);
  assert.equal(ended[0]!.verdict, 'ok');
  const { subject, body } = mailOf(told[0]!);
  assert.match(subject, /^\[warn\] backup p @ /);
  assert.match(
    body,
    /^This run has not ended in .*end it: kill \d+\nThe last that it said: it hangs\n\nOn testhost, since/,
  );
  assert.ok(host.reports.some(({ message }) => message === 'no mail server'));
});
