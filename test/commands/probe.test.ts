import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatProbe, type ProbeHost, type ProbeRequest, probe } from '../../src/commands/probe.ts';
import { silentReporter } from '../../src/report.ts';
import { failing, listed } from '../contract/storage-contract.ts';
import { s3Error, startFaultProxy } from '../support/fault-proxy.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { BUCKET } from '../support/s3-server.ts';
import { fakeTime, openTest, sharedServer } from '../support/s3-storage.ts';

const server = sharedServer();

/** Runs a probe. @returns its result, and `step outcome` in short */
async function run(request: ProbeRequest, host: Partial<ProbeHost> = {}) {
  const lines: string[] = [];
  const result = await probe(request, {
    print: line => lines.push(line),
    reporter: silentReporter,
    s3Host: { retry: fakeTime() },
    ...host,
  });
  assert.deepEqual(lines, formatProbe(result));
  return { result, lines, outcomes: result.steps.map(({ step, outcome }) => `${step} ${outcome}`) };
}

const everything = ['list', 'put', 'get', 'range', 'stat', 'multipart', 'delete'].map(
  step => `${step} works`,
);

test('probe() of a working S3 target tries everything and leaves nothing behind', async () => {
  const { result, lines, outcomes } = await run({
    url: `s3://${BUCKET}/probe`,
    s3: { endpointUrl: server().url },
  });
  assert.deepEqual(outcomes, ['path style works', ...everything, 'checksums works', 'clear up works']);
  assert.deepEqual([result.usable, result.options], [true, []]);
  assert.equal(lines[0], `Target: s3://${BUCKET}/probe`);
  assert.match(lines[1]!, /^path style {2}works {4}/);
  assert.equal(lines.at(-1), 'Backups can be kept here.');
  const left = await readdir(join(server().folder, BUCKET));
  assert.deepEqual(
    left.filter(name => !name.startsWith('._S3rver_')),
    [],
  );
});

test('probe() of a folder tries what a folder has', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'tsbackup-test-'));
  t.after(() => rm(folder, { recursive: true }));
  const { result, outcomes } = await run({ url: `file://${folder}` });
  assert.deepEqual(outcomes, everything);
  assert.equal(result.usable, true);
  assert.deepEqual(await readdir(folder), []);
});

test('probe() finds the options that a service needs', async t => {
  // A service on plain HTTP that knows no checksum headers and can't list uploads.
  const proxy = await startFaultProxy(server().port, ({ method, url, headers }) =>
    headers['x-amz-checksum-sha256'] || (method === 'GET' && /[?&]uploads/.test(url))
      ? s3Error(501, 'NotImplemented')
      : undefined,
  );
  t.after(() => proxy.close());
  const endpointUrl = proxy.url.replace('http://', '');
  const { result, lines, outcomes } = await run({
    url: `s3://${BUCKET}/x`,
    s3: { endpointUrl, pathStyle: true },
  });
  assert.deepEqual(outcomes.slice(0, 3), ['path style fails', 'plain HTTP works', 'list works']);
  assert.deepEqual(outcomes.slice(-3), ['delete works', 'checksums note', 'clear up note']);
  assert.deepEqual([result.usable, result.options], [true, ['--s3-unencrypted-connection']]);
  assert.equal(lines.at(-1), 'Options to use: --s3-unencrypted-connection');
});

test('probe() finds the region that a service tells', async t => {
  const error =
    '<Error><Code>AuthorizationHeaderMalformed</Code><Message>as scripted</Message><Region>garage</Region></Error>';
  const proxy = await startFaultProxy(server().port, ({ headers }) =>
    headers.authorization?.includes('/garage/s3/') ? undefined : { kind: 'answer', status: 400, body: error },
  );
  t.after(() => proxy.close());
  const { result, lines, outcomes } = await run({ url: `s3://${BUCKET}/x`, s3: { endpointUrl: proxy.url } });
  assert.deepEqual(outcomes.slice(0, 3), ['path style fails', 'region works', 'list works']);
  assert.deepEqual([result.usable, result.options], [true, ['--s3-region-name=garage']]);
  assert.match(lines[1]!, /another region\. Name it with --s3-region-name=garage\.$/);
});

test('probe() says what fails, with the remedy', async t => {
  const readOnly = await startFaultProxy(server().port, ({ method }) =>
    method === 'GET' || method === 'HEAD' ? undefined : s3Error(403, 'AccessDenied'),
  );
  t.after(() => readOnly.close());
  const { result, lines } = await run({ url: `s3://${BUCKET}/x`, s3: { endpointUrl: readOnly.url } });
  assert.equal(result.usable, false);
  assert.match(lines.join('\n'), /\nput +fails .*access is denied.*\n/);
  assert.ok(lines.includes('Backups can NOT be kept here as it is.'));

  const nowhere = await run({ url: 's3://nowhere/x', s3: { endpointUrl: server().url } });
  assert.equal(nowhere.result.usable, false);
  assert.deepEqual(nowhere.outcomes, ['path style fails', 'host style fails']);
  assert.match(nowhere.lines[1]!, /no bucket/);

  await readOnly.close();
  const dead = await run({ url: `s3://${BUCKET}/x`, s3: { endpointUrl: readOnly.url } });
  assert.deepEqual(dead.outcomes, ['path style fails']);
  assert.match(dead.lines[1]!, /does not answer \(ECONNREFUSED\)/);
});

test('probe() ends with the reason of its signal, and with usage for no URL', async () => {
  const reason = new Error('enough');
  const aborted = run({ url: `s3://${BUCKET}/x` }, { signal: AbortSignal.abort(reason) });
  await assert.rejects(aborted, error => error === reason);
  await assert.rejects(run({ url: 'sftp://host/x' }), failing('usage'));
});

test('probe() that is interrupted deletes what it has put', async t => {
  const reason = new Error('enough');
  const abort = new AbortController();
  const proxy = await startFaultProxy(server().port, ({ url }) => {
    if (url.includes('partNumber=2')) abort.abort(reason);
    return undefined;
  });
  t.after(() => proxy.close());
  const request = { url: `s3://${BUCKET}/interrupted`, s3: { endpointUrl: proxy.url } };
  await assert.rejects(run(request, { signal: abort.signal }), error => error === reason);
  const storage = await openTest(server().url, {}, {}, 'interrupted');
  t.after(() => storage.close());
  assert.deepEqual(await listed(storage), []);
});

test('tsbackup probe prints its table once', async t => {
  const program = createProgram(t);
  const { stdout } = expectStatus(await program.run(['probe', 'file://target']));
  assert.equal(stdout.match(/^Target: /gm)?.length, 1, stdout);
});
