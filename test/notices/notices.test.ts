/** Notices against servers of their kind: SMTP with STARTTLS and login, a sendmail, HTTP. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { BackupError } from '../../src/errors.ts';
import { callWebhook } from '../../src/notices/http.ts';
import { sendMail } from '../../src/notices/mail.ts';
import { isWanted, mailOf } from '../../src/notices/mail-text.ts';
import { createNotifier } from '../../src/notices/notify.ts';
import { openOutbox } from '../../src/notices/outbox.ts';
import type { RunOutcome } from '../../src/notices/run-outcome.ts';
import { runSendmail } from '../../src/notices/sendmail.ts';
import type { MailSettings, NoticeSettings, SmtpSettings } from '../../src/notices/settings.ts';
import { replaceCalls } from '../support/node-calls.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';

const outcome: RunOutcome = {
  ...{ profile: 'pictures', hostname: 'pi', started: 1418687940, ended: 1418688000 },
  ...{ verdict: 'ok', status: 0, isNews: false, summary: ['Backed up: 1 new file.'] },
  ...{ statistics: '----\nStartTime 1\n----\n\n', log: ['2014-12-15 23:59:00 NOTICE one', 'two'] },
};
const live = new AbortController().signal;
const letter = {
  subject: '[ok] täst',
  body: 'Grüße\n.\nend\n',
  from: 'pi@example.org',
  to: ['anna@example.org'],
};

test('mailOf() says in the subject how it ended, and the most important thing first', () => {
  const { subject, body } = mailOf(outcome);
  assert.match(subject, /^\[ok\] backup pictures @ 2014-12-1\d \d\d:59$/);
  assert.match(mailOf({ ...outcome, verdict: 'error' }).subject, /^\[ERR\] /);
  assert.match(mailOf({ ...outcome, verdict: 'warn' }).subject, /^\[warn\] /);
  const lines = body.split('\n');
  assert.equal(lines[0], 'Backed up: 1 new file.');
  assert.ok(lines.indexOf('StartTime 1') > 0);
  assert.ok(lines.indexOf('two') > lines.indexOf('StartTime 1'), 'the log comes last');
});

test('mailOf() leaves the beginning of a long log out, and says so', () => {
  const log = Array.from({ length: 5000 }, (_, i) => `line ${i}`);
  const { body } = mailOf({ ...outcome, log });
  assert.match(body, /\(4500 lines before these are left out/);
  assert.ok(body.endsWith('line 4999\n') && !body.includes('line 4499\n'));
});

test('mailOf() never makes a second line of a subject, whatever names there are', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), profile => {
      assert.doesNotMatch(mailOf({ ...outcome, profile }).subject, /[\r\n]/);
    }),
  );
});

test('isWanted() sends always, on trouble, or on news', () => {
  const warned = { ...outcome, verdict: 'warn' as const };
  assert.ok(isWanted(['always'], outcome) && isWanted(['error'], warned));
  assert.ok(!isWanted(['error'], outcome) && !isWanted(['change'], outcome));
  assert.ok(isWanted(['change'], { ...outcome, isNews: true }) && isWanted(['error', 'change'], warned));
});

interface Received {
  readonly text: string;
  readonly user: string | undefined;
  readonly secure: boolean;
}

/** A server that takes mails of `anna` with the password `right`. */
async function smtpServer(t: TestContext, options: SMTPServerOptions = {}) {
  const received: Received[] = [];
  const server = new SMTPServer({
    authMethods: ['PLAIN', 'LOGIN'],
    authOptional: true,
    onAuth({ username, password }, _session, done) {
      if (username === 'anna' && password === 'right') done(null, { user: username });
      else done(new Error('Invalid login'));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', chunk => chunks.push(chunk));
      stream.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        received.push({ text, user: session.user as string | undefined, secure: session.secure });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {}); // a client that goes away
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise<void>(resolve => server.close(() => resolve())));
  const { port } = server.server.address() as AddressInfo;
  return { received, port };
}

function certificate(t: TestContext) {
  const dir = tempDir(t);
  const [key, cert] = [join(dir, 'key'), join(dir, 'cert')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const kind = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  execFileSync('openssl', [...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert), file: cert };
}

function smtp(port: number, more: Partial<SmtpSettings> = {}): SmtpSettings {
  return { host: 'localhost', port, security: 'none', ...more };
}

test('sendMail() logs in over STARTTLS and delivers every byte', async t => {
  if (!needTool(t, 'openssl')) return;
  const { key, cert, file } = certificate(t);
  const { received, port } = await smtpServer(t, { key, cert, authOptional: false });
  const settings = smtp(port, {
    security: 'starttls',
    user: 'anna',
    password: async () => 'right',
    caFile: file,
  });
  await sendMail(letter, settings, live, []);
  const [mail] = received;
  assert.ok(mail?.secure && mail.user === 'anna');
  assert.match(mail.text, /^Subject: =\?UTF-8\?/m);
  assert.match(mail.text, /^Auto-Submitted: auto-generated/m);
  assert.match(mail.text, /Gr(ü|=C3=BC)(ß|=C3=9F)e/);
});

test('sendMail() does not speak in the clear where STARTTLS is wanted', async t => {
  const { received, port } = await smtpServer(t, { disabledCommands: ['STARTTLS'] });
  const password = async () => 'right';
  const settings = smtp(port, { security: 'starttls', user: 'anna', password });
  await assert.rejects(sendMail(letter, settings, live, []), { code: 'notice-failed' });
  assert.deepEqual(received, []);
});

test('sendMail() tells a refused login at once, without the password', async t => {
  if (!needTool(t, 'openssl')) return;
  const { key, cert, file } = certificate(t);
  let logins = 0;
  const { port } = await smtpServer(t, {
    ...{ key, cert, authOptional: false },
    onAuth(_auth, _session, done) {
      logins++;
      done(new Error('Invalid login'));
    },
  });
  const password = async () => 'hunter2';
  const settings = smtp(port, { security: 'starttls', user: 'anna', password, caFile: file });
  await assert.rejects(sendMail(letter, settings, live, [1, 1]), (error: BackupError) => {
    assert.match(error.message, /localhost:\d+: .*Invalid login.*check user and password/);
    assert.ok(!error.message.includes('hunter2'));
    return true;
  });
  assert.equal(logins, 1, 'the same password would be refused again');
});

test('sendMail() tries again what is refused for now', async t => {
  let attempts = 0;
  const { received, port } = await smtpServer(t, {
    onRcptTo(_address, _session, done) {
      if (++attempts < 3) done(Object.assign(new Error('greylisted'), { responseCode: 451 }));
      else done();
    },
  });
  await sendMail(letter, smtp(port), live, [1, 1]);
  assert.equal(received.length, 1);
});

test('sendMail() hands a letter to a local sendmail', async t => {
  const dir = tempDir(t);
  const program = join(dir, 'sendmail');
  writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$@" > '${dir}/args'\ncat > '${dir}/mail'\n`);
  chmodSync(program, 0o755);
  await sendMail(letter, { sendmail: program }, live, []);
  const mail = readFileSync(join(dir, 'mail'), 'utf8');
  assert.match(mail, /^To: anna@example\.org$/m);
  assert.match(readFileSync(join(dir, 'args'), 'utf8'), /anna@example\.org/);
  await assert.rejects(
    sendMail(letter, { sendmail: join(dir, 'absent') }, live, []),
    /absent: .*is it installed\?/,
  );
  writeFileSync(program, '#!/bin/sh\nexit 75\n');
  await assert.rejects(sendMail(letter, { sendmail: program }, live, []), { code: 'notice-failed' });
});

test('a sendmail that does not end is killed with what it has started, and not tried again', async t => {
  const dir = tempDir(t);
  const program = join(dir, 'sendmail');
  writeFileSync(program, `#!/bin/sh\nsleep 100 & echo $! > '${dir}/pid'\necho >> '${dir}/calls'\nwait\n`);
  chmodSync(program, 0o755);
  const limit = new AbortController();
  const sent = runSendmail(program, letter, Buffer.from('text'), limit.signal);
  sent.catch(() => {});
  while (!existsSync(join(dir, 'calls'))) await sleep(10);
  limit.abort();
  await assert.rejects(sent, { code: 'notice-failed' });
  const stat = join('/proc', readFileSync(join(dir, 'pid'), 'utf8').trim(), 'stat');
  const isGone = () => {
    try {
      return / Z /.test(readFileSync(stat, 'latin1'));
    } catch {
      return true;
    }
  };
  while (!isGone()) await sleep(10);
});

const nobody: NoticeSettings = { pings: [], webhooks: [] };

test('a mail that can not be sent waits in the outbox, for its owner alone, and goes first the next time', async t => {
  const folder = join(tempDir(t), 'state');
  const mail: MailSettings = { to: ['a@x'], from: 'b@x', on: ['always'], transport: smtp(1) };
  const at = { folder, now: () => 1418688000, signal: live };
  const [told] = await createNotifier(
    { ...nobody, mail: { ...mail, transport: { sendmail: '/absent' } } },
    at,
  ).end(outcome);
  assert.match(told!, /could not be sent .*it is kept for the next run$/);
  const [name] = readdirSync(join(folder, 'outbox'));
  assert.equal(statSync(join(folder, 'outbox', name!)).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'outbox')).mode & 0o777, 0o700);

  const { received, port } = await smtpServer(t);
  const next = createNotifier({ ...nobody, mail: { ...mail, transport: smtp(port) } }, at);
  assert.deepEqual(await next.end({ ...outcome, profile: 'second' }), []);
  assert.deepEqual(
    received.map(({ text }) => /^Subject: \[ok\] backup (\w+)/m.exec(text)?.[1]),
    ['pictures', 'second'],
  );
  assert.deepEqual(readdirSync(join(folder, 'outbox')), []);
});

