/** A source that is away for a while: it is waited for; if it stays away nothing false is stored. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { expectStatus, type Running, startProgram } from '../support/processes.ts';
import { cliPath, createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { createSleepingSource } from '../support/sleeping-source.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { needTool } from '../support/tools.ts';
import { assertTold, assertToldOnly } from './troubles.ts';

const PLAIN = '--no-encryption';

function setUp(t: TestContext) {
  const program = createProgram(t);
  const source = join(program.home, 'nas');
  const random = createRandom(61);
  for (const folder of ['a', 'b', 'c']) {
    mkdirSync(join(source, folder), { recursive: true });
    for (let i = 0; i < 5; i++) writeFileSync(join(source, folder, `file ${i}`), random.bytes(200_000));
  }
  return { program, source, url: `file://${join(program.home, 'target')}`, ...createSleepingSource(program) };
}

/** Waits until the program has said something on standard error. */
async function says(running: Running, pattern: RegExp): Promise<void> {
  let text = '';
  for await (const chunk of running.child.stderr!.iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (pattern.test(text)) return;
  }
  assert.fail(`it ended without saying ${pattern}: ${text}`);
}

const AWAY = /the source does not answer \(E[A-Z]+\); waiting up to 5 minutes\n/;

for (const code of ['EIO', 'ESTALE', 'EHOSTDOWN']) {
  test(`backup waits for a source that sleeps when it begins (${code})`, async t => {
    const { program, source, url, options, fail, heal } = setUp(t);
    fail({ code, match: source });
    const running = program.start(['full', PLAIN, source, url], options);
    await says(running, AWAY);
    heal();
    assertTold(expectStatus(await running.done), 'the source sleeps, and wakes up');
    expectStatus(await program.run(['verify', '--compare-data', url, source]));
  });
}

for (const from of ['b', 'b/file 2']) {
  test(`backup waits for a source that goes away at ${from}, and tells it once`, async t => {
    const { program, source, url, options, fail, heal } = setUp(t);
    fail({ code: 'EIO', match: source, from: join(source, from) });
    const running = program.start(['full', PLAIN, source, url], options);
    await says(running, AWAY);
    heal();
    const { stderr } = expectStatus(await running.done);
    assert.match(stderr, /^Warning: the source does not answer [^\n]+\n$/);
    expectStatus(await program.run(['verify', '--compare-data', url, source]));
  });
}

test('backup reads on where a file broke off, with what was open before opened anew', async t => {
  const { program, source, url, options, fail, heal } = setUp(t);
  writeFileSync(join(source, 'large'), createRandom(62).bytes(5_000_000));
  fail({ code: 'ESTALE', match: source, from: 'large', calls: ['readSync', 'opendirSync'] });
  const running = program.start(['full', PLAIN, source, url], options);
  await says(running, AWAY);
  heal();
  expectStatus(await running.done);
  expectStatus(await program.run(['verify', '--compare-data', url, source]));
});

test('backup stops when the source stays away, and the next one stores all of it', async t => {
  const { program, source, url, options, fail, heal } = setUp(t);
  expectStatus(await program.run(['full', PLAIN, source, url]));
  const before = readdirSync(join(program.home, 'target'));
  fail({ code: 'EIO', match: source });
  assertToldOnly(
    await program.run([PLAIN, '--source-retry-for', '0', source, url], options),
    'the source does not answer',
  );
  for (const from of ['a', 'b/file 4', 'c']) {
    fail({ code: 'ETIMEDOUT', match: source, from: join(source, from) });
    writeFileSync(join(source, 'a/file 0'), `changed before ${from}`);
    const result = await program.run([PLAIN, '--source-retry-for', '1', source, url], options);
    assertTold(result, 'the source stays away');
    assert.deepEqual(readdirSync(join(program.home, 'target')), before);
  }
  heal();
  expectStatus(await program.run([PLAIN, source, url], options));
  expectStatus(await program.run(['restore', url, 'out']));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
});

test('a signal ends a backup that waits for its source', async t => {
  const { program, source, url, options, fail } = setUp(t);
  for (const from of ['', 'b']) {
    fail({ code: 'EIO', match: source, from: join(source, from) });
    const running = program.start(['full', PLAIN, source, url], options);
    await says(running, AWAY);
    running.kill('SIGTERM');
    const { status, signal } = await running.done;
    assert.ok(status === 143 || signal === 'SIGTERM');
    const target = join(program.home, 'target');
    assert.deepEqual(existsSync(target) ? readdirSync(target) : [], []);
  }
});

test('on a single processor a source is waited for too, and a signal ends the wait', async t => {
  if (!needTool(t, 'taskset')) return;
  const { program, source, url, options, fail, heal } = setUp(t);
  const start = () => {
    const words = [...options.nodeArgs!, cliPath, 'full', PLAIN, source, url];
    const env = { ...program.env, ...options.env };
    return startProgram('taskset', ['-c', '0', process.execPath, ...words], { env, cwd: program.home });
  };
  fail({ code: 'EIO', match: source, from: join(source, 'b') });
  const ended = start();
  await says(ended, AWAY);
  ended.kill('SIGTERM');
  assert.equal((await ended.done).signal, 'SIGTERM', 'nothing else goes on, so it is ended at once');
  const running = start();
  await says(running, AWAY);
  heal();
  expectStatus(await running.done);
  expectStatus(await program.run(['verify', '--compare-data', url, source]));
});
