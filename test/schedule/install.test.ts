/** Schedules are installed under a root of the test's own, with programs that write down how they were called. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../src/errors.ts';
import { parseCalendar } from '../../src/schedule/calendar.ts';
import { entryOf, withEntry, withoutEntry } from '../../src/schedule/cron.ts';
import { runProgram, type ScheduleHost } from '../../src/schedule/host.ts';
import {
  installedSchedules,
  installSchedule,
  kindOf,
  planSchedule,
  removeSchedule,
} from '../../src/schedule/install.ts';
import { serviceUnit, timerUnit } from '../../src/schedule/systemd.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needRoot, needTool } from '../support/tools.ts';

interface Machine extends ScheduleHost {
  readonly calls: string[];
  crontab: string | undefined;
}

function machine(t: TestContext, { uid = 0, systemd = false, cron = true } = {}): Machine {
  const root = tempDir(t);
  if (systemd) mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
  if (cron) mkdirSync(join(root, 'etc/cron.d'), { recursive: true });
  const host: Machine = {
    ...{ root, uid, user: 'anna', home: '/home/anna', environment: {} },
    ...{ node: '/usr/bin/node', script: '/opt/ts backup/cli.js' },
    calls: [],
    crontab: undefined,
    async run(program, args, input) {
      host.calls.push([program, ...args].join(' '));
      if (program === 'crontab' && args[0] === '-') host.crontab = input;
      else if (program === 'crontab') {
        if (!cron) throw new BackupError('local-io', 'crontab: not found');
        if (host.crontab === undefined) throw new BackupError('local-io', 'no crontab for anna');
        return host.crontab;
      } else if (!systemd) throw new BackupError('local-io', 'systemctl: not found');
      return '';
    },
  };
  return host;
}

const facts = {
  profile: 'pics',
  calendar: parseCalendar('Mon 21:15'),
  skipped: [],
  writes: ['/var/cache/ts', '/mnt/100% full'],
  credentials: ['pics.pass'],
  startsOthers: false,
};

test('planSchedule() takes systemd where it runs, else cron.d for root, else the crontab', async t => {
  assert.equal(await kindOf(machine(t, { systemd: true })), 'systemd');
  assert.equal(await kindOf(machine(t)), 'cron.d');
  assert.equal(await kindOf(machine(t, { uid: 1000 })), 'crontab');
  await assert.rejects(kindOf(machine(t, { uid: 1000, cron: false })), /neither systemd nor cron/);
});

test('a timer and its service are written, enabled, shown and removed', async t => {
  const host = machine(t, { systemd: true });
  const plan = await planSchedule(facts, host);
  const folder = join(host.root, 'etc/systemd/system');
  assert.ok(!existsSync(folder), 'a plan touches nothing');
  assert.deepEqual(await installSchedule(plan, 'pics', host), []);
  const service = readFileSync(join(folder, 'tsbackup-pics.service'), 'utf8');
  assert.match(service, /^ExecStart=\/usr\/bin\/node "\/opt\/ts backup\/cli\.js" run pics$/m);
  assert.match(service, /^ReadWritePaths=-\/var\/cache\/ts "-\/mnt\/100%% full"$/m);
  assert.match(service, /^LoadCredential=pics\.pass:\/etc\/credstore\/pics\.pass$/m);
  assert.match(
    readFileSync(join(folder, 'tsbackup-pics.timer'), 'utf8'),
    /^OnCalendar=Mon \*-\*-\* 21:15:00$/m,
  );
  const called = host.calls.filter(call => !call.startsWith('crontab'));
  assert.deepEqual(called.slice(-2), [
    'systemctl daemon-reload',
    'systemctl enable --now tsbackup-pics.timer',
  ]);
  assert.equal((await installedSchedules('pics', host)).length, 2);
  assert.equal((await removeSchedule('pics', host)).length, 2);
  assert.deepEqual(await installedSchedules('pics', host), []);
  assert.deepEqual(await removeSchedule('pics', host), []);
});

test("a user's units lie in the user's folder and are without what only root's may have", async t => {
  const host = machine(t, { uid: 1000, systemd: true });
  await installSchedule(await planSchedule(facts, host), 'pics', host);
  const service = readFileSync(
    join(host.root, 'home/anna/.config/systemd/user/tsbackup-pics.service'),
    'utf8',
  );
  assert.doesNotMatch(service, /ProtectSystem|CapabilityBoundingSet/);
  assert.ok(host.calls.includes('systemctl --user enable --now tsbackup-pics.timer'));
  assert.ok(host.calls.includes('loginctl enable-linger anna'));
});

test('an installation tells what keeps it from running by itself, and what else runs the profile', async t => {
  const host = machine(t, { uid: 1000, systemd: true });
  await installSchedule(await planSchedule(facts, host, 'crontab'), 'pics', host);
  const { run } = host;
  host.run = async (program, ...more) => {
    if (program === 'loginctl') throw new BackupError('local-io', 'Access denied');
    return run(program, ...more);
  };
  const [lingering, twice] = await installSchedule(await planSchedule(facts, host), 'pics', host);
  assert.match(lingering!, /only while anna is logged in.*sudo loginctl enable-linger anna$/);
  assert.match(twice!, /^crontab runs it as well/);
});

test('units that can not be enabled are not left behind, unless they were there before', async t => {
  const host = machine(t, { systemd: false, uid: 1000 });
  const plan = await planSchedule(facts, host, 'systemd');
  await assert.rejects(installSchedule(plan, 'pics', host), /systemctl: not found/);
  assert.deepEqual(await installedSchedules('pics', host), []);
  const path = join(host.root, plan.files[0]!.path);
  writeFileSync(path, 'from before');
  await assert.rejects(installSchedule(plan, 'pics', host), /systemctl: not found/);
  assert.ok(existsSync(path));
});

test('systemd itself finds nothing wrong with the units', t => {
  if (!needTool(t, 'systemd-analyze')) return;
  const dir = tempDir(t);
  const host = { ...machine(t), node: process.execPath, script: process.argv[1]! };
  writeFileSync(join(dir, 'tsbackup-pics.timer'), timerUnit(facts));
  for (const startsOthers of [false, true]) {
    const service = serviceUnit({ ...facts, startsOthers, credentials: [] }, host);
    writeFileSync(join(dir, 'tsbackup-pics.service'), service);
    const units = ['tsbackup-pics.service', 'tsbackup-pics.timer'].map(name => join(dir, name));
    const said = execFileSync('systemd-analyze', ['verify', ...units], { encoding: 'utf8', stdio: 'pipe' });
    assert.equal(said, '');
  }
});

test('the service leaves room for what a profile names: its files, the keyring, and programs of others', async t => {
  const program = createProgram(t);
  const { home } = program;
  const config = join(home, '.config', 'tsbackup');
  mkdirSync(config, { recursive: true });
  const print = async (...lines: readonly string[]) => {
    const profile = [`source = "${home}"`, `target = "file://${home}/target"`, 'metrics-file = "m/x.prom"'];
    writeFileSync(join(config, 'p.toml'), [...profile, ...lines].join('\n'));
    const words = ['schedule', 'install', 'p', '--print', '--kind', 'systemd', '--every', 'daily'];
    return expectStatus(await program.run(words, { env: { GNUPGHOME: `${home}/keys` } })).stdout;
  };
  const unit = await print('[options]', 'log-file = "../log/p.log"', 'encrypt-key = "A"');
  if (process.getuid?.() === 0) {
    const writable = /^ReadWritePaths=(.*)$/m.exec(unit)![1]!.split(' ');
    for (const path of ['.config/log', '.config/tsbackup/m', 'keys', 'target']) {
      assert.ok(writable.includes(`-${home}/${path}`), unit);
    }
  }
  const status = ['status', 'p', '--current-time', '1418678100'];
  assert.doesNotMatch((await program.run(status)).stdout, /next run/);
  const stated = join(home, '.local/state/tsbackup/p');
  mkdirSync(stated, { recursive: true });
  writeFileSync(join(stated, 'state.json'), '{"every":"Mon 21:15"}');
  const bin = join(home, 'bin');
  mkdirSync(bin);
  const env = { PATH: `${bin}:${process.env.PATH}` };
  const nextRun = async (crontab: string) => {
    writeFileSync(join(bin, 'crontab'), `#!/bin/sh\nprintf '${crontab}'\n`, { mode: 0o755 });
    return /next run +(.*)$/m.exec((await program.run(status, { env })).stdout)?.[1];
  };
  const due = 'Mon Dec 22 21:15:00 2014 (in 6 days)';
  const entry = '# tsbackup p: begin\\n15 21 * * 1 tsbackup run p\\n# tsbackup p: end\\n';
  assert.equal(await nextRun(entry), due);
  assert.equal(await nextRun(''), `${due}, but no schedule is installed: tsbackup schedule install p`);
  assert.match(unit, /^Environment="?GNUPGHOME=.*keys"?$/m);
  for (const lines of [
    ['[options]', 'pre-command = "mount /mnt/nas"'],
    ['passphrase-command = "pass backup"'],
    ['[mail]', 'to = ["a@x"]', 'transport = "sendmail"'],
  ]) {
    assert.doesNotMatch(await print(...lines), /NoNewPrivileges|ProtectSystem|CapabilityBoundingSet/);
  }
});

test('a timer has the days on which clocks skip its time, which systemd would leave out', async t => {
  const program = createProgram(t);
  const config = join(program.home, '.config', 'tsbackup');
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, 'p.toml'), `source = "/src"\ntarget = "file:///target"\n`);
  const timesOf = async (every: string, TZ: string) => {
    const words = [
      'schedule',
      'install',
      'p',
      '--print',
      '--kind',
      'systemd',
      '--current-time',
      '1767225600',
    ];
    const { stdout } = expectStatus(await program.run([...words, '--every', every], { env: { TZ } }));
    return [...stdout.matchAll(/^OnCalendar=(.*)$/gm)].map(([, time]) => time);
  };
  const berlin = await timesOf('daily 02:30', 'Europe/Berlin');
  assert.deepEqual(berlin.slice(0, 3), ['*-*-* 02:30:00', '2026-03-29 03:30:00', '2027-03-28 03:30:00']);
  assert.ok(berlin.length >= 10, berlin.join());
  assert.deepEqual(await timesOf('daily 02:30', 'UTC'), ['*-*-* 02:30:00']);
  assert.deepEqual(await timesOf('Mon 02:30', 'America/New_York'), ['Mon *-*-* 02:30:00']);
  const sundays = await timesOf('Sun 02:00', 'America/New_York');
  assert.deepEqual(sundays.slice(0, 2), ['Sun *-*-* 02:00:00', '2026-03-08 03:00:00']);
  for (const every of ['hourly :30', 'daily 03:00'])
    assert.equal((await timesOf(every, 'Europe/Berlin')).length, 1);
  if (!needTool(t, 'systemd-analyze')) return;
  for (const time of berlin) execFileSync('systemd-analyze', ['calendar', time!], { stdio: 'ignore' });
});

test('runs by schedule get the way to servers, but no password that others could read there', async t => {
  const program = createProgram(t);
  const config = join(program.home, '.config', 'tsbackup');
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, 'p.toml'), `source = "/src"\ntarget = "file:///target"\n`);
  const env = {
    ...{ HTTPS_PROXY: 'http://proxy.lan:3128', http_proxy: 'http://ann:sekret@proxy.lan:3128' },
    ...{ no_proxy: 'nas.lan', AWS_CA_BUNDLE: 'ca.pem' },
  };
  const words = ['schedule', 'install', 'p', '--print', '--kind', 'systemd', '--every', 'daily'];
  const { stdout, stderr } = expectStatus(await program.run(words, { env }));
  assert.match(stdout, /^Environment="HTTPS_PROXY=http:\/\/proxy\.lan:3128"$/m);
  assert.match(stdout, /^Environment="no_proxy=nas\.lan"$/m);
  assert.ok(stdout.includes(`Environment="AWS_CA_BUNDLE=${program.home}/ca.pem"\n`), stdout);
  assert.match(stderr, /^Warning: http_proxy holds a password, .* "systemctl edit tsbackup-p\.service"/);
  assert.doesNotMatch(stdout + stderr, /sekret/);
});

test('the service may write to the folder that the target means, however its URL is written', async t => {
  if (!needRoot(t, 'others have no such lines in their units')) return;
  const program = createProgram(t);
  const config = join(program.home, '.config', 'tsbackup');
  mkdirSync(config, { recursive: true });
  for (const [url, folder] of [
    ['file:///mnt/dir%20with/x', '/mnt/dir with/x'],
    ['file:/mnt/x', '/mnt/x'],
    ['FILE:///mnt/é?y', '/mnt/é'],
    ['file://beside/x', `${config}/beside/x`],
  ] as const) {
    writeFileSync(join(config, 'p.toml'), `source = "/src"\ntarget = "${url}"\n`);
    const words = ['schedule', 'install', 'p', '--print', '--kind', 'systemd', '--every', 'daily'];
    const { stdout } = expectStatus(await program.run(words));
    const [, writable] = /^ReadWritePaths=(.*)$/m.exec(stdout)!;
    assert.ok(` ${writable} `.replaceAll('"', '').includes(` -${folder} `), `${url}: ${writable}`);
  }
});

test('a folder that can not be made is told in one line, and nothing is installed', async t => {
  const program = createProgram(t);
  const config = join(program.home, '.config', 'tsbackup');
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, 'p.toml'), 'source = "/src"\ntarget = "file://../../file/target"\n');
  writeFileSync(join(program.home, 'file'), '');
  const tools = tempDir(t);
  const touched = join(tools, 'touched');
  const script = `#!/bin/sh\n[ "$1" = - ] && : >${touched}\nexit 0\n`;
  writeFileSync(join(tools, 'crontab'), script, { mode: 0o755 });
  const words = ['schedule', 'install', 'p', '--kind', 'crontab', '--every', 'daily'];
  const { stderr } = expectStatus(await program.run(words, { env: { PATH: tools } }), 1);
  const folder = join(program.home, 'file/target');
  assert.match(
    stderr,
    new RegExp(`^Error: the folder ${folder}, which runs write to, can't be made: [^\n]*\n$`),
  );
  assert.ok(!existsSync(touched));
});

test('a file in cron.d is whole, quoted, and of root alone to make', async t => {
  const host = { ...machine(t), environment: { XDG_STATE_HOME: '/srv/a b' } };
  await installSchedule(await planSchedule(facts, host), 'pics', host);
  const text = readFileSync(join(host.root, 'etc/cron.d/tsbackup-pics'), 'utf8');
  const line =
    "15 21 * * 1 anna XDG_STATE_HOME='/srv/a b' /usr/bin/node '/opt/ts backup/cli.js' run pics >/dev/null";
  assert.equal(text.trimEnd().split('\n').at(-1), line);
  assert.ok(text.endsWith('\n'), 'cron ignores a last line without its end');
  await assert.rejects(planSchedule(facts, machine(t, { uid: 1000 }), 'cron.d'), /only root may write/);
});

test('an entry in a crontab is added and removed again, and all else stays byte for byte', async t => {
  const host = machine(t, { uid: 1000 });
  host.crontab = '# mine\n5 5 * * * true';
  await installSchedule(await planSchedule(facts, host), 'pics', host);
  assert.match(
    host.crontab,
    /^# mine\n5 5 \* \* \* true\n# tsbackup pics: begin\n15 21 .*\n# tsbackup pics: end\n$/,
  );
  const daily = { ...facts, calendar: parseCalendar('daily 01:00') };
  await installSchedule(await planSchedule(daily, host), 'pics', host);
  assert.match(host.crontab, /begin\n0 1 \* \* \* .*\n# tsbackup pics: end\n$/);
  assert.equal(host.crontab.match(/begin/g)!.length, 1);
  assert.equal((await installedSchedules('pics', host)).length, 1);
  await removeSchedule('pics', host);
  assert.equal(host.crontab, '# mine\n5 5 * * * true\n');
});

test('withoutEntry() takes away exactly what withEntry() has put there', t => {
  const host = machine(t);
  const line = fc.string({ maxLength: 20 }).map(text => text.replaceAll('\n', ' '));
  fc.assert(
    fc.property(fc.array(line), lines => {
      const crontab = lines.map(text => `${text}\n`).join('');
      const other = withEntry(crontab, 'other', facts.calendar, host);
      const both = withEntry(other, 'pics', facts.calendar, host);
      assert.equal(withoutEntry(both, 'pics'), other);
      assert.equal(withoutEntry(withoutEntry(both, 'other'), 'pics'), crontab);
      assert.equal(entryOf(crontab, 'pics'), undefined);
    }),
  );
});

test('the real crontab takes an entry', t => {
  if (!needTool(t, 'crontab')) return;
  const dir = tempDir(t);
  const path = join(dir, 'crontab');
  writeFileSync(path, withEntry('# mine\n', 'pics', facts.calendar, machine(t)));
  const said = execFileSync('crontab', ['-n', path], { encoding: 'utf8', stdio: 'pipe' });
  assert.doesNotMatch(said, /error/i);
});

test('runProgram() gives and takes bytes that are no UTF-8', async () => {
  const text = await runProgram('printf', ['caf\\351 \\303\\251']);
  assert.equal(text, 'caf\udce9 é');
  assert.equal(await runProgram('od', ['-An', '-tx1'], text), ' 63 61 66 e9 20 c3 a9\n');
});
