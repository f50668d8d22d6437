/** Runs that are ended in their middle: by a signal in order, by kill -9 without any. The next run must just work. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDuplicity } from '../support/duplicity.ts';
import { expectStatus, type Running } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { credentials } from '../support/s3-server.ts';
import { createSleepingSource } from '../support/sleeping-source.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { haveTool } from '../support/tools.ts';
import { assertTold } from './troubles.ts';

const WHOLE_OBJECT =
  /^duplicity-(full|inc|full-signatures|new-signatures)\.[\dTZto.]+\.(vol\d+\.difftar|sigtar|manifest)\.gpg$/;

function setUp(t: TestContext) {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  const folder = join(program.home, 'target');
  mkdirSync(source);
  const random = createRandom(31);
  for (let i = 0; i < 50; i++) writeFileSync(join(source, `file ${i}`), random.bytes(1_000_000));
  return { program, source, folder, url: `file://${folder}` };
}

function catalogsOf({ home }: { readonly home: string }): string[] {
  const caches = join(home, '.cache/tsbackup');
  return readdirSync(caches).flatMap(cache =>
    readdirSync(join(caches, cache)).filter(name => name.endsWith('.sqlite')),
  );
}

/** Every object of a target folder; one that is put again has another inode. */
function inodesIn(folder: string): Map<string, number> {
  return new Map(readdirSync(folder).map(name => [name, statSync(join(folder, name)).ino]));
}

/** Waits until a running backup has stored volume `number` of its set. */
async function storedVolume(running: Running, folder: string, set: RegExp, number: number): Promise<void> {
  const isThere = () =>
    existsSync(folder) && readdirSync(folder).some(name => set.test(name) && name.includes(`.vol${number}.`));
  while (!isThere()) {
    assert.equal(running.child.exitCode, null, 'it ended before it could be interrupted');
    await sleep(5);
  }
}

const options = { passphrase: 'right', timeoutMs: 60_000 };

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`backup ended by ${signal} leaves whole volumes only, and the next one continues it`, async t => {
    const { program, source, folder, url } = setUp(t);
    const running = program.start(['full', '--volsize', '1', source, url], options);
    await storedVolume(running, folder, /^duplicity-full/, 3);
    running.kill(signal);
    const result = await running.done;
    assert.equal(result.status, status);
    if (signal === 'SIGINT') assertTold(result, 'Ctrl-C, or another signal (backup)');
    for (const name of readdirSync(folder)) assert.match(name, WHOLE_OBJECT);
    assert.ok(!readdirSync(folder).some(name => name.includes('manifest')));
    const sent = inodesIn(folder);
    const next = await program.run(['incremental', '--volsize', '1', source, url], options);
    expectStatus(next);
    assertTold(next, 'a backup was interrupted, and the next one runs');
    const now = inodesIn(folder);
    const sentAgain = [...sent].filter(([name, inode]) => now.get(name) !== inode);
    assert.ok(sentAgain.length <= 2, `only what was under way: ${sentAgain.length} of ${sent.size}`);
    assert.equal(readdirSync(folder).filter(name => name.includes('manifest')).length, 1);
    assert.equal(catalogsOf(program).length, 1);
    expectStatus(await program.run(['restore', url, 'out'], options));
    assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
  });
}

test('a signal ends a run whose server is silent', async t => {
  const program = createProgram(t);
  const sockets: Socket[] = [];
  const server = createServer(socket => void sockets.push(socket.on('error', () => {})));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = [
    's3://bucket/x',
    '--s3-endpoint-url',
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  ];
  mkdirSync(join(program.home, 'source'));
  for (const words of [['full', 'source'], ['collection-status']]) {
    const connections = sockets.length;
    // Long before the silence is noticed, which takes half a minute.
    const running = program.start([...words, ...url], { ...options, env: credentials, timeoutMs: 25_000 });
    while (sockets.length === connections) await sleep(20);
    running.kill('SIGTERM');
    const { status, stderr } = await running.done;
    assert.equal(status, 143, stderr);
    assert.match(stderr, /^Interrupted/);
  }
});

test('incremental killed in its middle changes nothing that was there, and both programs go on', async t => {
  const { program, source, folder, url } = setUp(t);
  expectStatus(await program.run(['full', source, url], options));
  const before = snapshotTree(source);
  const random = createRandom(32);
  for (let i = 0; i < 30; i++) writeFileSync(join(source, `more ${i}`), random.bytes(1_000_000));
  const sleeping = createSleepingSource(program);
  sleeping.fail({ code: 'HANG', match: join(source, 'more 9'), calls: ['openSync'] }); // the last one: it can't end by itself
  for (const attempt of [2, 8]) {
    const hanging = { ...options, ...sleeping.options };
    const running = program.start(['incremental', '--volsize', '1', source, url], hanging);
    await storedVolume(running, folder, /^duplicity-inc/, attempt);
    running.kill('SIGKILL');
    assert.equal((await running.done).signal, 'SIGKILL');
    if (haveTool('duplicity')) {
      const { stdout } = await createDuplicity(t).collectionStatus(url);
      assert.match(stdout, /Number of contained backup sets: 1\n/);
    }
    assertTold(
      await program.run(['restore', url, `out ${attempt}`], options),
      'the newest backup was not finished',
    );
    assertSameTree(snapshotTree(join(program.home, `out ${attempt}`)), before);
  }
  expectStatus(await program.run(['incremental', source, url], options));
  expectStatus(await program.run(['restore', url, 'out'], options));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
  const caches = join(program.home, '.cache/tsbackup');
  for (const cache of readdirSync(caches)) {
    assert.deepEqual(
      readdirSync(join(caches, cache, 'tsbackup-partial')),
      [],
      'killed runs leave nothing for ever',
    );
  }
  if (haveTool('duplicity')) {
    const theirs = join(program.home, 'theirs');
    await createDuplicity(t).restore(url, theirs, { passphrase: 'right' });
    assertSameTree(snapshotTree(theirs), snapshotTree(source));
  }
});

test('restore ended by a signal leaves whole files only', async t => {
  const { program, source, url } = setUp(t);
  expectStatus(await program.run(['full', '--no-encryption', source, url]));
  const out = join(program.home, 'out');
  const running = program.start(['restore', url, out]);
  while (!existsSync(join(out, 'file 10'))) {
    assert.equal(running.child.exitCode, null, 'it ended before it could be interrupted');
    await sleep(1);
  }
  running.kill('SIGINT');
  assertTold(await running.done, 'Ctrl-C, or another signal (restore)');
  const names = readdirSync(out);
  assert.ok(names.length < 50);
  for (const name of names)
    assert.ok(readFileSync(join(out, name)).equals(readFileSync(join(source, name))), name);
  expectStatus(await program.run(['restore', '--force', url, out]));
  assertSameTree(snapshotTree(out), snapshotTree(source));
});
