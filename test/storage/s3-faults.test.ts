import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { BackupError } from '../../src/errors.ts';
import { realHost } from '../../src/storage/retrying.ts';
import type { S3Host, S3Options, S3Storage } from '../../src/storage/s3.ts';
import { explain } from '../../src/storage/s3-errors.ts';
import { collect } from '../../src/streams.ts';
import { failing, lentBytes, listed, patternBytes } from '../contract/storage-contract.ts';
import {
  type Fault,
  type FaultProxy,
  randomFaults,
  type Seen,
  s3Error,
  startFaultProxy,
} from '../support/fault-proxy.ts';
import { startS3Server } from '../support/s3-server.ts';
import { fakeTime, hear, openTest, PART, sharedServer } from '../support/s3-storage.ts';

const server = sharedServer();
/** In seconds: one for where nothing hangs, and a busy machine must not look as if something did; hangs last in real time. */
const TIMEOUT = 60;
const HANGING = { timeout: 1.5 };

interface Setup {
  storage: S3Storage;
  proxy: FaultProxy;
}

/** A storage behind a proxy. */
async function behind(
  t: TestContext,
  choose: (seen: Seen) => Fault | undefined,
  options: S3Options = {},
  host: S3Host = {},
  { port } = server(),
): Promise<Setup> {
  const proxy = await startFaultProxy(port, choose);
  const storage = await openTest(proxy.url, { timeout: TIMEOUT, ...options }, host);
  t.after(async () => {
    await storage.close();
    await proxy.close();
  });
  return { storage, proxy };
}

/** Each fault once, for the next requests that match. */
function script(match: (seen: Seen) => boolean, ...faults: Fault[]): (seen: Seen) => Fault | undefined {
  return seen => (match(seen) ? faults.shift() : undefined);
}

const isGet = ({ method, url }: Seen) => method === 'GET' && !url.includes('list-type');
const isPart = ({ method, url }: Seen) => method === 'PUT' && url.includes('partNumber');
const isPut = ({ method, url }: Seen) => method === 'PUT' && !url.includes('partNumber');
const isComplete = ({ method, url }: Seen) => method === 'POST' && url.includes('uploadId');
const isList = ({ url }: Seen) => url.includes('list-type');
const SIZE = 5 * PART + 123;
const content = () => Buffer.from(patternBytes(0, SIZE));

const passing: [what: string, match: (seen: Seen) => boolean, faults: Fault[]][] = [
  ['a server error', isPart, [s3Error(500, 'InternalError'), s3Error(503, 'ServiceUnavailable')]],
  ['a connection reset before the body', isPart, [{ kind: 'reset-request', after: 0 }]],
  ['a connection reset in the middle of the body', isPart, [{ kind: 'reset-request', after: 100_000 }]],
  ['a lost answer to a part', isPart, [{ kind: 'reset-response', after: -1 }]],
  ['no answer to a part', isPart, [{ kind: 'hang' }]],
  ['a bit flipped on the way', isPart, [{ kind: 'flip-request' }]],
  ['an error in an answer 200', isComplete, [{ kind: 'error-in-200', code: 'InternalError' }]],
  ['an answer 200 without content', isComplete, [{ kind: 'answer', status: 200 }]],
  [
    'an error in an answer 200 to what was done',
    isComplete,
    [{ kind: 'error-in-200', code: 'InternalError', lost: true }],
  ],
  ['a lost answer to the completion', isComplete, [{ kind: 'reset-response', after: -1 }]],
  ['no answer to the completion', isComplete, [{ kind: 'hang' }]],
  ['a truncated answer', isComplete, [{ kind: 'reset-response', after: 50 }]],
  [
    'a failing begin',
    ({ url }) => url.includes('uploads'),
    [s3Error(500, 'InternalError'), { kind: 'hang' }],
  ],
];

for (const [what, match, faults] of passing) {
  test(`put() of parts gets over ${what}`, async t => {
    const options = faults.some(({ kind }) => kind === 'hang') ? HANGING : {};
    const { storage } = await behind(t, script(match, ...faults), options);
    assert.deepEqual(await storage.put('x', lentBytes(SIZE, 65_536)), { size: SIZE });
    assert.ok(content().equals(await collect(storage.get('x'))));
    assert.equal(storage.checksums(), true);
  });
}

test('put() of one request gets over resets, hangs, errors and flipped bits', async t => {
  const faults: Fault[] = [
    { kind: 'reset-request', after: 10_000 },
    { kind: 'flip-request' },
    { kind: 'hang' },
    { kind: 'reset-response', after: -1 },
  ];
  const { storage } = await behind(t, script(isPut, ...faults), HANGING);
  assert.deepEqual(await storage.put('x', lentBytes(PART - 1, 10_000)), { size: PART - 1 });
  assert.ok(Buffer.from(patternBytes(0, PART - 1)).equals(await collect(storage.get('x'))));
});

