/** `--log-file` and `--log-fd`. */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type LogFileOptions, openLogFile } from '../../src/cli/log-file.ts';
import { machineRecord, machineResult } from '../../src/cli/machine-log.ts';
import { expectStatus, runProgram } from '../support/processes.ts';
import { cliPath, createProgram } from '../support/program.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';

function open(t: TestContext, options: Partial<LogFileOptions> = {}) {
  const path = join(tempDir(t), 'logs', 'log');
  const failures: string[] = [];
  const log = openLogFile({
    ...{ path, verbosity: 3, maxBytes: 1000, keep: 3, now: () => 1418687940 },
    onFailure: message => failures.push(message),
    ...options,
  });
  t.after(() => log.close());
  return { path, log, failures };
}

test('openLogFile() writes a line for each event down to info, for its owner alone', t => {
  const { path, log } = open(t);
  for (const level of ['warning', 'info', 'debug'] as const)
    log.report({ level, code: 'x', message: `a ${level}` });
  const lines = readFileSync(path, 'utf8').split('\n');
  assert.deepEqual(
    lines.map(line => line.slice(20)),
    ['WARNING a warning', 'INFO a info', ''],
  );
  assert.match(lines[0]!, /^2014-12-1\d \d\d:59:00 /);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('openLogFile() never keeps more than it may, and loses no line before that', t => {
  const { path, log } = open(t);
  for (let i = 0; i < 200; i++) log.line(`line ${i}`);
  const folder = join(path, '..');
  assert.deepEqual(readdirSync(folder).sort(), ['log', 'log.1', 'log.2']);
  const kept = ['log.2', 'log.1', 'log'].map(name => readFileSync(join(folder, name), 'utf8'));
  for (const text of kept) assert.ok(text.length <= 1000 && text.endsWith('\n'));
  const numbers = kept.join('').match(/\d+$/gm)!.map(Number);
  assert.deepEqual(
    numbers,
    Array.from({ length: numbers.length }, (_, i) => 200 - numbers.length + i),
  );
});

test('openLogFile() begins a new file when the old one is moved away or removed', t => {
  const { path, log } = open(t);
  log.line('one');
  renameSync(path, `${path}.old`);
  log.line('two');
  assert.match(readFileSync(path, 'utf8'), /two/);
  rmSync(path);
  log.line('three');
  assert.match(readFileSync(path, 'utf8'), /three/);
});

test('openLogFile() tells once that it can not go on, and the run goes on', t => {
  const { path, log, failures } = open(t);
  rmSync(join(path, '..'), { recursive: true });
  log.line('one');
  log.line('two');
  assert.equal(failures.length, 1);
  assert.match(failures[0]!, /^can't write the log file .*ENOENT/);
});

test('logrotate may rotate the log between two lines', t => {
  if (!needTool(t, 'logrotate')) return;
  const { path, log } = open(t, { maxBytes: 1e9 });
  log.line('before');
  const config = join(path, '..', 'logrotate.conf');
  writeFileSync(config, `"${path}" {\n  size 1\n  rotate 4\n  missingok\n  nocreate\n  su root root\n}\n`, {
    mode: 0o644,
  });
  if (process.getuid?.() !== 0)
    writeFileSync(config, readFileSync(config, 'utf8').replace(/ {2}su .*\n/, ''));
  execFileSync('logrotate', ['--force', '--state', `${config}.state`, config], { stdio: 'pipe' });
  log.line('after');
  assert.match(readFileSync(`${path}.1`, 'utf8'), /before\n$/);
  assert.match(readFileSync(path, 'utf8'), /^[\d :-]+after\n$/);
});

test('a run writes how it began and ended, and what was wrong', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  const log = join(program.home, 'log');
  const options = ['--no-encryption', '--log-file', log];
  expectStatus(await program.run(['full', ...options, 'source', 'file://target']));
  expectStatus(await program.run(['full', ...options, 'absent', 'file://target']), 75);
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  assert.match(lines[0]!, / BEGIN full source file:\/\/target$/);
  assert.ok(lines.some(line => / END full source file:\/\/target: status 0$/.test(line)));
  assert.match(lines.at(-2)!, / ERROR .*absent/);
  assert.match(lines.at(-1)!, / END full absent file:\/\/target: status 75$/);
});

test('a log file that can not be written is told before anything is touched', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  const log = join(program.home, 'source');
  const result = await program.run(['full', '--no-encryption', '--log-file', log, 'source', 'file://target']);
  assert.match(expectStatus(result, 2).stderr, /^Error: can't write the log file .*EISDIR[^\n]*\n$/);
  assert.ok(!readdirSync(program.home).includes('target'));
});

test('--log-fd writes records as programs written for duplicity read them', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  const script = `"${process.execPath}" "${cliPath}" "$@" 3>records`;
  const run = async (...args: string[]) => {
    const shell = ['-c', script, 'sh', ...args];
    execFileSync('sh', shell, { cwd: program.home, env: { ...program.env }, stdio: 'pipe' });
    return readFileSync(join(program.home, 'records'), 'utf8');
  };
  const records = await run('full', '--no-encryption', '--log-fd', '3', 'source', 'file://target');
  assert.match(records, /^NOTICE 1\n\. Last full backup date: none\n\n/);
  assert.match(records, /^NOTICE 1\n\. -+\[ Backup Statistics \]-+\n(\. \w.*\n)+\. -+\n\n$/m);
  const quiet = ['-v', 'warning', '--no-print-statistics', '--no-encryption', '--log-fd', '3'];
  assert.equal(
    await run('backup', ...quiet, 'source', 'file://target'),
    '',
    'the verbosity counts there too',
  );
  await assert.rejects(run('restore', '--log-fd', '3', 'file://absent', 'out'));
  assert.match(readFileSync(join(program.home, 'records'), 'utf8'), /^ERROR \d+\n\. .*absent.*\n\n$/m);
  const closed = await program.run(['full', '--log-fd', '77', 'source', 'file://target']);
  assert.match(expectStatus(closed, 2).stderr, /^Error: --log-fd 77 is no open file/);
});

test('machineRecord() never breaks the form of a record, whatever the text and the path', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.uint8Array(), (message, bytes) => {
      const facts = { path: Buffer.from(bytes).toString('latin1') };
      const record = machineRecord({ level: 'warning', code: 'source-unreadable', message, facts });
      const lines = record.split('\n');
      assert.match(lines[0]!, /^WARNING 10 '[\x20-\x7e]*'$/);
      assert.deepEqual(lines.slice(-2), ['', '']);
      for (const line of lines.slice(1, -2)) assert.ok(line.startsWith('. '));
    }),
  );
});

