/** What must be there after a power cut is on the disk before it has its name. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeFiles } from '../../src/cli/init-files.ts';
import { replaceFile } from '../../src/files/whole-file.ts';
import { openOutbox } from '../../src/notices/outbox.ts';
import { writeMetrics } from '../../src/profiles/metrics.ts';
import { readState, writeState } from '../../src/profiles/state.ts';
import { replaceCalls } from '../support/node-calls.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Calls of the file system by what they do, as long as the test runs. */
function recordCalls(t: TestContext): string[] {
  const calls: string[] = [];
  const paths = new Map<unknown, string>();
  const record = (what: string, of: (given: readonly unknown[]) => string) =>
    replaceCalls(t, [what], original => (...given) => {
      calls.push(`${what.replace('Sync', '')} ${of(given)}`);
      return original(...given);
    });
  replaceCalls(t, ['openSync'], original => (...given) => {
    const fd = original(...given);
    paths.set(fd, String(given[0]));
    return fd;
  });
  record('fsyncSync', ([fd]) => paths.get(fd)!);
  record('renameSync', ([from, to]) => `${from} ${to}`);
  return calls;
}

test('replaceFile() has the content on the disk, then renames, then has the name there', t => {
  const folder = tempDir(t);
  const path = join(folder, 'file');
  const calls = recordCalls(t);
  for (const text of ['one', 'another']) {
    replaceFile(path, text, 0o600);
    assert.equal(readFileSync(path, 'utf8'), text);
    assert.deepEqual(calls.splice(0), [`fsync ${path}.new`, `rename ${path}.new ${path}`, `fsync ${folder}`]);
  }
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ['file']);
});

test('a try that fails leaves nothing: each night would add something', t => {
  const folder = tempDir(t);
  const taken = join(folder, 'taken');
  mkdirSync(taken);
  assert.throws(() => replaceFile(taken, 'text', 0o600), /EISDIR/);
  assert.throws(() => writeMetrics(taken, 'text'), /can't write metrics to .*taken: EISDIR/);
  const outbox = openOutbox(join(folder, 'outbox'));
  replaceCalls(t, ['writeFileSync'], () => () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  });
  for (const now of [1, 2]) {
    assert.throws(
      () => outbox.keep({ subject: 's', body: 'b', from: 'f', to: ['t'] }, now),
      /can't keep the mail .*ENOSPC/,
    );
  }
  assert.throws(() => writeMetrics(join(folder, 'metrics'), 'text'), /ENOSPC/);
  assert.deepEqual(readdirSync(folder, { recursive: true }).sort(), ['outbox', 'taken']);
});

test('states, waiting mails, profiles and their secrets outlive a power cut', t => {
  const folder = tempDir(t);
  const calls = recordCalls(t);
  writeState(folder, { ...readState(folder), running: 1 });
  openOutbox(join(folder, 'outbox')).keep({ subject: 's', body: 'b', from: 'f', to: ['t'] }, 1);
  const isSynced = (call: string, index: number) =>
    calls.slice(0, index).includes(`fsync ${call.split(' ')[1]}`);
  const renames = calls.flatMap((call, index) => (call.startsWith('rename') ? [isSynced(call, index)] : []));
  assert.deepEqual(renames, [true, true]);
  const made = [join(folder, 'p.passphrase'), join(folder, 'p.toml')];
  calls.length = 0;
  writeFiles(made.map(path => [path, 'text']));
  for (const path of [...made, folder]) assert.ok(calls.includes(`fsync ${path}`), path);
});
