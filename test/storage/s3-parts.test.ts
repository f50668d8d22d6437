import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createTrial, type Retry, type RetryPolicy, type Verdict } from '../../src/storage/retrying.ts';
import { keyOf, nameOf } from '../../src/storage/s3-keys.ts';
import { placeOf, storageClassOf } from '../../src/storage/s3-options.ts';
import { createSlabs, createSlots, gather } from '../../src/storage/s3-parts.ts';
import { createThrottle, throttled } from '../../src/storage/throttle.ts';
import { parseTarget, type S3Target } from '../../src/storage/url.ts';
import { collect, fromChunks } from '../../src/streams.ts';
import { failing, lentBytes, patternBytes } from '../contract/storage-contract.ts';
import { fakeTime } from '../support/s3-storage.ts';

test('keyOf() is UTF-8 where it can be, one to one, and led back by nameOf()', () => {
  const latin1 = (text: string) => Buffer.from(text).toString('latin1');
  for (const text of ['a b+%41', 'Bücher', '雪', '😀', '\u0001\u007f', '\ufeffbom']) {
    assert.equal(keyOf(latin1(text)), text);
  }
  assert.equal(keyOf('caf\xe9'), 'caf\uf7e9');
  assert.notEqual(keyOf(latin1('\uf7e9')), '\uf7e9');
  const bytes = fc.array(fc.integer({ min: 1, max: 255 })).map(codes => String.fromCharCode(...codes));
  const name = fc.oneof(
    bytes,
    fc.string({ unit: 'binary' }).map(latin1),
    fc.constant(latin1('\uf7e9x\uf700')),
  );
  fc.assert(
    fc.property(name, name, (a, b) => {
      assert.equal(nameOf(keyOf(a)), a);
      assert.equal(Buffer.from(keyOf(a)).toString(), keyOf(a)); // can be sent as UTF-8
      assert.equal(keyOf(a) === keyOf(b), a === b);
    }),
  );
});

test('nameOf() has no name for keys that no name leads to', () => {
  assert.equal(nameOf('\uf741'), undefined); // an escape of what needs none
  assert.equal(nameOf('\uf7c3\uf7a9'), undefined);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), key => {
      const name = nameOf(key);
      assert.ok(name === undefined || keyOf(name) === key);
    }),
  );
});

test('gather() makes parts of exactly the size, however the source is chunked', () =>
  fc.assert(
    fc.asyncProperty(
      fc.nat(300),
      fc.integer({ min: 1, max: 400 }),
      fc.boolean(),
      async (size, chunk, asArray) => {
        const slabs = createSlabs(64, 2);
        const parts: Uint8Array[] = [];
        const source = asArray ? patternBytes(0, size) : lentBytes(size, chunk);
        for await (const { bytes, last, release } of gather(source, slabs)) {
          assert.equal(last, bytes.length < 64 || (parts.length + 1) * 64 === size);
          parts.push(Buffer.from(bytes));
          release();
        }
        assert.equal(parts.length, Math.max(1, Math.ceil(size / 64)));
        assert.deepEqual(Buffer.concat(parts), Buffer.from(patternBytes(0, size)));
      },
    ),
  ));

test('createSlots() lets in no more than so many, in order', async () => {
  const slots = createSlots(2);
  const log: string[] = [];
  const [a, b] = [await slots.enter(), await slots.enter()];
  const third = slots.enter().then(leave => {
    log.push('third');
    return leave;
  });
  const fourth = slots.enter().then(() => log.push('fourth'));
  await new Promise(setImmediate);
  assert.deepEqual(log, []);
  a();
  a(); // leaving twice counts once
  await third;
  await new Promise(setImmediate);
  assert.deepEqual(log, ['third']);
  b();
  await fourth;
  assert.deepEqual(log, ['third', 'fourth']);
});

async function attempts(policy: RetryPolicy, verdict: Verdict, random: () => number): Promise<number[]> {
  const time = fakeTime(random);
  const trial = createTrial(policy, time);
  const told: Retry[] = [];
  const failure = new Error('x');
  await assert.rejects(
    async () => {
      for (;;) await trial.failed(failure, verdict, retry => told.push(retry));
    },
    error => error === failure,
  );
  assert.deepEqual(
    told.map(({ delayMs }) => delayMs),
    time.slept,
  );
  return time.slept;
}

test('createTrial() doubles the longest wait up to a limit, with full jitter', async () => {
  const policy = { attempts: 5, budgetMs: 100_000 };
  assert.deepEqual(await attempts(policy, { retry: 'counted' }, () => 1), [500, 1000, 2000, 4000]);
  assert.deepEqual(await attempts(policy, { retry: 'counted' }, () => 0), [0, 0, 0, 0]);
  assert.deepEqual(
    await attempts(policy, { retry: 'counted', slowDown: true }, () => 1),
    [2000, 4000, 8000, 16_000],
  );
  assert.deepEqual(await attempts(policy, { retry: 'counted', afterMs: 9000 }, () => 0), Array(4).fill(9000));
  assert.deepEqual(await attempts(policy, { retry: 'never' }, () => 1), []);
});

test('createTrial() waits out silence for as long as the budget lasts, no longer', async () => {
  const policy = { attempts: 2, budgetMs: 100_000 };
  const waits = await attempts(policy, { retry: 'timed' }, () => 1);
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000, 20_000]);
  assert.deepEqual(await attempts({ attempts: 9, budgetMs: 0 }, { retry: 'timed' }, () => 1), []);
  assert.deepEqual(await attempts(policy, { retry: 'counted', afterMs: 200_000 }, () => 0), []);
});