test('--log-timestamp begins each line with the time and the level, as duplicity has it', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  const options = ['--log-timestamp', '--no-encryption', '--current-time', '1418687940'];
  const env = { TZ: 'UTC' };
  const done = await program.run(['full', ...options, 'source', 'file://target'], { env });
  assert.match(expectStatus(done).stdout, /^2014-12-15 23:59:0\d,\d{3} NOTICE Last full backup date: none$/m);
  const failed = await program.run(['full', ...options, 'absent', 'file://target'], { env });
  assert.match(expectStatus(failed, 75).stderr, /^2014-12-15 23:59:0\d,\d{3} ERROR .*absent/);
});

test("lines for systemd's journal begin with their priority, and only those", async t => {
  const program = createProgram(t);
  const streams = join(program.home, 'journal');
  const call = (stream: string) =>
    `exec >"$0" 2>&1; JOURNAL_STREAM=${stream} exec "$1" "$2" restore file:///absent back`;
  const print = async (stream: string) => {
    const words = ['-c', call(stream), streams, process.execPath, cliPath];
    await runProgram('sh', words, { env: program.env, cwd: program.home });
    return readFileSync(streams, 'utf8');
  };
  assert.match(await print('$(stat -c %d:%i "$0")'), /^<3>Error: /);
  assert.match(await print('1:1'), /^Error: /);
});