test('a waiting mail that was sent and can not be taken away keeps no other from being sent', async t => {
  const folder = tempDir(t);
  const outbox = openOutbox(join(folder, 'outbox'));
  outbox.keep({ ...letter, subject: 'waiting' }, 1);
  writeFileSync(join(folder, 'outbox', '0000000000000-1.json'), 'damaged');
  replaceCalls(t, ['rmSync', 'renameSync'], () => () => {
    throw Object.assign(new Error('EROFS: read-only file system'), { code: 'EROFS' });
  });
  const { received, port } = await smtpServer(t);
  const mail: MailSettings = { to: ['a@x'], from: 'b@x', on: ['always'], transport: smtp(port) };
  const at = { folder, now: () => 1418688000, signal: live };
  const told = await createNotifier({ ...nobody, mail }, at).end(outcome);
  assert.match(told.join(), /EROFS: read-only file system$/);
  assert.equal(received.length, 2);
});

test('a waiting mail that is damaged is told of by the next run, whose own mail nobody wanted', async t => {
  const folder = tempDir(t);
  openOutbox(join(folder, 'outbox')).keep({ ...letter, subject: '[ERR]' }, 1418688000);
  const [name] = readdirSync(join(folder, 'outbox'));
  const path = join(folder, 'outbox', name!);
  writeFileSync(path, readFileSync(path).fill(0, 10, 30));
  const { received, port } = await smtpServer(t);
  const mail: MailSettings = { to: ['a@x'], from: 'b@x', on: ['error'], transport: smtp(port) };
  const notify = () =>
    createNotifier({ ...nobody, mail }, { folder, now: () => 1418688000, signal: live }).end(outcome);
  assert.deepEqual(await notify(), []);
  assert.equal(received.length, 1);
  const text = received[0]!.text.replaceAll(/=\r?\n/g, '');
  assert.match(
    text,
    /The mail of the run of Tue Dec 16 \S+ 2014 could not be sent then, and is damaged now\./,
  );
  assert.ok(text.includes(`${path}.damaged`), text);
  assert.deepEqual(await notify(), []);
  assert.equal(received.length, 1, 'told once');
});

