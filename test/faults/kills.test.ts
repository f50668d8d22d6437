/**
 * One backup, killed at many random moments by kill -9 and finished in the end, to a folder and to an S3 server: what
 * was sent in all is hardly more than the set.
 */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram, type Program } from '../support/program.ts';
import { createRandom, type Random } from '../support/random.ts';
import { BUCKET, credentials, startS3Server } from '../support/s3-server.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';

const KILLS = process.env.CI === 'true' ? 30 : 6;
const VOLUME = 2 ** 20;
const FILES = 140;
/** Volumes that a kill may cost: one on its way, or stored and not yet known to be, and the next one. */
const AT_ONCE = 2;

interface Target {
  readonly args: readonly string[];
  /** Volumes that can be seen at the target. */
  volumes(): number;
  /** Bytes of all that was ever sent; asked after each run. */
  sent(): number;
}

async function killAndFinish(program: Program, target: Target, random: Random): Promise<void> {
  const source = join(program.home, 'source');
  mkdirSync(source);
  for (let i = 10; i < 10 + FILES; i++) writeFileSync(join(source, String(i)), random.bytes(VOLUME));
  const options = { passphrase: 'right', env: credentials, timeoutMs: 120_000 };
  const backUp = ['--volsize', '1', source, ...target.args];
  for (let kill = 0; kill < KILLS; kill++) {
    const goal = target.volumes() + random.between(1, 2);
    const running = program.start(backUp, options);
    while (target.volumes() < goal) {
      assert.equal(running.child.exitCode, null, 'it ended before it could be killed');
      await sleep(2);
    }
    await sleep(random.int(30));
    running.kill('SIGKILL');
    assert.equal((await running.done).signal, 'SIGKILL');
    target.sent();
  }
  const result = await program.run(backUp, options);
  expectStatus(result);
  assert.match(result.stdout, /^Continuing the full backup/m);
  const size = Number(/^TotalDestinationSizeChange (\d+)/m.exec(result.stdout)![1]);
  const most = 1.05 * size + KILLS * AT_ONCE * VOLUME;
  assert.ok(
    target.sent() <= most,
    `${target.sent()} bytes were sent for a set of ${size}, more than ${most}`,
  );
  const [url = '', ...more] = target.args;
  expectStatus(await program.run(['restore', ...more, url, 'out'], options));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
  const again = await program.run(backUp, options);
  assert.match(again.stdout, /^DeltaEntries 0$/m);
}

test(`a backup to a folder survives kill -9 at ${KILLS} moments`, async t => {
  const program = createProgram(t);
  const folder = join(program.home, 'target');
  const seen = new Set<string>();
  let bytes = 0;
  await killAndFinish(
    program,
    {
      args: [`file://${folder}`],
      volumes: () =>
        existsSync(folder) ? readdirSync(folder).filter(name => name.includes('.vol')).length : 0,
      sent() {
        // What was put again has another inode; what was under way lies there too.
        for (const name of readdirSync(folder)) {
          const { ino, size } = statSync(join(folder, name));
          const key = `${name} ${ino}`;
          if (!seen.has(key)) bytes += size;
          seen.add(key);
        }
        return bytes;
      },
    },
    createRandom('kills'),
  );
  const halves = readdirSync(folder).filter(name => name.startsWith('tsbackup-tmp-'));
  assert.deepEqual(halves, [], 'the next run clears up what the killed one left');
});

test(`a backup to S3 survives kill -9 at ${KILLS} moments`, async t => {
  const program = createProgram(t);
  const server = await startS3Server();
  t.after(() => server.close());
  const proxy = await startFaultProxy(server.port, () => undefined);
  t.after(() => proxy.close());
  const puts = () => proxy.seen.filter(({ method }) => method === 'PUT' || method === 'POST');
  await killAndFinish(
    program,
    {
      args: [`s3://${BUCKET}/killed`, '--s3-endpoint-url', proxy.url],
      volumes: () => new Set(puts().flatMap(({ url }) => /\.vol\d+\./.exec(url)?.[0] ?? [])).size,
      sent: () => puts().reduce((sum, { received }) => sum + received, 0),
    },
    createRandom('kills in the cloud'),
  );
});