test('--log-fd has what duplicity has there: entries, listings, chains', async t => {
  if (!needTool(t, 'duplicity')) return;
  const program = createProgram(t);
  const folder = (name: string) => join(program.home, name);
  mkdirSync(folder('source/sub'), { recursive: true });
  symlinkSync('a', folder('source/link'));
  for (const name of ['a', 'b', "it's ä 日"]) writeFileSync(folder(`source/${name}`), name);
  const recorded = (kind: 'ours' | 'theirs', ...args: string[]) => {
    const [command, ...first] = kind === 'ours' ? [process.execPath, cliPath] : ['duplicity'];
    const words = ['-c', '"$@" 3>records', 'sh', command!, ...first, ...args, '--log-fd', '3'];
    const env = { ...program.env, XDG_CACHE_HOME: folder(`.cache/${kind}`) };
    execFileSync('sh', words, { cwd: program.home, env, stdio: 'pipe' });
    const text = readFileSync(folder('records'), 'utf8');
    return text.split(/(?<=\n)\n/).filter(record => /^INFO (?:3|4|5|6|10) /.test(record));
  };
  const changes = [
    () => {},
    () => {
      rmSync(folder('source/b'));
      appendFileSync(folder('source/a'), 'more');
      utimesSync(folder('source/a'), 1_700_000_000, 1_700_000_000);
      utimesSync(folder('source'), 1_700_000_000, 1_700_000_000); // whatever the second of the full backup was
    },
  ];
  for (const change of changes) {
    change();
    const backup = (kind: 'ours' | 'theirs') =>
      recorded(kind, 'source', `file://${kind}`, '--no-encryption', '-v5');
    const entries = backup('theirs');
    assert.ok(entries.length >= 3, entries.join());
    assert.deepEqual(backup('ours'), entries);
  }
  const listing = recorded('theirs', 'list-current-files', 'file://theirs');
  assert.equal(listing.length, 5);
  assert.deepEqual(recorded('ours', 'list-current-files', 'file://theirs'), listing);
  const fields = (kind: 'ours' | 'theirs') =>
    recorded(kind, 'collection-status', 'file://theirs')[0]!.replace(/^backend .*$|^\. .*\n/gm, '');
  assert.match(fields('theirs'), /^chain-complete\n full \w+Z 1 noenc\n inc \w+Z 1 noenc\n/m);
  assert.equal(fields('ours'), fields('theirs'));
});

test('a failure for want of the right passphrase has the words upon which front ends ask for it', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  const args = ['source', 'file://target', '--duplicity-exit-codes', '--log-fd', '3'];
  expectStatus(await program.run(['full', ...args.slice(0, 2)], { passphrase: 'right' }));
  const programs = [[process.execPath, cliPath], ...(needTool(t, 'duplicity') ? [['duplicity']] : [])];
  for (const [command, ...first] of programs) {
    const theirs = first.length > 0 ? args : args.filter(arg => arg !== '--duplicity-exit-codes');
    const failed = (passphrase: object) => {
      const env = {
        ...program.env,
        XDG_CACHE_HOME: join(program.home, `cache-of-${first.length}`),
        ...passphrase,
      };
      const words = ['-c', '"$@" 3>records </dev/null', 'sh', command!, ...first, ...theirs];
      spawnSync('setsid', ['sh', ...words], { cwd: program.home, env });
      return /^ERROR .*$/m.exec(readFileSync(join(program.home, 'records'), 'utf8'))?.[0];
    };
    assert.equal(failed({}), 'ERROR 30 EOFError', command);
    assert.equal(failed({ PASSPHRASE: 'wrong' }), 'ERROR 31 GPGError', command);
  }
});

test('--progress is in the log for programs too', async t => {
  const program = createProgram(t);
  mkdirSync(join(program.home, 'source'));
  writeFileSync(join(program.home, 'source/a'), 'content');
  const env = { ...program.env };
  const words = ['full', '--no-encryption', '--progress', '--log-fd', '3', 'source', 'file://target'];
  const shell = ['-c', `"$@" 3>records`, 'sh', process.execPath, cliPath, ...words];
  execFileSync('sh', shell, { cwd: program.home, env, stdio: 'pipe' });
  const records = readFileSync(join(program.home, 'records'), 'utf8');
  assert.match(records, /^NOTICE 16 \d+ \d+ 100 0 \d+ [01]\n\. backup: [\d.]+ \w+ of [\d.]+ \w+ \(100%\), /m);
});

test('machineResult() lists files of any time', () => {
  const entry = { type: 'entry', path: 'zero', kind: 'file' };
  assert.match(machineResult(undefined, [{ ...entry, mtime: 0 }]), /^INFO 10 19700101T000000Z 'zero' reg\n/);
  assert.match(machineResult(undefined, [{ ...entry, mtime: 2 ** 60 }]), /^INFO 10 \d+ 'zero' reg\n/);
});

test('the log never has credentials that somebody has put into a URL', async t => {
  const program = createProgram(t);
  const log = join(program.home, 'log');
  mkdirSync(join(program.home, 'source'));
  const url = 's3://id:a/secret@bucket/prefix';
  expectStatus(await program.run(['full', '--no-encryption', '--log-file', log, 'source', url]), 2);
  assert.match(readFileSync(log, 'utf8'), /BEGIN full source s3:\/\/…@bucket\/prefix/);
  assert.doesNotMatch(readFileSync(log, 'utf8'), /secret/);
});
