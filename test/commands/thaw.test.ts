/** A restore of volumes that lie in cold storage: it says so, asks for them, and goes on when they are thawed. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exitStatus } from '../../src/errors.ts';
import { createTestArchive } from '../support/archive.ts';
import { type Fault, type Seen, s3Error, startFaultProxy } from '../support/fault-proxy.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { BUCKET, credentials, startS3Server } from '../support/s3-server.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { type Scope, tempDir } from '../support/temp-dir.ts';

/** A service whose volumes are as cold as Amazon's of class DEEP_ARCHIVE. What is cold and thawed is set from outside. */
async function coldService(t: Scope) {
  const server = await startS3Server();
  t.after(() => server.close());
  const service = {
    asked: [] as string[],
    isCold: (name: string) => /\.vol\d/.test(name),
    isThawed: (_name: string) => false,
  };
  const proxy = await startFaultProxy(server.port, ({ method, url }: Seen): Fault | undefined => {
    const name = /([^/?]+)(?:\?.*)?$/.exec(url)![1]!;
    if (method === 'POST' && /[?&]restore/.test(url)) {
      service.asked.push(name);
      return { kind: 'answer', status: 202 };
    }
    if (!service.isCold(name)) return undefined;
    const isThawed = service.isThawed(name);
    if (method === 'GET' && !isThawed) return s3Error(403, 'InvalidObjectState');
    if (method !== 'HEAD') return undefined;
    const isAsked = isThawed || service.asked.includes(name);
    const headers = {
      'content-length': '5',
      'x-amz-storage-class': 'DEEP_ARCHIVE',
      ...(isAsked ? { 'x-amz-restore': `ongoing-request="${!isThawed}"` } : {}),
    };
    return { kind: 'answer', status: 200, headers };
  });
  t.after(() => proxy.close());
  return { service, proxy };
}

function makeSource(base: string): string {
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'photo'), createRandom('cold').bytes(2_500_000));
  return source;
}

test('restore names what is cold, --thaw asks for it once, and the same restore goes on when it is thawed', async t => {
  const base = tempDir(t);
  const { service, proxy } = await coldService(t);
  const source = makeSource(base);
  const program = createProgram(t);
  const restored = join(base, 'restored');
  const options = ['--no-encryption', '--s3-endpoint-url', proxy.url];
  const run = (...args: string[]) => program.run([...args, ...options], { env: credentials });
  const url = `s3://${BUCKET}/cold`;
  expectStatus(await run('full', source, url, '--volsize', '1', '--s3-use-deep-archive'));

  const told = await run('restore', url, restored);
  assert.equal(told.status, exitStatus.waitingForThaw, told.stderr);
  for (const number of [1, 2, 3])
    assert.match(
      told.stdout + told.stderr,
      new RegExp(`Cold: \\S+\\.vol${number}\\.\\S+ \\(DEEP_ARCHIVE\\)`),
    );
  assert.match(told.stderr, /3 of 3 volumes .*--thaw asks for them/);
  assert.deepEqual(service.asked, []);

  const thaw = ['restore', url, restored, '--thaw', '--thaw-tier', 'bulk', '--thaw-days', '3'];
  for (const again of [false, true]) {
    const asked = await run(...thaw);
    assert.equal(asked.status, exitStatus.waitingForThaw, asked.stderr);
    assert.match(
      asked.stdout + asked.stderr,
      again ? /was asked for before/ : /the thaw of 3 was asked for now/,
    );
    assert.match(asked.stderr, /run the same restore again in some hours/);
  }
  assert.equal(service.asked.length, 3);
  service.isThawed = () => true;
  expectStatus(await run(...thaw));
  assertSameTree(snapshotTree(restored), snapshotTree(source));
});

test('restore --thaw-wait waits for all volumes, and looks only at those that are cold yet', async t => {
  const base = tempDir(t);
  const { service, proxy } = await coldService(t);
  const source = makeSource(base);
  const archive = createTestArchive(base, { url: `s3://${BUCKET}/wait`, endpointUrl: proxy.url });
  assert.equal(await archive.backup(source, { volumeSize: 1_000_000 }), exitStatus.done);
  const looks: number[] = [];
  const sleep = async () => {
    looks.push(proxy.seen.filter(({ method }) => method === 'HEAD').length);
    service.isThawed = name => looks.length > 1 || /vol[12]\./.test(name);
  };
  Object.assign(archive.host, { sleep });
  const restored = join(base, 'restored');
  assert.equal(await archive.restore(restored, { thaw: true, thawWait: true }), exitStatus.done);
  assert.equal(looks.length, 2);
  assert.equal(looks[1]! - looks[0]!, 3);
  assert.equal(proxy.seen.filter(({ method }) => method === 'HEAD').length - looks[1]!, 1);
  assertSameTree(snapshotTree(restored), snapshotTree(source));
});

test('restore --thaw asks for manifests too that a rule of the bucket has moved to cold storage', async t => {
  const base = tempDir(t);
  const { service, proxy } = await coldService(t);
  const source = makeSource(base);
  const program = createProgram(t);
  const run = (...args: string[]) =>
    program.run([...args, '--no-encryption', '--s3-endpoint-url', proxy.url], { env: credentials });
  const url = `s3://${BUCKET}/moved`;
  const restored = join(base, 'restored');
  expectStatus(await run('full', source, url, '--volsize', '1'));
  service.isCold = name => name.startsWith('duplicity-');

  const elsewhere = (name: string, ...args: string[]) =>
    run('restore', url, restored, '--archive-dir', join(base, name), ...args);
  const told = await elsewhere('cache');
  assert.equal(told.status, exitStatus.waitingForThaw, told.stderr);
  assert.match(told.stderr, /5 of 5 objects .*--thaw asks for them/);
  const part = await elsewhere('cache', '--thaw', '--path-to-restore', 'photo');
  assert.match(part.stdout + part.stderr, /the thaw of 2 was asked for now/);
  const asked = await elsewhere('cache', '--thaw');
  assert.equal(asked.status, exitStatus.waitingForThaw, asked.stderr);
  assert.match(asked.stdout + asked.stderr, /the thaw of 3 was asked for now/);
  assert.equal(new Set(service.asked).size, 5);
  service.isThawed = name => !/vol3/.test(name);
  assert.match((await elsewhere('cache', '--thaw')).stderr, /1 of 3 volumes .* are being thawed/);
  service.isThawed = () => true;
  expectStatus(await elsewhere('other-cache'));
  assertSameTree(snapshotTree(restored), snapshotTree(source));
});

test('restore --thaw-wait goes on when manifests that were cold are thawed', async t => {
  const base = tempDir(t);
  const { service, proxy } = await coldService(t);
  const source = makeSource(base);
  const place = { url: `s3://${BUCKET}/moved-wait`, endpointUrl: proxy.url };
  assert.equal(await createTestArchive(base, place).backup(source), exitStatus.done);
  service.isCold = name => name.startsWith('duplicity-');
  const elsewhere = join(base, 'elsewhere');
  mkdirSync(elsewhere);
  const archive = createTestArchive(elsewhere, place);
  const sleep = async () => {
    service.isThawed = () => true;
  };
  Object.assign(archive.host, { sleep });
  const restored = join(base, 'restored');
  assert.equal(await archive.restore(restored, { thaw: true, thawWait: true }), exitStatus.done);
  assertSameTree(snapshotTree(restored), snapshotTree(source));
});
