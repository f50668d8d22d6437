import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { createPatience } from '../../src/files/patience.ts';
import { systemError } from '../../src/files/problem.ts';
import { wakeSource } from '../../src/files/wake.ts';
import type { Report } from '../../src/report.ts';
import { scratch } from './support.ts';

/** A clock that only waiting moves; what happens at a moment is given by its second. */
function fakeTime(events: Readonly<Record<number, () => void>> = {}) {
  let now = 0;
  const reports: Report[] = [];
  const due = new Map(Object.entries(events).map(([second, event]) => [Number(second) * 1000, event]));
  const pause = (ms: number) => {
    now += ms;
    for (const [at, event] of due) {
      if (at > now) continue;
      due.delete(at);
      event();
    }
  };
  const host = { now: () => now, pause, beat() {}, report: (report: Report) => void reports.push(report) };
  return { host, reports, seconds: () => now / 1000 };
}

const fails = (code: string) => () => {
  throw Object.assign(systemError(code, 'made by a test'), { syscall: 'read' });
};

function sourceIn(folder: string): { root: string; device: bigint; away: () => void; back: () => void } {
  const root = `${folder}/root`;
  mkdirSync(root);
  const { dev } = statSync(root, { bigint: true });
  return {
    root,
    device: dev,
    away: () => renameSync(root, `${root}.away`),
    back: () => renameSync(`${root}.away`, root),
  };
}

test('createPatience() tries again until the source is back, and tells of it once', t => {
  const { root, device, away, back } = sourceIn(scratch(t));
  const { host, reports, seconds } = fakeTime({ 100: back });
  away();
  const patience = createPatience(root, device, { ...host, retryForMs: 300_000 });
  let opened = 0;
  const result = patience.call(
    () => (seconds() < 100 ? fails('EIO')() : 'read'),
    () => opened++,
  );
  assert.equal(result, 'read');
  assert.ok(seconds() >= 100 && seconds() < 111 && opened > 10);
  assert.deepEqual(
    reports.map(({ message }) => message),
    ['the source does not answer (EIO); waiting up to 5 minutes', 'The source answers again.'],
  );
});

test('createPatience() tells that the source is back though one thing in it fails for good', t => {
  const { root, device, away, back } = sourceIn(scratch(t));
  const { host, reports } = fakeTime({ 20: back });
  away();
  const patience = createPatience(root, device, { ...host, retryForMs: 300_000 });
  assert.throws(() => patience.call(fails('EIO')), { code: 'EIO' });
  assert.deepEqual(
    reports.map(({ code }) => code),
    ['source-away', 'source-back'],
  );
});

test('createPatience() gives up a root that stays away when its time is over', t => {
  const { root, device, away } = sourceIn(scratch(t));
  away();
  for (const retryForMs of [0, 5000, 300_000]) {
    const { host, seconds } = fakeTime();
    const patience = createPatience(root, device, { ...host, retryForMs });
    assert.throws(() => patience.call(fails('ESTALE')), { code: 'source-unavailable' });
    assert.equal(seconds(), retryForMs / 1000);
  }
});

test('createPatience() waits a minute in all for things that fail while the root answers', t => {
  const { root, device } = sourceIn(scratch(t));
  const { host, reports, seconds } = fakeTime();
  const patience = createPatience(root, device, { ...host, retryForMs: 300_000 });
  for (let i = 0; i < 100; i++) assert.throws(() => patience.call(fails('EIO')), { code: 'EIO' });
  assert.equal(seconds(), 60);
  assert.deepEqual(reports, []);
});

test('createPatience() lets errors through that no waiting heals', t => {
  const { root, device } = sourceIn(scratch(t));
  const { host, seconds } = fakeTime();
  const patience = createPatience(root, device, { ...host, retryForMs: 300_000 });
  for (const code of ['EACCES', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EMFILE']) {
    assert.throws(() => patience.call(fails(code)), { code });
  }
  assert.throws(() => patience.call(() => assert.fail('a slip')), /a slip/);
  assert.equal(seconds(), 0);
});

test('createPatience() takes another file system for what it is, whatever a call gives then', t => {
  const folder = scratch(t);
  const { root, device, away } = sourceIn(folder);
  const toProc = () => symlinkSync('/proc', root);
  for (const answer of [fails('ENOENT'), () => 'a file of the wrong disk', fails('EIO')]) {
    const { host, seconds } = fakeTime({ 3: toProc });
    away();
    const patience = createPatience(root, device, { ...host, retryForMs: 300_000 });
    assert.throws(() => patience.call(() => (seconds() < 3 ? fails('EIO')() : answer())), {
      code: 'source-unmounted',
    });
    unlinkSync(root);
    renameSync(`${root}.away`, root);
  }
});

test('wakeSource() tells what stands at a root, and of one that is not there', async t => {
  const folder = scratch(t);
  const { root, device } = sourceIn(folder);
  const { host } = fakeTime();
  const options = { ...host, retryForMs: 0, sleep: async () => {} };
  const found = await wakeSource(root, options);
  assert.deepEqual(
    {
      device: found.device,
      isEmpty: found.isEmpty,
      isFolder: found.isFolder,
      isMountPoint: found.isMountPoint,
    },
    { device, isEmpty: true, isFolder: true, isMountPoint: false },
  );
  mkdirSync(`${root}/something`);
  symlinkSync(root, `${folder}/link`);
  assert.equal((await wakeSource(`${folder}/link`, options)).isEmpty, false);
  assert.equal((await wakeSource('/proc', options)).isMountPoint, true);
  assert.equal((await wakeSource('/', options)).isMountPoint, false);
  rmSync(root, { recursive: true });
  for (const path of [root, `${folder}/link`]) {
    await assert.rejects(wakeSource(path, options), { code: 'source-missing' });
  }
});

test('wakeSource() refuses a socket', async t => {
  const root = `${scratch(t)}/socket`;
  const server = createServer().listen(root);
  await once(server, 'listening');
  const options = { retryForMs: 0, sleep: async () => {}, now: () => 0, report() {} };
  await assert.rejects(wakeSource(root, options), { code: 'usage' });
  server.close();
});