test('a waiting mail goes to the addresses of today, and one whose text is refused holds up no other', async t => {
  const folder = tempDir(t);
  const outbox = openOutbox(join(folder, 'outbox'));
  outbox.keep({ ...letter, subject: 'mistyped', to: ['nobody@x'] }, 1);
  outbox.keep({ ...letter, subject: 'refused' }, 2);
  outbox.keep({ ...letter, subject: 'waiting' }, 3);
  const subjects: (string | undefined)[] = [];
  const { port } = await smtpServer(t, {
    onRcptTo({ address }, _session, done) {
      if (address === 'anna@example.org') done();
      else done(Object.assign(new Error('no such user'), { responseCode: 550 }));
    },
    onData(stream, _session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', chunk => chunks.push(chunk));
      stream.on('end', () => {
        const subject = /^Subject: (.*)$/m.exec(Buffer.concat(chunks).toString())?.[1]?.trim();
        if (subject === 'refused') return done(Object.assign(new Error('spam'), { responseCode: 554 }));
        subjects.push(subject);
        done();
      });
    },
  });
  const mail = (...to: string[]): MailSettings => ({
    ...{ to, from: 'b@x', on: ['error'], transport: smtp(port) },
  });
  const notify = (own: MailSettings) =>
    createNotifier({ ...nobody, mail: own }, { folder, now: () => 4, signal: live }).end(outcome);
  const [unknown] = await notify(mail('nobody@x'));
  assert.match(unknown!, /no such user.*kept for the next run$/);
  const [told] = await notify(mail('anna@example.org'));
  assert.match(told!, /spam.*; 'refused' waited in the outbox and is given up$/);
  assert.deepEqual(subjects, ['mistyped', 'waiting']);
  assert.deepEqual(await notify(mail('anna@example.org')), []);
});