test('get() goes on where a body broke, stalled or ended early, if the object is the same', async t => {
  const faults: Fault[] = [
    { kind: 'reset-response', after: 70_000 },
    { kind: 'stall-response', after: 50_000 },
    { kind: 'reset-response', after: 0 },
    s3Error(500, 'InternalError'),
    { kind: 'reset-response', after: -1 },
  ];
  const { storage, proxy } = await behind(t, script(isGet, ...faults), { ...HANGING, multipartMaxProcs: 1 });
  await storage.put('x', lentBytes(SIZE, 65_536));
  assert.ok(content().equals(await collect(storage.get('x'))));
  const [first, second, third] = proxy.seen.filter(isGet);
  assert.equal(first!.headers.range, undefined);
  assert.equal(second!.headers.range, `bytes=70000-${SIZE - 1}`);
  assert.match(String(second!.headers['if-match']), /^"[0-9a-f]{32}-6"$/);
  assert.equal(third!.headers.range, `bytes=120000-${SIZE - 1}`);
});

test('put(), get() and stat() do without the sizes that a proxy drops, and say so where they can’t', async t => {
  let fault: Fault = { kind: 'unsized' };
  const { storage, proxy } = await behind(t, () => fault);
  assert.deepEqual(await storage.put('x', lentBytes(SIZE, 65_536)), { size: SIZE });
  await storage.put('small', Buffer.from('1'));
  assert.deepEqual(await storage.stat('x'), { size: SIZE });
  assert.ok(content().equals(await collect(storage.get('x'))));
  const asked = proxy.seen.length;
  assert.deepEqual(await collect(storage.get('small')), Buffer.from('1'));
  assert.equal(proxy.seen.length, asked + 1); // what was learnt is kept
  fault = { kind: 'unsized', placeless: true };
  await assert.rejects(collect(storage.get('x')), failing('target-denied', 'Content-Length'));
});

test('get() of an empty object reads its body, which would keep the connection', async t => {
  const { storage, proxy } = await behind(t, () => ({
    kind: 'answer',
    status: 200,
    headers: { etag: '"0"', 'content-length': '0' },
  }));
  for (const range of [{}, {}, { length: 10 }, {}])
    assert.equal((await collect(storage.get('empty', range))).length, 0);
  assert.equal(new Set(proxy.seen.map(({ port }) => port)).size, 1);
});

test('get() by pieces side by side gets over faults of each', async t => {
  let count = 0;
  const { storage } = await behind(t, seen =>
    isGet(seen) && count++ % 2 === 0 ? { kind: 'reset-response', after: 100_000 } : undefined,
  );
  await storage.put('x', lentBytes(SIZE, 65_536));
  assert.ok(content().equals(await collect(storage.get('x'))));
  const range = { offset: 1000, length: SIZE - 2000 };
  assert.ok(
    content()
      .subarray(1000, SIZE - 1000)
      .equals(await collect(storage.get('x', range))),
  );
});

test('get() never mixes two versions of an object', async t => {
  const { storage } = await behind(t, script(isGet, { kind: 'reset-response', after: 1000 }));
  await storage.put('x', new Uint8Array(PART).fill(1));
  await assert.rejects(
    async () => {
      for await (const chunk of storage.get('x')) {
        assert.ok(chunk.every(byte => byte === 1));
        await storage.put('x', new Uint8Array(PART).fill(2));
      }
    },
    failing('target-unreachable', 'x'),
  );
});

test('get() takes no object that became shorter for its end', async t => {
  let shrunk = s3Error(416, 'InvalidRange');
  const cut = { headers: { 'content-length': '10', connection: 'close' }, body: '12345' };
  const { storage } = await behind(t, ({ headers, url }) => {
    if (headers.range !== undefined) return shrunk;
    return url.includes('/cut?') ? { kind: 'answer', status: 200, ...cut } : undefined;
  });
  await storage.put('pieces', lentBytes(SIZE, 65_536));
  for (const name of ['cut', 'pieces'])
    await assert.rejects(collect(storage.get(name)), failing('target-unreachable', 'was replaced'));
  shrunk = { kind: 'answer', status: 206, headers: { 'content-range': 'bytes 5-6/7' }, body: '67' };
  await assert.rejects(collect(storage.get('cut')), failing('target-unreachable', 'was replaced'));
});

test('get() notices a flipped bit where the service has a checksum, and leaves it to the volume SHA-1 elsewhere', async t => {
  const faults: Fault[] = [{ kind: 'flip-response', checksum: true }, { kind: 'flip-response' }];
  const { storage } = await behind(t, script(isGet, ...faults));
  await storage.put('manifest', Buffer.from('Volume 1'));
  await assert.rejects(collect(storage.get('manifest')), failing('damaged', 'checksum'));
  assert.notEqual(Buffer.from(await collect(storage.get('manifest'))).toString(), 'Volume 1');
  assert.equal(Buffer.from(await collect(storage.get('manifest'))).toString(), 'Volume 1');
});

