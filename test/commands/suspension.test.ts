/** A backup that stands still for a while, because its host sleeps or somebody stops it, goes on as if nothing was. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram, type Program } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { BUCKET, credentials, startS3Server } from '../support/s3-server.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';

/** The program stands still for longer than it would wait for whatever does not move. */
const LIMITS = ['--stall-timeout', '5', '--timeout', '5'];
const STILL_MS = 8000;

/** @param begun whether some of the set is on its way */
async function suspend(program: Program, target: readonly string[], begun: () => boolean): Promise<void> {
  const source = join(program.home, 'source');
  const random = createRandom('suspension');
  mkdirSync(source);
  for (let i = 10; i < 50; i++) writeFileSync(join(source, String(i)), random.bytes(2 ** 20));
  const options = { passphrase: 'right', env: credentials, timeoutMs: 120_000 };
  const running = program.start(['full', '--volsize', '1', ...LIMITS, source, ...target], options);
  while (!begun()) {
    assert.equal(running.child.exitCode, null, 'it ended before it could be stopped');
    await sleep(2);
  }
  running.kill('SIGSTOP');
  await sleep(STILL_MS);
  assert.equal(running.child.exitCode, null, 'it ended before it was stopped');
  running.kill('SIGCONT');
  const result = expectStatus(await running.done);
  assert.doesNotMatch(result.stderr, /^(Warning|Error)/m);
  const [url = '', ...more] = target;
  expectStatus(await program.run(['restore', ...more, url, 'out'], options));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
}

test('a backup to a folder that is stopped for a while goes on', async t => {
  const program = createProgram(t);
  const folder = join(program.home, 'target');
  const begun = () => existsSync(folder) && readdirSync(folder).some(name => name.includes('.vol3.'));
  await suspend(program, [`file://${folder}`], begun);
});

test('a backup to S3 that is stopped for a while goes on', async t => {
  const program = createProgram(t);
  const server = await startS3Server();
  t.after(() => server.close());
  const proxy = await startFaultProxy(server.port, () => undefined);
  t.after(() => proxy.close());
  const begun = () => proxy.seen.some(({ method, url }) => method === 'PUT' && url.includes('.vol3.'));
  await suspend(program, [`s3://${BUCKET}/stopped`, '--s3-endpoint-url', proxy.url], begun);
});