test('a mail whose text is refused says without it how the run ended, at once or when it has waited', async t => {
  const folder = tempDir(t);
  openOutbox(join(folder, 'outbox')).keep({ ...letter, subject: 'waiting', body: 'virus.exe' }, 1);
  const mails: string[] = [];
  const { port } = await smtpServer(t, {
    onData(stream, _session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', chunk => chunks.push(chunk));
      stream.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (text.includes('virus'))
          return done(Object.assign(new Error('no such names'), { responseCode: 554 }));
        mails.push(text);
        done();
      });
    },
  });
  const mail: MailSettings = { to: ['a@x'], from: 'b@x', on: ['always'], transport: smtp(port) };
  const at = { folder, now: () => 4, signal: live };
  const failed = { ...outcome, verdict: 'error' as const, summary: ['No backup was made: virus.exe'] };
  const [told] = await createNotifier({ ...nobody, mail }, at).end(failed);
  assert.match(told!, /554 no such names; '\[ERR\] backup pictures .*' went out without its text$/);
  assert.deepEqual(readdirSync(join(folder, 'outbox')), []);
  assert.equal(mails.length, 2);
  assert.match(mails[0]!, /^Subject: waiting\r$/m);
  assert.match(mails[1]!, /^Subject: \[ERR\] backup pictures @/m);
  assert.match(mails[1]!, /The mail server has refused what this mail said; the log of the run has it\./);
});