test('get() asks for no checksum of the service where the reader has one of its own', async t => {
  const { storage } = await behind(t, script(isGet, { kind: 'flip-response', checksum: true }));
  await storage.put('volume', Buffer.from('Volume 1'));
  const read = await collect(storage.get('volume', { hasChecksum: true }));
  assert.notEqual(Buffer.from(read).toString(), 'Volume 1');
});

/** A service that says the same checksum of the whole object in every answer. */
function serving(whole: Buffer, sum: string): (seen: Seen) => Fault {
  return ({ headers }) => {
    const [, start = 0, last = SIZE - 1] = /bytes=(\d+)-(\d+)/.exec(headers.range ?? '')?.map(Number) ?? [];
    return {
      kind: 'answer',
      status: headers.range ? 206 : 200,
      headers: {
        'content-length': String(last + 1 - start),
        'x-amz-checksum-sha256': sum,
        ...(headers.range ? { 'content-range': `bytes ${start}-${last}/${SIZE}` } : {}),
      },
      body: whole.subarray(start, last + 1),
    };
  };
}

const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');

test('get() holds no range against the checksum of the whole object', async t => {
  const whole = content();
  const { storage, proxy } = await behind(t, serving(whole, sha256Of(whole)));
  assert.ok(whole.equals(await collect(storage.get('x'))));
  assert.ok(whole.subarray(1, 10).equals(await collect(storage.get('x', { offset: 1, length: 9 }))));
  const asked = proxy.seen.map(({ headers }) => [
    headers.range === undefined,
    headers['x-amz-checksum-mode'],
  ]);
  assert.ok(asked.length > 5);
  for (const [isWhole, mode] of asked) assert.equal(mode, isWhole ? 'ENABLED' : undefined);
});

test('get() under a limit asks for no more at once than a quarter of a second may bring', async t => {
  const whole = content();
  const { storage, proxy } = await behind(t, serving(whole, sha256Of(whole)), { downloadLimit: 400_000 });
  assert.ok(whole.equals(await collect(storage.get('volume', { hasChecksum: true }))));
  const length = 300_001;
  const part = await collect(storage.get('volume', { offset: 5, length, hasChecksum: true }));
  assert.ok(whole.subarray(5, 5 + length).equals(part));
  const ofVolume = proxy.seen.length;
  assert.ok(whole.equals(await collect(storage.get('sigtar'))));
  assert.equal(proxy.seen[ofVolume]!.headers.range, undefined); // its size and sum are not known before
  for (const { headers } of proxy.seen.filter((_, i) => i !== ofVolume)) {
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range!)!.map(Number);
    assert.ok(last! + 1 - start! <= 100_000, headers.range);
  }
});

test('get() under a limit holds what it reads in pieces against the checksum of all', async t => {
  const whole = content();
  const sum = sha256Of(whole);
  whole[SIZE - 1]! ^= 1;
  const { storage } = await behind(t, serving(whole, sum), { downloadLimit: 400_000 });
  await assert.rejects(collect(storage.get('sigtar')), failing('damaged', 'checksum'));
  assert.ok(whole.equals(await collect(storage.get('volume', { hasChecksum: true }))));
});

test('get() under a limit holds nothing against the sum of the sums of parts', async t => {
  const whole = content();
  const { storage } = await behind(t, serving(whole, `${sha256Of(whole)}-6`), { downloadLimit: 400_000 });
  assert.ok(whole.equals(await collect(storage.get('sigtar'))));
});

test('list() of a service that lags shows what was put and not what was deleted', async t => {
  let stale = false;
  const { storage } = await behind(t, seen => (stale && isList(seen) ? { kind: 'stale' } : undefined));
  await storage.put('old', Buffer.from('1'));
  await storage.put('gone', Buffer.from('1'));
  await storage.put('grown', Buffer.from('1'));
  await listed(storage);
  stale = true;
  await storage.delete('gone');
  await storage.put('new', Buffer.from('22'));
  await storage.put('grown', Buffer.from('333'));
  assert.deepEqual(await listed(storage), [
    { name: 'grown', size: 3 },
    { name: 'new', size: 2 },
    { name: 'old', size: 1 },
  ]);
});

test('removeStale() counts an upload that is gone by now as cleared', async t => {
  const upload =
    '<Key>sub/duplicity-full.20261123T005742Z.vol1.difftar.gpg</Key><UploadId>1</UploadId><Initiated>2026-11-23T00:57:42Z</Initiated>';
  const body = `<ListMultipartUploadsResult><Upload>${upload}</Upload></ListMultipartUploadsResult>`;
  const proxy = await startFaultProxy(server().port, ({ method }) =>
    method === 'DELETE' ? s3Error(404, 'NoSuchUpload') : { kind: 'answer', status: 200, body },
  );
  const storage = await openTest(proxy.url, {}, { now: () => Date.UTC(2026, 10, 25) }, 'sub');
  t.after(async () => {
    await storage.close();
    await proxy.close();
  });
  assert.equal(await storage.removeStale(), 1);
});