test('createTrial() takes no attempt for silence that was outlived', async () => {
  const time = fakeTime(() => 1);
  const trial = createTrial({ attempts: 2, budgetMs: 100_000 }, time);
  for (const retry of ['timed', 'timed', 'timed', 'counted', 'timed'] as const)
    await trial.failed(new Error('x'), { retry }, () => {});
  await assert.rejects(
    trial.failed(new Error('last'), { retry: 'counted' }, () => {}),
    /last/,
  );
  assert.equal(time.slept.length, 5);
});

test('createTrial() begins anew after progress', async () => {
  const time = fakeTime(() => 1);
  const trial = createTrial({ attempts: 2, budgetMs: 1000 }, time);
  for (let i = 0; i < 5; i++) {
    await trial.failed(new Error('x'), { retry: 'counted' }, () => {});
    trial.progressed();
  }
  assert.deepEqual(time.slept, [500, 500, 500, 500, 500]);
});

test('createThrottle() keeps the rate smoothly, and saves up no more than a tenth of a second', async () => {
  const time = fakeTime();
  const throttle = createThrottle(1000, time);
  const bytes = await collect(
    throttled(fromChunks(patternBytes(0, 2000), patternBytes(2000, 1000)), throttle),
  );
  assert.deepEqual(Buffer.from(bytes), Buffer.from(patternBytes(0, 3000)));
  assert.equal(time.now(), 2900);
  assert.ok(Math.max(...time.slept) <= 50);
  await time.sleep(60_000);
  const before = time.now();
  await collect(throttled(fromChunks(new Uint8Array(1000)), throttle));
  assert.equal(time.now() - before, 900);
});

test('createThrottle() stops waiting when the signal fires', async () => {
  const throttle = createThrottle(1, fakeTime());
  const reason = new Error('enough');
  await assert.rejects(throttle.take(10, AbortSignal.abort(reason)), error => error === reason);
});

test('placeOf() addresses servers of one’s own by path, Amazon by host', () => {
  const place = (url: string, options = {}, env = {}) => placeOf(parseTarget(url) as S3Target, options, env);
  const amazon = { forcePathStyle: false, followRegionRedirects: true };
  const own = { forcePathStyle: true, followRegionRedirects: true };
  assert.deepEqual(place('s3://bucket/x'), amazon);
  assert.deepEqual(place('s3://bu.cket/x'), own);
  assert.deepEqual(place('s3://bucket/x', {}, { AWS_DEFAULT_REGION: 'eu-west-3' }), {
    ...amazon,
    region: 'eu-west-3',
  });
  assert.deepEqual(place('s3://bucket/x', { regionName: 'r' }, { AWS_REGION: 'other' }), {
    ...amazon,
    region: 'r',
    followRegionRedirects: false,
  });
  for (const [host, more] of [
    ['s3-eu-west-1.amazonaws.com', {}],
    ['s3.eu-west-1.amazonaws.com', {}],
    ['s3.dualstack.eu-west-1.amazonaws.com', { useDualstackEndpoint: true }],
    ['s3-fips.eu-west-1.amazonaws.com', { useFipsEndpoint: true }],
    ['s3-fips.dualstack.eu-west-1.amazonaws.com', { useFipsEndpoint: true, useDualstackEndpoint: true }],
  ] as const)
    assert.deepEqual(place(`s3://${host}/bucket/x`), { ...amazon, region: 'eu-west-1', ...more }, host);
  const gov = place('s3://s3.us-gov-west-1.amazonaws.com/bucket/x');
  assert.deepEqual(gov, { ...amazon, region: 'us-gov-west-1' });
  const vpc = 'bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com';
  assert.deepEqual(place(`s3://${vpc}/bucket/x`), { ...own, endpoint: `https://${vpc}` });
  assert.deepEqual(place('s3://s3.amazonaws.com/bucket/x'), amazon);
  assert.deepEqual(place('s3://s3-external-1.amazonaws.com/bucket/x'), { ...amazon, region: 'us-east-1' });
  assert.deepEqual(place('s3://minio.lan:9000/bucket/x'), { ...own, endpoint: 'https://minio.lan:9000' });
  assert.deepEqual(place('s3://minio.lan:9000/bucket/x', { unencryptedConnection: true }), {
    ...own,
    tls: false,
    endpoint: 'http://minio.lan:9000',
  });
  assert.deepEqual(place('s3://bucket/x', { endpointUrl: 'http://[::1]:9000', pathStyle: false }), {
    ...own,
    forcePathStyle: false,
    endpoint: 'http://[::1]:9000',
  });
  assert.deepEqual(place('s3://bucket/x', {}, { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }), own);
  for (const endpointUrl of ['https://key:sekret@host', 'ftp://host', 'http://', 'a b'])
    assert.throws(() => place('s3://bucket/x', { endpointUrl }), failing('usage', 'endpoint'), endpointUrl);
});

test('storageClassOf() keeps metadata out of the classes that are costly to read', () => {
  assert.equal(storageClassOf(undefined, 'volume'), undefined);
  assert.equal(storageClassOf('glacier', 'volume'), 'GLACIER');
  for (const choice of ['rrs', 'ia', 'onezone-ia', 'glacier', 'glacier-ir', 'deep-archive'] as const) {
    assert.match(storageClassOf(choice, 'volume')!, /^[A-Z_]+$/);
    assert.equal(storageClassOf(choice, 'metadata'), undefined);
  }
});