test('an outbox that can not be used keeps no mail back', async t => {
  const folder = tempDir(t);
  writeFileSync(join(folder, 'outbox'), 'in its place');
  const { received, port } = await smtpServer(t);
  const notify = (to: number) => {
    const mail: MailSettings = { to: ['a@x'], from: 'b@x', on: ['always'], transport: smtp(to) };
    return createNotifier({ ...nobody, mail }, { folder, now: () => 4, signal: live }).end(outcome);
  };
  const [told] = await notify(port);
  assert.match(told!, /^can't read the outbox .*ENOTDIR/);
  assert.equal(received.length, 1);
  const absent: MailSettings = {
    ...{ to: ['a@x'], from: 'b@x', on: ['always'] },
    transport: { sendmail: '/absent' },
  };
  const [lost] = await createNotifier(
    { ...nobody, mail: absent },
    { folder, now: () => 4, signal: live },
  ).end(outcome);
  assert.match(lost!, /could not be sent through \/absent.*; can't keep the mail in /);
  assert.doesNotMatch(lost!, /kept for the next run/);
});

test('an address that the server refuses while it takes another is told, and the mail does not wait', async t => {
  const folder = tempDir(t);
  const { received, port } = await smtpServer(t, {
    onRcptTo({ address }, _session, done) {
      if (address === 'a@x') done();
      else done(Object.assign(new Error('no such user'), { responseCode: 550 }));
    },
  });
  const mail: MailSettings = { to: ['gone@x', 'a@x'], from: 'b@x', on: ['always'], transport: smtp(port) };
  const at = { folder, now: () => 4, signal: live };
  const [told] = await createNotifier({ ...nobody, mail }, at).end(outcome);
  assert.match(told!, /^the mail went out .*, but not to everybody: gone@x \(.*550 no such user\)$/);
  assert.equal(received.length, 1);
  assert.equal(existsSync(join(folder, 'outbox')), false);
});

test('openOutbox() sets aside what is damaged, and keeps no more than it should', t => {
  const folder = join(tempDir(t), 'outbox');
  mkdirSync(folder);
  writeFileSync(join(folder, '0000000000001-1.json'), '{"subject":');
  writeFileSync(join(folder, '0000000000002-1.json'), '{"subject":"s","body":"b","from":"f","to":"no list"}');
  const outbox = openOutbox(folder);
  for (let i = 0; i < 60; i++) outbox.keep({ ...letter, subject: `mail ${i}` }, 1000 + i);
  const waiting = outbox.waiting();
  assert.equal(waiting.length, 50);
  assert.equal(waiting[0]!.letter.subject, 'mail 10');
  assert.equal(existsSync(join(folder, '0000000000003-1.json')), false);
});

test('openOutbox() sets a damaged letter aside and gives the others', t => {
  const folder = join(tempDir(t), 'outbox');
  const outbox = openOutbox(folder);
  outbox.keep(letter, 5);
  writeFileSync(join(folder, '0000000000001-1.json'), '{"subject":');
  assert.equal(outbox.waiting().length, 1);
  assert.ok(existsSync(join(folder, '0000000000001-1.json.damaged')));
});

interface Request {
  readonly path: string;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

async function httpServer(t: TestContext, status: (path: string) => number | undefined = () => 200) {
  const requests: Request[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url!;
      requests.push({ path, body: Buffer.concat(chunks).toString(), headers: request.headers });
      const code = status(path);
      if (code !== undefined) response.writeHead(code).end();
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('pings tell the start, success and failure; webhooks and ntfy get what they want', async t => {
  const { requests, url } = await httpServer(t);
  const folder = tempDir(t);
  const settings: NoticeSettings = {
    pings: [{ url: async () => `${url}/uuid` }],
    webhooks: [{ url: async () => `${url}/hook`, authorization: async () => 'Bearer x' }],
    ntfy: { url: async () => `${url}/topic`, token: async () => 'tk', on: ['error'] },
  };
  const notifier = createNotifier(settings, { folder, now: () => 0, signal: live });
  assert.deepEqual(await notifier.begin(false), []);
  assert.deepEqual(await notifier.end(outcome), []);
  assert.deepEqual(await notifier.end({ ...outcome, verdict: 'error', status: 1 }), []);
  const paths = requests.map(({ path }) => path).sort();
  assert.deepEqual(paths, ['/hook', '/hook', '/topic', '/uuid', '/uuid/fail', '/uuid/start']);
  const hook = requests.find(({ path }) => path === '/hook')!;
  assert.equal(hook.headers.authorization, 'Bearer x');
  const told = JSON.parse(hook.body) as RunOutcome & { subject: string };
  assert.deepEqual(
    [told.profile, told.verdict, told.status, told.summary],
    ['pictures', 'ok', 0, outcome.summary],
  );
  const topic = requests.find(({ path }) => path === '/topic')!;
  assert.match(topic.headers.title as string, /^\[ERR\] backup pictures/);
  assert.deepEqual([topic.headers.priority, topic.body], ['5', 'Backed up: 1 new file.']);
});

test('a notice that fails is told without its address, and hinders no other', async t => {
  const { requests, url } = await httpServer(t, path => (path.startsWith('/bad') ? 500 : 200));
  const dead = await httpServer(t);
  const settings: NoticeSettings = {
    pings: [
      { url: async () => `${url}/bad-secret` },
      { url: async () => 'no url' },
      { url: async () => Promise.reject(new BackupError('usage', 'url-file in x gives nothing')) },
      { url: async () => `${dead.url}/good` },
      { url: async () => `${url}/good` },
    ],
    webhooks: [],
  };
  const notifier = createNotifier(settings, { folder: tempDir(t), now: () => 0, signal: live });
  const told = await notifier.end(outcome);
  assert.equal(told.length, 3);
  assert.match(told[0]!, /^the notice to 127\.0\.0\.1:\d+ could not be sent: it answered 500/);
  assert.ok(told.every(text => !text.includes('secret')));
  assert.ok(requests.some(({ path }) => path === '/good'));
});

test('postpone() keeps the mail, and tells the rest although the run was ended, but does not wait for it', async t => {
  const folder = tempDir(t);
  const { requests, url } = await httpServer(t, path => (path === '/deaf/fail' ? undefined : 200));
  const mail: MailSettings = { to: ['a@x'], from: 'b@x', on: ['error'], transport: smtp(1) };
  const pings = ['uuid', 'deaf'].map(name => ({ url: async () => `${url}/${name}` }));
  const settings: NoticeSettings = { ...nobody, mail, pings };
  const notifier = createNotifier(settings, { folder, now: () => 5, signal: AbortSignal.abort() });
  assert.deepEqual(await notifier.postpone(outcome), []);
  assert.ok(!existsSync(join(folder, 'outbox')));
  const failures = await notifier.postpone({ ...outcome, verdict: 'error' });
  assert.match(failures.join('\n'), /^the notice to 127\.0\.0\.1:\d+ could not be sent: .*timeout/);
  const paths = requests.map(({ path }) => path).sort(); // the addresses are told side by side
  assert.deepEqual(paths, ['/deaf', '/deaf/fail', '/uuid', '/uuid/fail']);
  assert.equal(readdirSync(join(folder, 'outbox')).length, 1);
});

test('user and password in the URL of a notice are sent as such, and nothing tells of them', async t => {
  const { requests, url } = await httpServer(t, path => (path === '/hook' ? 200 : 404));
  const withLogin = url.replace('//', '//joe:hunter%402@');
  const webhook = (path: string) => ({ url: async () => `${withLogin}${path}` });
  await callWebhook(webhook('/hook'), outcome, live);
  assert.equal(requests[0]!.headers.authorization, `Basic ${btoa('joe:hunter@2')}`);
  const untold = (error: Error) => !/hunter|tk_secret/.test(error.message);
  await assert.rejects(callWebhook(webhook('/absent'), outcome, live), untold);
  const authorization = async () => 'tk_secret\rmore';
  await assert.rejects(callWebhook({ ...webhook('/hook'), authorization }, outcome, live), untold);
});
