/** Backups in a bucket of a real S3 server: made, continued, restored, and restored by the real duplicity. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exitStatus } from '../../src/errors.ts';
import { silentReporter } from '../../src/report.ts';
import { openStorage } from '../../src/storage/open.ts';
import { collect } from '../../src/streams.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { type Fault, randomFaults, startFaultProxy } from '../support/fault-proxy.ts';
import { mutateTree } from '../support/mutations.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram, type Program } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { BUCKET, credentials, startS3Server } from '../support/s3-server.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';
import { makeTree } from '../support/trees.ts';

const passphrase = 'in the cloud';

function makeSource(base: string): string {
  const source = join(base, 'source');
  mkdirSync(source);
  makeTree(source, 7, { entries: 40 });
  return source;
}

test('a chain in a bucket is restored by us and, copied into a folder, by the real duplicity', async t => {
  if (!needTool(t, 'duplicity', 'gpg')) return;
  const base = tempDir(t);
  const server = await startS3Server();
  t.after(() => server.close());
  const program = createProgram(t);
  const source = makeSource(base);
  const url = `s3://${BUCKET}/some/prefix`;
  const options = ['--s3-endpoint-url', server.url];
  const run = async (...args: string[]) =>
    expectStatus(await program.run([...args, ...options], { passphrase, env: credentials }));

  await run('full', source, url, '--volsize', '1');
  mutateTree(source, 1);
  await run('incremental', source, url, '--volsize', '1');
  const expected = snapshotTree(source);

  const restored = join(base, 'restored');
  await run('restore', url, restored);
  assertSameTree(snapshotTree(restored), expected);
  const { stdout } = await run('collection-status', url);
  assert.match(stdout, /Number of contained backup sets: 2/);

  const folder = join(base, 'synced');
  mkdirSync(folder);
  Object.assign(process.env, credentials);
  const storage = await openStorage(url, { endpointUrl: server.url }, silentReporter);
  for await (const { name } of storage.list())
    writeFileSync(join(folder, name), await collect(storage.get(name)));
  await storage.close();
  const byDuplicity = join(base, 'by duplicity');
  await createDuplicity(t).restore(`file://${folder}`, byDuplicity, { passphrase });
  assertSameTree(snapshotTree(byDuplicity), expected);
});

test('a backup completes and restores equal where one request in five goes wrong', async t => {
  const base = tempDir(t);
  const server = await startS3Server();
  t.after(() => server.close());
  const proxy = await startFaultProxy(server.port, randomFaults(3, 0.2));
  t.after(() => proxy.close());
  const program = createProgram(t);
  const source = makeSource(base);
  const url = `s3://${BUCKET}/faulty`;
  const options = ['--s3-endpoint-url', proxy.url, '--timeout', '2', '--num-retries', '12'];
  const run = async (...args: string[]) =>
    expectStatus(
      await program.run([...args, ...options], { passphrase, env: credentials, timeoutMs: 240_000 }),
    );
  await run('full', source, url, '--volsize', '1');
  const restored = join(base, 'restored');
  await run('restore', url, restored);
  assertSameTree(snapshotTree(restored), snapshotTree(source));
});

test('what comes altered or cut short is read again', async t => {
  const base = tempDir(t);
  const server = await startS3Server('old');
  t.after(() => server.close());
  let faults: { match: RegExp; fault: Fault }[] = [];
  const proxy = await startFaultProxy(server.port, ({ method, url }) => {
    const found = method === 'GET' ? faults.find(({ match }) => match.test(url)) : undefined;
    faults = faults.filter(one => one !== found);
    return found?.fault;
  });
  t.after(() => proxy.close());
  const source = makeSource(base);
  writeFileSync(join(source, 'large'), createRandom('flip').bytes(1_500_000));
  const url = `s3://${BUCKET}/altered`;
  const run = async (program: Program, ...args: string[]) =>
    expectStatus(
      await program.run([...args, '--no-encryption', '--s3-endpoint-url', proxy.url], { env: credentials }),
    );
  await run(createProgram(t), 'full', source, url, '--volsize', '1');
  faults = [
    { match: /manifest$|manifest\?x-id/, fault: { kind: 'truncate-response', after: 1200 } },
    { match: /vol1\./, fault: { kind: 'flip-response' } },
    { match: /vol2\./, fault: { kind: 'flip-response' } },
    { match: /vol2\./, fault: { kind: 'truncate-response', after: 1000 } },
    { match: /signatures/, fault: { kind: 'flip-response' } },
  ];
  const restored = join(base, 'restored');
  const program = createProgram(t);
  await run(program, 'restore', url, restored);
  assertSameTree(snapshotTree(restored), snapshotTree(source));
  await run(program, 'list-current-files', url);
  assert.deepEqual(faults, []);
});

test('an endpoint that dies in the middle ends the backup within its budget, and the next run goes on', async t => {
  const base = tempDir(t);
  const server = await startS3Server();
  t.after(() => server.close());
  let isDead = false;
  const proxy = await startFaultProxy(server.port, ({ method, url }) => {
    isDead ||= method === 'PUT' && /vol3\./.test(url);
    return isDead ? { kind: 'hang' } : undefined;
  });
  t.after(() => proxy.close());
  const program = createProgram(t);
  const source = makeSource(base);
  writeFileSync(join(source, 'large'), createRandom('dies').bytes(4_500_000));
  const run = (endpoint: string, ...args: string[]) =>
    program.run([...args, '--s3-endpoint-url', endpoint], { passphrase, env: credentials });
  const url = `s3://${BUCKET}/dies`;
  const impatient = ['--retry-for', '2', '--timeout', '1'];
  const died = await run(proxy.url, 'full', source, url, '--volsize', '1', ...impatient);
  assert.equal(died.status, 13, died.stderr);
  assert.match(died.stderr, /^Error: [^\n]*(stalled|does not answer)[^\n]*$/m);
  expectStatus(await run(server.url, 'full', source, url, '--volsize', '1'));
  const restored = join(base, 'restored');
  expectStatus(await run(server.url, 'restore', url, restored));
  assertSameTree(snapshotTree(restored), snapshotTree(source));
});

test('an endpoint that is dead ends the run within its budget, with its own exit status', async t => {
  const base = tempDir(t);
  const source = makeSource(base);
  const program = createProgram(t);
  const options = ['--s3-endpoint-url', 'http://127.0.0.1:9', '--retry-for', '1'];
  const result = await program.run(['full', source, `s3://${BUCKET}/x`, ...options], {
    passphrase,
    env: credentials,
  });
  assert.equal(result.status, 13, result.stderr);
  assert.match(result.stderr, /^Error: [^\n]*does not answer[^\n]*\n$/);
});

test('a bucket that is not there is told as that by what only reads, and not as a disk', async t => {
  const server = await startS3Server();
  t.after(() => server.close());
  const program = createProgram(t);
  const words = ['restore', 's3://absent/x', join(program.home, 'restored'), '--s3-endpoint-url', server.url];
  const { status, stderr } = await program.run(words, { passphrase: 'p', env: credentials });
  assert.equal(status, exitStatus.targetUnreachable, stderr);
  assert.match(stderr, /^Error: [^\n]*s3:\/\/absent\/x[^\n]* no such bucket[^\n]* --s3-endpoint-url\n$/);
});

test('probe says what works at a bucket', async t => {
  const server = await startS3Server();
  t.after(() => server.close());
  const program = createProgram(t);
  const options = ['--s3-endpoint-url', server.url];
  const result = await program.run(['probe', `s3://${BUCKET}/probed`, ...options], { env: credentials });
  assert.match(expectStatus(result).stdout, /Backups can be kept here\./);
});
