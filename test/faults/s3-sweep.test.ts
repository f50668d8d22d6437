/**
 * Every request of a small backup to a real S3 server goes wrong in turn: what passes is outlived, what stays ends the
 * run, and a killed process is what it is. Then the source changes, and the next run goes on; afterwards every set that
 * is there restores to real versions of its files. `npm run test:faults` takes every request, `npm test` a sample.
 */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exitStatus } from '../../src/errors.ts';
import { createTestArchive } from '../support/archive.ts';
import type { ChildBackup } from '../support/child-backup.ts';
import { type Fault, type FaultProxy, type Seen, s3Error, startFaultProxy } from '../support/fault-proxy.ts';
import { chosenOf } from '../support/faults.ts';
import { type Running, startProgram, tail } from '../support/processes.ts';
import { createRandom } from '../support/random.ts';
import { BUCKET, credentials, type S3Server, startS3Server } from '../support/s3-server.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { changes } from '../support/source-changes.ts';
import { type Scope, tempDir } from '../support/temp-dir.ts';
import { assertRealVersions } from '../support/versions.ts';

const EVERY = 5;
const backupChild = fileURLToPath(new URL('../support/backup-child.js', import.meta.url));
const volumeSize = 200_000;
const FIRST = 1_600_000_000;

const passing: Readonly<Record<string, Fault>> = {
  'an error 500': s3Error(500, 'InternalError'),
  'a reset in the body': { kind: 'reset-request', after: 1 },
  'a reset before the answer': { kind: 'reset-response', after: -1 },
  'a flipped bit': { kind: 'flip-request' },
};
const kinds = [...Object.keys(passing), 'a refusal for good', 'a death'];

test('a backup to S3 survives a fault at any request', async t => {
  const server = await startS3Server();
  t.after(() => server.close());
  const requests = await strike(t, server, { at: 0, kind: 'nothing', index: 0 });
  const cases = Array.from({ length: requests }, (_, at) => kinds.map(kind => ({ at: at + 1, kind }))).flat();
  const chosen = chosenOf(cases, EVERY);
  for (const [index, { at, kind }] of chosen.entries()) {
    await t.test(`${kind} at request ${at}`, async scope => {
      await strike(scope as Scope, server, { at, kind, index });
    });
  }
  t.diagnostic(`${chosen.length} of ${cases.length} faults at ${requests} requests`);
  assert.ok(chosen.length > 0);
});

/** @returns requests of the struck run */
async function strike(
  t: Scope,
  server: S3Server,
  { at, kind, index }: { at: number; kind: string; index: number },
): Promise<number> {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeSource(source);
  let child: Running | undefined;
  let refuses = false;
  let armed = true;
  const choose = ({ index: number }: Seen): Fault | undefined => {
    refuses ||= armed && kind === 'a refusal for good' && number + 1 === at;
    if (armed && refuses) return s3Error(403, 'AccessDenied');
    if (!armed || number + 1 !== at) return undefined;
    if (kind === 'a death') child!.kill('SIGKILL');
    return passing[kind];
  };
  const proxy: FaultProxy = await startFaultProxy(server.port, choose);
  t.after(() => proxy.close());
  const place = { url: `s3://${BUCKET}/sweep-${at}-${kind.replaceAll(' ', '-')}`, endpointUrl: proxy.url };
  const job: ChildBackup = { base, source, time: FIRST, mode: 'full', volumeSize, cores: 1, ...place };
  const env = { PATH: process.env.PATH ?? '', ...credentials };
  child = startProgram(process.execPath, [backupChild, JSON.stringify(job)], { env, timeoutMs: 90_000 });
  const result = await child.done;
  const requests = proxy.seen.length;
  armed = false;
  if (kind === 'a death') assert.equal(result.signal, 'SIGKILL', tail(result));
  else if (kind === 'a refusal for good')
    assert.equal(result.status, exitStatus.targetUnreachable, tail(result));
  else assert.equal(result.status, exitStatus.done, tail(result));

  const archive = createTestArchive(base, { ...place, now: FIRST + 1000 });
  const versions = [snapshotTree(source)];
  if (result.status === 0) {
    assert.equal(await archive.restore(join(base, 'struck')), 0);
    assertSameTree(snapshotTree(join(base, 'struck')), versions[0]!);
  }
  const names = Object.keys(changes) as (keyof typeof changes)[];
  changes[names[index % names.length]!](source, index);
  versions.push(snapshotTree(source));
  assert.equal(await archive.backup(source, { volumeSize }), 0, JSON.stringify(archive.host.reports));
  assert.equal(await archive.restore(join(base, 'next')), 0);
  assertRealVersions(snapshotTree(join(base, 'next')), versions);
  archive.host.set(FIRST + 2000);
  assert.equal(await archive.backup(source, { volumeSize }), 0);
  assert.equal(await archive.restore(join(base, 'last')), 0);
  assertSameTree(snapshotTree(join(base, 'last')), versions.at(-1)!);
  return requests;
}

function makeSource(source: string): void {
  const random = createRandom('faults in the cloud');
  mkdirSync(join(source, 'folder'), { recursive: true });
  const sizes = { 'folder/a': 3000, 'folder/b': 600_000, large: 1_800_000, z: 5000 };
  for (const [name, size] of Object.entries(sizes)) writeFileSync(join(source, name), random.bytes(size));
}