test('delete() of what the service says is not there is no error, of a bucket that is not there it is', async t => {
  // The answer to the first attempt gets lost, and the service minds at the second, as Google's API does.
  const faults: Fault[] = [{ kind: 'reset-response', after: -1 }, s3Error(404, 'NoSuchKey')];
  const { storage } = await behind(
    t,
    script(({ method }) => method === 'DELETE', ...faults, s3Error(404, 'NoSuchBucket')),
  );
  await storage.put('x', Buffer.from('1'));
  await storage.delete('x');
  assert.deepEqual(await listed(storage), []);
  await assert.rejects(storage.delete('x'), failing('target-denied', 'create the bucket'));
});

test('permanent errors end at once, in one sentence with a remedy', async t => {
  const cases: [status: number, code: string, expected: Parameters<typeof failing>][] = [
    [403, 'AccessDenied', ['target-denied', 'bucket "bucket"']],
    [403, 'InvalidAccessKeyId', ['target-denied', 'AWS_ACCESS_KEY_ID']],
    [403, 'SignatureDoesNotMatch', ['target-denied', 'AWS_SECRET_ACCESS_KEY']],
    [403, 'RequestTimeTooSkewed', ['target-denied', 'Set the clock']],
    [400, 'ExpiredToken', ['target-denied', 'Log in again']],
    [404, 'NoSuchBucket', ['target-denied', 'create the bucket']],
    [301, 'PermanentRedirect', ['target-denied', '--s3-region-name']],
    [507, 'Whatever', ['target-full', 'Make room']],
    [400, 'XMinioAdminBucketQuotaExceeded', ['target-full', 'Make room']],
    [413, 'Whatever', ['target-denied', 'Lower --volsize']],
    [418, 'IAmATeapot', ['target-denied', 'IAmATeapot']],
    [503, 'GlacierExpeditedRetrievalNotAvailable', ['target-denied', '--thaw-tier Standard']],
  ];
  let error: Fault | undefined;
  const { storage, proxy } = await behind(t, () => error);
  for (const [status, code, expected] of cases) {
    error = s3Error(status, code);
    const before = proxy.seen.length;
    for (const work of [
      () => storage.put('vol7', lentBytes(10, 3)),
      () => storage.put('vol7', lentBytes(SIZE, 65_536)),
      () => collect(storage.get('vol7')),
      () => listed(storage),
    ]) {
      await assert.rejects(work(), failing(...expected), code);
    }
    assert.equal(proxy.seen.length - before, 4, code);
  }
  error = s3Error(400, 'AuthorizationHeaderMalformed', { 'x-amz-bucket-region': 'eu-west-3' });
  await assert.rejects(listed(storage), failing('target-denied', '--s3-region-name=eu-west-3.'));
  error = s3Error(403, 'InvalidObjectState');
  await assert.rejects(collect(storage.get('vol7')), failing('object-cold', '--thaw'));
  error = s3Error(404, 'NoSuchKey');
  await assert.rejects(collect(storage.get('vol7')), failing('object-missing', 'vol7'));
});

