/** A known fault: after an error of the system the program waited for ever for threads that would never answer. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertSaid, assertTold } from '../commands/troubles.ts';
import { expectStatus, tail } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { createSleepingSource } from '../support/sleeping-source.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';

/** How long to wait for what hangs: far longer than a busy machine takes for what only is slow. */
const SHORT = ['--stall-timeout', '5'];

function setUp(t: TestContext) {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  const target = join(program.home, 'target');
  const random = createRandom(95);
  mkdirSync(source);
  for (let i = 0; i < 8; i++) writeFileSync(join(source, `file ${i}`), random.bytes(700_000));
  return { program, source, target, url: `file://${target}`, ...createSleepingSource(program) };
}

test('after a system error nothing hangs, and the next run works', async t => {
  const { program, source, url, options, fail, heal } = setUp(t);
  const words = ['full', '--no-encryption', '--volsize', '1', '--source-retry-for', '0', source, url];
  for (const code of ['EIO', 'ENOMEM', 'EMFILE', 'EOVERFLOW']) {
    for (const match of [source, 'file 5']) {
      fail({ code, match });
      const result = await program.run(words, { ...options, timeoutMs: 30_000 });
      assert.ok([1, 3, 75].includes(result.status!), tail(result));
    }
  }
  heal();
  expectStatus(await program.run(words, options));
  expectStatus(await program.run(['verify', '--compare-data', url, source]));
});

test('a source that hangs for ever does not hang the program', async t => {
  const { program, source, url, options, fail, heal } = setUp(t);
  expectStatus(await program.run(['full', '--no-encryption', source, url], options));
  for (const call of ['openSync', 'stat']) {
    writeFileSync(join(source, 'file 3'), `changed before ${call}`);
    fail({ code: 'HANG', match: call === 'stat' ? source : 'file 3', calls: [call] });
    const words = ['--no-encryption', ...SHORT, source, url];
    assertSaid(await program.run(words, { ...options, timeoutMs: 40_000 }), 'the source hangs');
  }
  heal();
  expectStatus(await program.run(['--no-encryption', source, url], options));
  expectStatus(await program.run(['restore', url, 'out']));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
});

test('a run of a profile whose source hangs is told of by mail, and the command after it may take its time', async t => {
  const { program, source, url, options, fail } = setUp(t);
  const { home } = program;
  const mail = join(home, 'mail');
  const sendmail = join(home, 'sendmail');
  writeFileSync(sendmail, `#!/bin/sh\nexec cat > '${mail}'\n`, { mode: 0o755 });
  const profile = `source = '${source}'
target = '${url}'
[options]
no-encryption = true
stall-timeout = 5
post-command = 'sleep 4; echo done > after'
[mail]
transport = "sendmail"
sendmail = '${sendmail}'
to = ["anna@example.org"]
from = "pi@example.org"
on = ["error"]
`;
  mkdirSync(join(home, '.config', 'tsbackup'), { recursive: true });
  writeFileSync(join(home, '.config', 'tsbackup', 'p.toml'), profile);
  fail({ code: 'HANG', match: 'file 3', calls: ['openSync'] });
  assertSaid(await program.run(['run', 'p'], { ...options, timeoutMs: 60_000 }), 'the source hangs');
  assert.match(
    readFileSync(mail, 'utf8'),
    /^Subject: \[ERR\] backup p @ [\s\S]*^No backup was made: No progress/m,
  );
  assert.ok(existsSync(join(home, 'after')));
});

test('one signal is enough to end a program whose source hangs, and a second one ends it at once', async t => {
  const { program, source, target, url, options, fail, hung } = setUp(t);
  fail({ code: 'HANG', match: 'file 3', calls: ['openSync'] });
  for (const signals of [1, 2]) {
    const running = program.start(['full', '--no-encryption', '--volsize', '1', source, url], {
      ...options,
      timeoutMs: 40_000,
    });
    await hung();
    running.kill('SIGINT');
    if (signals === 2) {
      await sleep(500);
      running.kill('SIGINT');
    }
    const result = await running.done;
    assert.equal(result.signal, 'SIGINT');
    if (signals === 1) assert.match(result.stderr, /^Interrupted; .* the next run continues this one\.$/m);
    const stored = existsSync(target) ? readdirSync(target) : []; // perhaps nothing yet
    assert.ok(!stored.some(name => name.includes('manifest')));
  }
});

test('a target that hangs for ever does not hang the program', async t => {
  const { program, source, target, url, options, fail, heal } = setUp(t);
  const words = ['full', '--no-encryption', '--volsize', '1', source, url];
  fail({ code: 'HANG', match: target, calls: ['open'] });
  assertSaid(await program.run([...SHORT, ...words], { ...options, timeoutMs: 90_000 }), 'the target hangs');
  fail({ code: 'HANG', match: join(target, 'duplicity'), calls: ['unlink'] });
  expectStatus(await program.run(words, options)); // there is nothing to delete
  heal();
  expectStatus(await program.run(words, options));
  assertTold(await program.run(['verify', url, source]), '`verify` finds all well, DIR was not looked at');
  fail({ code: 'HANG', match: '.vol2.' });
  const out = join(program.home, 'out');
  assertSaid(
    await program.run(['restore', ...SHORT, url, out], { ...options, timeoutMs: 90_000 }),
    'the target hangs',
  );
});
