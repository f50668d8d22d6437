import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../src/errors.ts';
import { collect } from '../../src/streams.ts';
import { createDeflater } from '../../src/volumes/deflate.ts';
import type { EnvelopeOptions } from '../../src/volumes/envelope.ts';
import { createEnvelope, createSegmentWrapper, openEnvelope } from '../../src/volumes/envelope.ts';
import {
  cheapKey,
  lentChunks,
  noise,
  pretendRandom,
  secrets,
  text,
  wrongSecrets,
} from './openpgp-support.ts';

const mtimeSeconds = 1_700_000_000;
const gpg = { form: 'gpg', key: cheapKey(), random: pretendRandom, mtimeSeconds } as const;
const kinds: EnvelopeOptions[] = [
  { form: 'plain' },
  { form: 'gz', mtimeSeconds },
  { form: 'gz', mtimeSeconds, deflate: { level: 1, dictionary: false } },
  gpg,
  { ...gpg, compress: false },
];

const plain = Buffer.concat([text(200_000), noise(100_000), text(50_000)]);

async function store(
  bytes: Buffer,
  options: EnvelopeOptions,
  size: number,
  oneByOne = false,
): Promise<Buffer[]> {
  const envelope = createEnvelope(options);
  const out = [Buffer.from(await envelope.start())];
  const inFlight: Promise<Uint8Array>[] = [];
  for (let from = 0; from < bytes.length; from += size) {
    const stored = envelope.push(bytes.subarray(from, from + size));
    inFlight.push(stored);
    if (oneByOne) await stored;
  }
  const end = envelope.end();
  for (const stored of inFlight) out.push(Buffer.from(await stored));
  return [...out, Buffer.from(await end)];
}

test('openEnvelope() of what createEnvelope() stored is the same, in every form and chunk size', () =>
  fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...kinds),
      fc.nat({ max: plain.length }),
      fc.integer({ min: 5_000, max: 200_000 }),
      fc.integer({ min: 100, max: 400_000 }),
      fc.option(fc.integer({ min: 1_000, max: 128 * 1024 }), { nil: undefined }),
      async (options, from, size, readSize, chunk) => {
        const bytes = plain.subarray(from);
        const stored = Buffer.concat(await store(bytes, options, size));
        const source = lentChunks(stored, readSize);
        const opened = await collect(openEnvelope(source, options.form, secrets, { chunk }));
        assert.deepEqual(opened, bytes);
      },
    ),
    { numRuns: 60 },
  ));

test('createEnvelope() gives each push the same bytes, whether or not others are in flight', async () => {
  for (const options of kinds)
    assert.deepEqual(await store(plain, options, 40_000), await store(plain, options, 40_000, true));
});

test('createEnvelope() of nothing opens as nothing', async () => {
  for (const options of kinds) {
    const stored = Buffer.concat(await store(Buffer.alloc(0), options, 1));
    assert.equal((await collect(openEnvelope(lentChunks(stored, 100), options.form, secrets))).length, 0);
  }
});

test('createSegmentWrapper() frames one deflate pass as gzip and as OpenPGP', async () => {
  const deflater = createDeflater({ dictionary: false });
  const wrappers = [createSegmentWrapper({ form: 'gz', mtimeSeconds }), createSegmentWrapper(gpg)] as const;
  const out = wrappers.map(wrapper => [Buffer.from(wrapper.start())]);
  for (let from = 0; from < plain.length; from += 60_000) {
    const segment = await deflater.push(plain.subarray(from, from + 60_000));
    for (const [i, wrapper] of wrappers.entries()) out[i]!.push(Buffer.from(wrapper.push(segment)));
  }
  for (const [i, wrapper] of wrappers.entries()) out[i]!.push(Buffer.from(wrapper.end(deflater)));
  const [gz, pgp] = out.map(parts => Buffer.concat(parts));
  assert.deepEqual(await collect(openEnvelope(lentChunks(gz!, 5_000), 'gz', secrets)), plain);
  assert.deepEqual(await collect(openEnvelope(lentChunks(pgp!, 5_000), 'gpg', secrets)), plain);
});

test('openEnvelope() asks for the passphrase only where there is something to open', async () => {
  const silent = { passphrase: () => assert.fail('asked') };
  const [gz] = [Buffer.concat(await store(plain, { form: 'gz', mtimeSeconds }, 100_000))];
  assert.deepEqual(await collect(openEnvelope(lentChunks(gz, 5_000), 'gz', silent)), plain);
  assert.deepEqual(await collect(openEnvelope(lentChunks(gz, 5_000), 'plain', silent)), gz);
  const pgp = Buffer.concat(await store(plain, gpg, 100_000));
  await assert.rejects(
    collect(openEnvelope(lentChunks(pgp, 5_000), 'gpg', wrongSecrets)),
    error => error instanceof BackupError && error.code === 'wrong-passphrase',
  );
});

test('createEnvelope() fails in end() too when a push failed', async () => {
  const envelope = createEnvelope({ form: 'gz', mtimeSeconds, deflate: { level: 77 } });
  const pushed = envelope.push(text(100));
  await assert.rejects(pushed);
  await assert.rejects(envelope.end());
});