test('a certificate that the clock does not fit is told as that', () => {
  for (const code of ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']) {
    const error = Object.assign(new Error('no date of ours'), { code });
    const { code: ours, message } = explain(error, { doing: 'list objects' }, 's3://bucket/x', 'bucket');
    assert.equal(ours, 'target-denied');
    assert.match(message, /by this computer's clock\. Set the clock/);
  }
});

test('answers that are none of S3’s are told as such, and never pass for a list', async t => {
  const page = '<html><head><title>Hello</title></head><body>Log in<hr></body></html>';
  const answer = (status: number, body = page): Fault => ({ kind: 'answer', status, body });
  let fault: Fault | undefined = answer(200, page.replace('<hr>', ''));
  const { storage, proxy } = await behind(t, () => fault);
  await assert.rejects(listed(storage), failing('target-unreachable', 'does not speak S3'));
  await assert.rejects(storage.exists(), failing('target-unreachable', 'does not speak S3'));
  fault = answer(200, '');
  await assert.rejects(listed(storage), failing('target-unreachable', 'does not speak S3'));
  assert.equal(proxy.seen.length, 15); // it may be over soon
  fault = answer(405);
  await assert.rejects(listed(storage), failing('target-denied', 'HTTP status 405'));
  fault = answer(404);
  await assert.rejects(listed(storage), failing('target-denied', '--s3-endpoint-url'));
  fault = answer(413);
  await assert.rejects(storage.put('x', Buffer.from('1')), failing('target-denied', 'client_max_body_size'));
});

test('a web server that sends elsewhere is told apart from a bucket in another region', async t => {
  let fault: Fault = {
    kind: 'answer',
    status: 301,
    headers: { location: 'https://nas.lan:9443/x?y' },
    body: '<html/>',
  };
  const { storage } = await behind(t, () => fault);
  await assert.rejects(
    listed(storage),
    failing('target-denied', 'sends us to https://nas.lan:9443. Check --s3'),
  );
  await assert.rejects(storage.stat('x'), failing('target-denied', 'sends us to https://nas.lan:9443.'));
  fault = s3Error(307, 'TemporaryRedirect', { location: 'https://bucket.s3.eu-west-3.amazonaws.com' });
  await assert.rejects(listed(storage), failing('target-denied', '--s3-region-name'));
});

test('a connection that is reset is told as that', async t => {
  const { storage } = await behind(t, () => ({ kind: 'reset-request', after: 0 }), { retryFor: 1 });
  await assert.rejects(listed(storage), failing('target-unreachable', 'does not answer (ECONNRESET)'));
});

test('put() trusts no success of an object that is not there', async t => {
  const { storage } = await behind(t, script(isPut, { kind: 'answer', status: 200, body: '<html/>' }));
  await assert.rejects(storage.put('x', Buffer.from('1')), failing('target-unreachable', 'does not have x'));
});

test('retries honour num-retries, Retry-After and the budget, and are told', async t => {
  const time = fakeTime();
  const reporter = hear();
  const { storage, proxy } = await behind(
    t,
    ({ index }) => s3Error(503, 'SlowDown', index === 0 ? { 'retry-after': '7' } : {}),
    { numRetries: 3 },
    { retry: time, reporter },
  );
  await assert.rejects(listed(storage), failing('target-unreachable', 'slow down'));
  assert.equal(proxy.seen.length, 3);
  assert.deepEqual(time.slept, [7000 + 1000, 2000]);
  const told = reporter.events.filter(event => event.code === 'storage-retry');
  assert.deepEqual(
    told.map(({ level, facts }) => [level, facts!['attempt'], facts!['reason']]),
    [
      ['notice', 1, 'SlowDown'],
      ['info', 2, 'SlowDown'],
    ],
  );
});

test('a dead endpoint ends when the time for it is used up', async t => {
  const time = fakeTime();
  const { storage, proxy } = await behind(
    t,
    () => ({ kind: 'reset-request', after: 0 }),
    { retryFor: 120, numRetries: 2 },
    { retry: time },
  );
  await assert.rejects(storage.put('x', Buffer.from('1')), failing('target-unreachable', 'does not answer'));
  const waited = time.slept.reduce((a, b) => a + b);
  assert.ok(waited <= 120_000 && waited > 100_000, String(waited));
  assert.ok(proxy.seen.length > 5);
  await proxy.close();
  await assert.rejects(listed(storage), failing('target-unreachable', 'does not answer'));
});

test('a process that was stopped for longer than the timeout takes no request for stalled', async t => {
  const reporter = hear();
  const storage = await openTest(server().url, { timeout: 1 }, { reporter });
  t.after(() => storage.close());
  await storage.put('vol8', lentBytes(10, 3));
  const heard = reporter.events.length;
  const found = storage.stat('vol8');
  await delay(1); // it is under way
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
  assert.deepEqual(await found, { size: 10 });
  assert.deepEqual(reporter.events.slice(heard), []);
});

test('an abort ends the wait for the next attempt and a request that hangs', async t => {
  const reason = new BackupError('interrupted', 'enough');
  const abort = new AbortController();
  const hanging = await behind(t, seen => {
    if (isPart(seen)) abort.abort(reason);
    return isPart(seen) ? { kind: 'hang' } : undefined;
  });
  const work = hanging.storage.put('x', lentBytes(SIZE, 65_536), { signal: abort.signal });
  await assert.rejects(work, error => error === reason);
  assert.deepEqual(await listed(hanging.storage), []);
});

test('as many parts as are wanted are on their way, of which Node.js has nothing to say', async t => {
  const width = 12; // from 11 on it speaks of a memory leak, in the mail of cron
  const warnings: string[] = [];
  const note = ({ message }: Error) => void warnings.push(message);
  process.on('warning', note);
  t.after(() => process.off('warning', note));
  const enough = new BackupError('interrupted', 'enough');
  const abort = new AbortController();
  let parts = 0;
  const { storage } = await behind(
    t,
    seen => {
      if (!isPart(seen)) return undefined;
      if (++parts === width) abort.abort(enough);
      return { kind: 'hang' };
    },
    { multipartMaxProcs: width },
  );
  const work = storage.put('x', lentBytes((width + 2) * PART, 65_536), { signal: abort.signal });
  await assert.rejects(work, error => error === enough);
  assert.deepEqual(warnings, []);
});

test('a put asks for its bytes when all parts of earlier puts are on their way', async t => {
  const enough = new BackupError('interrupted', 'enough');
  const abort = new AbortController();
  let isLate = false;
  const { storage } = await behind(t, seen => (isPart(seen) && !isLate ? { kind: 'hang' } : undefined), {
    multipartMaxProcs: 2,
  });
  let readAll!: () => void;
  const isRead = new Promise<void>(resolve => {
    readAll = resolve;
  });
  async function* earlier() {
    yield* lentBytes(3 * PART, 65_536); // the third part finds no room
    readAll();
  }
  const first = storage.put('x', earlier(), { signal: abort.signal });
  let isAsked = false;
  async function* later() {
    isAsked = true;
    yield* lentBytes(2 * PART, 65_536);
  }
  await isRead;
  const second = storage.put('y', later());
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.equal(isAsked, false);
  isLate = true;
  abort.abort(enough);
  await assert.rejects(first, error => error === enough);
  assert.deepEqual(await second, { size: 2 * PART });
});

test('sources that fail take no room from later puts', async t => {
  const { storage } = await behind(t, () => undefined, { multipartMaxProcs: 1 });
  for (const size of [0, PART + 1, 3 * PART]) {
    async function* broken() {
      yield* lentBytes(size, 65_536);
      throw new Error('the source broke');
    }
    await assert.rejects(storage.put('x', broken()), /the source broke/);
  }
  assert.deepEqual(await storage.put('x', lentBytes(2 * PART, 65_536)), { size: 2 * PART });
});

test('a small object that waits for a large one leaves it all the room', async t => {
  const { storage } = await behind(t, () => undefined, { multipartMaxProcs: 1 });
  let end!: () => void;
  const after = new Promise<void>(resolve => {
    end = resolve;
  });
  const small = storage.put('small', lentBytes(100, 100), { after });
  await storage.put('large', lentBytes(2 * PART, 65_536));
  assert.deepEqual(await listed(storage), [{ name: 'large', size: 2 * PART }]);
  end();
  assert.deepEqual(await small, { size: 100 });
});

test('an abort ends the wait of a limited upload', async t => {
  const reason = new BackupError('interrupted', 'enough');
  const abort = new AbortController();
  const { storage } = await behind(
    t,
    seen => {
      if (isPart(seen)) setTimeout(() => abort.abort(reason), 20);
      return undefined;
    },
    { uploadLimit: 100_000 },
    { retry: realHost },
  );
  const work = storage.put('x', lentBytes(SIZE, 65_536), { signal: abort.signal });
  await assert.rejects(work, error => error === reason);
  assert.deepEqual(await listed(storage), []);
});

test('put() proves what arrived by the SHA-256 that it signs', async t => {
  const other = { 'x-amz-checksum-sha256': Buffer.alloc(32).toString('base64'), etag: '"0"' };
  const reporter = hear();
  const lie: Fault = { kind: 'answer', status: 200, headers: other };
  const { storage, proxy } = await behind(t, script(isPart, lie), {}, { reporter });
  await storage.put('small', Buffer.from('1'));
  await storage.put('large', lentBytes(SIZE, 65_536));
  assert.ok(content().equals(await collect(storage.get('large'))));
  const puts = proxy.seen.filter(({ method }) => method === 'PUT');
  assert.equal(puts.length, 1 + 6 + 1);
  for (const { headers } of puts) {
    const checksum = Buffer.from(String(headers['x-amz-checksum-sha256']), 'base64').toString('hex');
    assert.equal(checksum, headers['x-amz-content-sha256']);
    assert.equal(headers['x-amz-sdk-checksum-algorithm'], 'SHA256');
    assert.equal(headers['x-amz-checksum-crc32'], undefined);
  }
  assert.deepEqual(
    reporter.events.filter(({ code }) => code === 'storage-retry').map(({ facts }) => facts?.['reason']),
    ['AlteredError'],
  );
});

test('put() proves what arrived by its ETag where the service knows no checksums', async t => {
  const old = await startS3Server('old');
  t.after(() => old.close());
  const reporter = hear();
  const faults: Fault[] = [];
  const { storage } = await behind(
    t,
    ({ method }) => (method === 'PUT' ? faults.shift() : undefined),
    {},
    { reporter },
    old,
  );
  await storage.put('first', Buffer.from('1'));
  faults.push({ kind: 'flip-request' }, { kind: 'flip-request' });
  await storage.put('small', Buffer.from('1'));
  await storage.put('large', lentBytes(SIZE, 65_536));
  assert.equal(Buffer.from(await collect(storage.get('small'))).toString(), '1');
  assert.ok(content().equals(await collect(storage.get('large'))));
  assert.equal(reporter.events.filter(({ code }) => code === 'storage-retry').length, 2);
});

/** A service that puts on condition. */
function conditional(faults: Fault[]): (seen: Seen) => Fault | undefined {
  const there = new Set<string>();
  return seen => {
    if (!isPut(seen) && !isComplete(seen)) return undefined;
    const path = seen.url.split('?')[0]!;
    if (seen.headers['if-none-match'] === '*' && there.has(path)) return s3Error(412, 'PreconditionFailed');
    there.add(path);
    return faults.shift();
  };
}

for (const [size, bytes] of [
  ['small', () => Buffer.from('mine')],
  ['large', content],
] as const) {
  test(`put() of what is to be new takes nobody's place (${size})`, async t => {
    const faults: Fault[] = [];
    const { storage, proxy } = await behind(t, conditional(faults));
    const other = await openTest(proxy.url, { timeout: TIMEOUT }, {}, 'shared');
    const mine = await openTest(proxy.url, { timeout: TIMEOUT }, {}, 'shared');
    try {
      await mine.put('x', bytes(), { isNew: true });
      const theirs = Buffer.alloc(bytes().length, 'theirs');
      await assert.rejects(other.put('x', theirs, { isNew: true }), failing('locked', 'Another run'));
      assert.ok(bytes().equals(await collect(mine.get('x'))));
      await other.put('x', theirs);
      assert.ok(theirs.equals(await collect(mine.get('x'))));
    } finally {
      await other.close();
      await mine.close();
    }
    faults.push({ kind: 'reset-response', after: -1 });
    await storage.put('lost answer', bytes(), { isNew: true });
    assert.ok(bytes().equals(await collect(storage.get('lost answer'))));
    assert.deepEqual(faults, []);
  });

  test(`put() of what is to be new goes without a condition where there are none (${size})`, async t => {
    const refused = ({ headers }: Seen) => headers['if-none-match'] !== undefined;
    const errors = [s3Error(501, 'NotImplemented'), s3Error(400, 'InvalidArgument', {}, 'If-None-Match')];
    const { storage } = await behind(t, script(refused, ...errors));
    for (const name of ['a', 'b']) {
      await storage.put(name, bytes(), { isNew: true });
      assert.ok(bytes().equals(await collect(storage.get(name))));
    }
    assert.equal(storage.checksums(), true);
  });
}

test('put() compares the size where the service tells neither a checksum nor an MD5', async t => {
  let held = '3';
  const { storage, proxy } = await behind(t, ({ method }) =>
    method === 'PUT'
      ? { kind: 'answer', status: 200, headers: { etag: '"opaque"' } }
      : { kind: 'answer', status: 200, headers: { 'content-length': held } },
  );
  await storage.put('x', Buffer.from('123'));
  assert.deepEqual(
    proxy.seen.map(({ method }) => method),
    ['PUT', 'HEAD'],
  );
  held = '2';
  await assert.rejects(storage.put('x', Buffer.from('123')), failing('target-unreachable', '2 bytes'));
});

test('checksum headers are left out for a service that refuses them', async t => {
  const reporter = hear();
  const { storage, proxy } = await behind(
    t,
    ({ headers }) =>
      headers['x-amz-checksum-sha256'] || headers['x-amz-checksum-algorithm']
        ? s3Error(501, 'NotImplemented')
        : undefined,
    {},
    { reporter },
  );
  assert.equal(storage.checksums(), true);
  await storage.put('small', Buffer.from('1'));
  await storage.put('large', lentBytes(SIZE, 65_536));
  assert.equal(storage.checksums(), false);
  assert.ok(content().equals(await collect(storage.get('large'))));
  assert.equal(proxy.seen.filter(({ headers }) => headers['x-amz-checksum-sha256']).length, 1);
  assert.equal(reporter.events.filter(({ code }) => code === 'storage-checksums-refused').length, 1);
});

test('checksum headers are refused to several parts at once without harm, and kept when something else is', async t => {
  const { storage, proxy } = await behind(t, seen => {
    if (isPart(seen) && seen.headers['x-amz-checksum-sha256']) return s3Error(400, 'InvalidChecksum');
    return seen.method === 'GET' && seen.url.includes('uploads') ? s3Error(501, 'NotImplemented') : undefined;
  });
  assert.equal(await storage.removeStale(), 0);
  assert.equal(storage.checksums(), true);
  await storage.put('large', lentBytes(SIZE, 65_536));
  assert.ok(content().equals(await collect(storage.get('large'))));
  assert.ok(proxy.seen.filter(seen => isPart(seen) && seen.headers['x-amz-checksum-sha256']).length > 1);
});

test('bytes that arrive altered are sent again with their checksum, which Amazon wants of every part', async t => {
  const names = ['BadDigest', 'InvalidDigest', 'XAmzContentSHA256Mismatch', 'XAmzContentChecksumMismatch'];
  const faults = [...names, 'IncompleteBody'].map(name => s3Error(400, name, {}, 'a checksum did not match'));
  const once = script(isPart, ...faults);
  const { storage } = await behind(
    t,
    seen =>
      isPart(seen) && !seen.headers['x-amz-checksum-sha256'] ? s3Error(400, 'InvalidRequest') : once(seen),
    { numRetries: 9 },
  );
  await storage.put('x', lentBytes(SIZE, 65_536));
  assert.ok(content().equals(await collect(storage.get('x'))));
  assert.equal(storage.checksums(), true);
});

test('an upload that began with checksums keeps them when those of another put are refused', async t => {
  const { storage, proxy } = await behind(t, script(isPut, s3Error(400, 'InvalidChecksum')));
  async function* interrupted() {
    yield* lentBytes(2 * PART, 65_536);
    await storage.put('other', Buffer.from('1'));
    assert.equal(storage.checksums(), false);
    yield* lentBytes(2 * PART, 65_536);
  }
  await storage.put('x', interrupted());
  const parts = proxy.seen.filter(isPart);
  assert.equal(parts.length, 4);
  for (const { headers } of parts) assert.ok(headers['x-amz-checksum-sha256']);
});

test('upload and download limits keep the bytes and spread them over time', async t => {
  const time = fakeTime();
  const limits = { uploadLimit: 100_000, downloadLimit: 200_000 };
  const { storage } = await behind(t, () => undefined, limits, { retry: time });
  await storage.put('x', lentBytes(SIZE, 65_536));
  const up = time.now();
  assert.ok(up >= (SIZE / 100_000) * 1000 * 0.95 && up <= (SIZE / 100_000) * 1000 * 1.5, String(up));
  assert.ok(content().equals(await collect(storage.get('x'))));
  const down = time.now() - up;
  assert.ok(down >= (SIZE / 200_000) * 1000 * 0.95 && down <= (SIZE / 200_000) * 1000 * 1.5, String(down));
  assert.ok(Math.max(...time.slept) <= 500);
});

test('cold objects are found and their thaw is asked for once', async t => {
  const states: Record<string, Record<string, string>> = {
    warm: {},
    ice: { 'x-amz-storage-class': 'DEEP_ARCHIVE' },
    melting: { 'x-amz-storage-class': 'GLACIER', 'x-amz-restore': 'ongoing-request="true"' },
    thawed: {
      'x-amz-storage-class': 'GLACIER',
      'x-amz-restore': 'ongoing-request="false", expiry-date="Fri, 21 Dec 2029 00:00:00 GMT"',
    },
    tiered: { 'x-amz-storage-class': 'INTELLIGENT_TIERING', 'x-amz-archive-status': 'ARCHIVE_ACCESS' },
    instant: { 'x-amz-storage-class': 'GLACIER_IR' },
  };
  const asked: string[] = [];
  const { storage } = await behind(t, ({ method, url }) => {
    const name = /\/(\w+)(\?|$)/.exec(url)![1]!;
    if (method === 'POST') {
      asked.push(name);
      return name === 'tiered' ? s3Error(409, 'RestoreAlreadyInProgress') : { kind: 'answer', status: 202 };
    }
    const headers = states[name];
    return headers
      ? { kind: 'answer', status: 200, headers: { 'content-length': '5', ...headers } }
      : { kind: 'answer', status: 404 };
  });
  const cold: unknown[] = [];
  const names = [...Object.keys(states), 'absent'];
  for await (const object of storage.coldObjects(names)) cold.push(object);
  assert.deepEqual(cold, [
    { name: 'ice', size: 5, storageClass: 'DEEP_ARCHIVE', thawing: false },
    { name: 'melting', size: 5, storageClass: 'GLACIER', thawing: true },
    { name: 'tiered', size: 5, storageClass: 'ARCHIVE_ACCESS', thawing: false },
  ]);
  assert.equal(await storage.thaw(names, { tier: 'Bulk', days: 3 }), 1);
  assert.deepEqual(asked.sort(), ['ice', 'tiered']);
});

test('under random faults of a fifth of all requests everything arrives unchanged', async t => {
  const numRetries = 12; // a real run has a handful of unlucky requests; this one asks for luck hundreds of times
  const { storage, proxy } = await behind(t, randomFaults(20261123, 0.2), { ...HANGING, numRetries });
  const sizes = [0, 1, PART, 3 * PART + 5, 7 * PART, 20_000, 2 * PART + 1, SIZE];
  for (const [i, size] of sizes.entries()) await storage.put(`vol${i}`, lentBytes(size, 60_000));
  for (const [i, size] of sizes.entries()) {
    assert.ok(Buffer.from(patternBytes(0, size)).equals(await collect(storage.get(`vol${i}`))), `vol${i}`);
  }
  assert.deepEqual(
    await listed(storage),
    sizes.map((size, i) => ({ name: `vol${i}`, size })),
  );
  assert.ok(proxy.seen.length > 60);
});
