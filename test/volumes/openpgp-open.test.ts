import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createCipheriv, createHash, getCiphers } from 'node:crypto';
import { test } from 'node:test';
import { deflateRawSync, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import * as openpgp from 'openpgp';
import type { ErrorCode } from '../../src/errors.ts';
import { BackupError } from '../../src/errors.ts';
import { collect } from '../../src/streams.ts';
import { openMessage } from '../../src/volumes/openpgp-open.ts';
import { encodePacketHeader } from '../../src/volumes/openpgp-packet.ts';
import { deriveAhead, MESSAGE_HEAD } from '../../src/volumes/openpgp-preface.ts';
import { createSealer } from '../../src/volumes/openpgp-seal.ts';
import type { Secrets } from '../../src/volumes/openpgp-session.ts';
import { needTool } from '../support/tools.ts';
import {
  cheapKey,
  createGpg,
  lentChunks,
  noise,
  passphrase,
  pretendRandom,
  secrets,
  text,
  wrongSecrets,
} from './openpgp-support.ts';

const isCode =
  (...codes: ErrorCode[]) =>
  (error: unknown) =>
    error instanceof BackupError && codes.includes(error.code);

const open = async (message: Uint8Array, keys: Secrets = secrets, size = 4_000) =>
  Buffer.from(await collect(openMessage(lentChunks(message, size), keys)));

const packet = (tag: number, ...body: Uint8Array[]) => {
  const whole = Buffer.concat(body);
  return Buffer.concat([encodePacketHeader(tag, whole.length), whole]);
};

const literal = (data: Uint8Array) => packet(11, Buffer.from('b\x03abc\0\0\0\0', 'latin1'), data);

/** A message around any inner packets, made without the code under test. */
function message(inner: Uint8Array, version = 1): Buffer {
  const { packets, key } = cheapKey();
  const prefix = noise(16, 'prefix');
  const start = Buffer.concat([prefix, prefix.subarray(14), inner, Uint8Array.of(0xd3, 20)]);
  const plain = Buffer.concat([start, createHash('sha1').update(start).digest()]);
  const sealed = createCipheriv('aes-256-cfb', key, Buffer.alloc(16)).update(plain);
  return Buffer.concat([packets, packet(18, Uint8Array.of(version), sealed)]);
}

const plain = Buffer.concat([text(90_000), noise(150_000)]);

test('openMessage() reads what gpg writes, in every way that gpg has', async t => {
  if (!needTool(t, 'gpg')) return;
  const gpg = createGpg(t);
  const takesOld = spawnSync('gpg', ['--allow-old-cipher-algos', '--version']).status === 0; // and needs it
  const variants = [
    [],
    ['--armor'],
    ['-z', '0'],
    ['--compress-algo', 'zip'],
    ['--compress-algo', 'zlib'],
    ['--compress-algo', 'bzip2'],
    ['--compress-algo', 'none'],
    ['--s2k-digest-algo', 'sha256'],
    ['--s2k-digest-algo', 'sha512', '--s2k-count', '100000'],
    ['--s2k-mode', '1'],
    ['--s2k-mode', '0'],
    ['--cipher-algo', 'AES128'],
    ['--cipher-algo', 'AES192'],
    ['--cipher-algo', 'CAMELLIA256'],
    ['--cipher-algo', '3DES', ...(takesOld ? ['--allow-old-cipher-algos'] : [])],
    ['--rfc4880', '--force-mdc'],
  ];
  for (const variant of variants) {
    const theirs = gpg(['--no-symkey-cache', ...variant, '--symmetric', '--force-mdc'], passphrase, plain);
    assert.deepEqual(await open(theirs), plain, variant.join(' '));
  }
});

test('openMessage() reads signed messages of gpg, to a passphrase and a public key at once', async t => {
  if (!needTool(t, 'gpg')) return;
  const gpg = createGpg(t);
  gpg(['--quick-generate-key', 'test', 'default', 'default', 'never'], passphrase, Buffer.alloc(0));
  const toBoth = ['--sign', '--encrypt', '--recipient', 'test', '--trust-model', 'always'];
  assert.deepEqual(await open(gpg([...toBoth, '--symmetric'], passphrase, plain)), plain);
  await assert.rejects(open(gpg(toBoth, passphrase, plain)), isCode('unsupported'));
});

test('openMessage() reads what OpenPGP.js writes: several passphrases, all compressions, long messages', async () => {
  const { enums } = openpgp;
  const made = async (passwords: string[], config: Partial<openpgp.Config>) =>
    openpgp.encrypt({
      message: await openpgp.createMessage({ binary: plain }),
      passwords,
      format: 'binary',
      config: { aeadProtect: false, s2kIterationCountByte: 0, ...config },
    });
  for (const preferredCompressionAlgorithm of [
    enums.compression.uncompressed,
    enums.compression.zip,
    enums.compression.zlib,
  ]) {
    const theirs = await made(['other', passphrase, 'third'], { preferredCompressionAlgorithm });
    assert.deepEqual(await open(theirs as Uint8Array), plain);
  }
  const small = await made([passphrase], { preferredSymmetricAlgorithm: enums.symmetric.aes128 });
  assert.deepEqual(await open(small as Uint8Array), plain);
  await assert.rejects(open((await made(['a', 'b'], {})) as Uint8Array), isCode('wrong-passphrase'));
  await assert.rejects(
    open((await made([passphrase], { aeadProtect: true })) as Uint8Array),
    isCode('unsupported'),
  );
});

test('openMessage() reads its own seal in chunks of any size', () => {
  const sealer = createSealer(cheapKey(), {
    compressed: false,
    random: pretendRandom,
    literalTimeSeconds: 0,
  });
  const sealed = Buffer.concat([sealer.start(), sealer.push(plain), sealer.end()]);
  return fc.assert(
    fc.asyncProperty(fc.integer({ min: 50, max: 300_000 }), async size => {
      assert.deepEqual(await open(sealed, secrets, size), plain);
    }),
    { numRuns: 25 },
  );
});

test('openMessage() reads literal data inside markers, signatures and nested compression', async () => {
  const data = noise(300);
  const inner = packet(10, Buffer.from('PGP'));
  const nested = packet(
    8,
    Uint8Array.of(2),
    deflateSync(packet(8, Uint8Array.of(1), deflateRawSync(literal(data)))),
  );
  assert.deepEqual(await open(message(literal(data))), data);
  assert.deepEqual(
    await open(message(Buffer.concat([inner, packet(4, noise(13)), literal(data), packet(2, noise(50))]))),
    data,
  );
  assert.deepEqual(await open(message(nested)), data);
  assert.deepEqual(await open(message(packet(8, Uint8Array.of(0), literal(data)))), data);
  const { packets } = cheapKey();
  const outer = Buffer.concat([inner, packets, message(literal(data))]);
  assert.deepEqual(await open(outer, secrets, 1), data);
});

test('openMessage() tells a wrong passphrase from damage', async () => {
  const sealed = message(literal(plain));
  await assert.rejects(open(sealed, wrongSecrets), isCode('wrong-passphrase'));
  sealed[20_000]! ^= 1;
  await assert.rejects(open(sealed), isCode('damaged'));
});

test('openMessage() of a message with any one bit flipped is an error', async () => {
  for (const inner of [literal(text(60)), packet(8, Uint8Array.of(1), deflateRawSync(literal(text(60))))]) {
    const sealed = message(inner);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      sealed[bit >> 3]! ^= 1 << (bit & 7);
      await assert.rejects(open(sealed), isCode('damaged', 'wrong-passphrase', 'unsupported'), `bit ${bit}`);
      sealed[bit >> 3]! ^= 1 << (bit & 7);
    }
    assert.deepEqual(await open(sealed), text(60));
  }
});

test('openMessage() of a message cut short anywhere is damaged', async () => {
  const sealed = message(packet(8, Uint8Array.of(1), deflateRawSync(literal(text(60)))));
  for (let length = 0; length < sealed.length; length++)
    await assert.rejects(open(sealed.subarray(0, length)), isCode('damaged'), `${length} bytes`);
});

test('openMessage() calls everything damaged that is not one whole message', async () => {
  const good = message(literal(text(10)));
  const cases = {
    'nothing at all': new Uint8Array(0),
    'two messages': Buffer.concat([good, good]),
    'something behind': Buffer.concat([good, Uint8Array.of(0)]),
    'no session key': good.subarray(15),
    'not encrypted': literal(text(10)),
    'too many session keys': Buffer.concat([...Array(16).fill(cheapKey().packets), good]),
    'a huge session key packet': packet(3, noise(300)),
    'unknown version': message(literal(text(10)), 3),
    'two contents': message(Buffer.concat([literal(text(10)), literal(text(10))])),
    'no content': message(packet(10, Buffer.from('PGP'))),
    'a key as content': message(packet(6, noise(10))),
    'a literal cut short': message(literal(text(10)).subarray(0, 12)),
    'deflate followed by more': message(
      packet(8, Uint8Array.of(1), deflateRawSync(literal(text(10))), Uint8Array.of(0)),
    ),
    'deep nesting': message(
      Array.from({ length: 6 }).reduce<Buffer>(inner => packet(8, Uint8Array.of(0), inner), literal(text(1))),
    ),
  };
  for (const [name, bytes] of Object.entries(cases))
    await assert.rejects(open(bytes), isCode('damaged'), name);
});

test('openMessage() says so when it does not support a kind of message', async () => {
  const { packets } = cheapKey();
  const cases = {
    'no integrity check': Buffer.concat([packets, packet(9, noise(50))]),
    'packet of the OCB draft': Buffer.concat([
      packet(3, Uint8Array.of(5, 9, 2), noise(50)),
      packet(20, noise(50)),
    ]),
    'version 2 of encrypted data': message(literal(text(10)), 2),
    'newer session key packet': Buffer.concat([
      packet(3, Uint8Array.of(6), noise(50)),
      packet(18, noise(50)),
    ]),
    Argon2: Buffer.concat([
      packet(3, Uint8Array.of(4, 9, 4), noise(19)),
      packet(18, Uint8Array.of(1), noise(50)),
    ]),
    'unknown cipher': Buffer.concat([
      packet(3, Uint8Array.of(4, 99, 3, 2), noise(8), Uint8Array.of(0)),
      packet(18, Uint8Array.of(1), noise(50)),
    ]),
    'unknown compression': message(packet(8, Uint8Array.of(9), noise(500))),
  };
  for (const [name, bytes] of Object.entries(cases))
    await assert.rejects(open(bytes), isCode('unsupported'), name);
});

test('openMessage() tells how to switch on the cipher that old versions of gpg chose', async () => {
  const cast5 = Buffer.concat([
    packet(3, Uint8Array.of(4, 3, 3, 2), noise(8), Uint8Array.of(0)),
    packet(18, Uint8Array.of(1), noise(50)),
  ]);
  const isThere = getCiphers().includes('cast5-cfb');
  await assert.rejects(open(cast5), isThere ? isCode('wrong-passphrase') : /--openssl-legacy-provider/);
});

test('openMessage() checks integrity before it calls the content unsupported', async () => {
  const sealed = message(packet(8, Uint8Array.of(9), noise(500)));
  sealed[sealed.length - 1]! ^= 1;
  await assert.rejects(open(sealed), isCode('damaged'));
});

test('openMessage() closes its source when the reader has enough, and when the message is refused', async () => {
  for (const bytes of [
    message(literal(plain)),
    message(packet(8, Uint8Array.of(1), deflateRawSync(literal(plain)))),
    noise(9),
  ]) {
    let closed = false;
    async function* source() {
      try {
        yield* lentChunks(bytes, 1_000);
      } finally {
        closed = true;
      }
    }
    try {
      for await (const _ of openMessage(source(), secrets)) break;
    } catch (error) {
      assert.ok(isCode('damaged')(error));
    }
    assert.equal(closed, true);
  }
});

test('openMessage() has the sum of its integrity check made elsewhere, and lets go of it however it ends', async () => {
  const sealed = message(literal(plain));
  let open = 0;
  const sha1 = () => {
    const hash = createHash('sha1');
    open++;
    let end: Buffer | undefined;
    let isClosed = false;
    return {
      update: (bytes: Uint8Array) => void hash.update(bytes) as undefined,
      end: async () => (end ??= hash.digest()),
      close() {
        if (!isClosed) open--;
        isClosed = true;
      },
    };
  };
  const opened = (bytes: Uint8Array) => openMessage(lentChunks(bytes, 4_000), secrets, { sha1 });
  assert.ok(plain.equals(await collect(opened(sealed))));
  assert.equal(open, 0);
  const flipped = Buffer.from(sealed);
  flipped[flipped.length - 30]! ^= 1;
  await assert.rejects(collect(opened(flipped)), isCode('damaged'));
  assert.equal(open, 0);
  for await (const _ of opened(sealed)) {
    assert.equal(open, 1);
    break;
  }
  assert.equal(open, 0);
  const failing = { ...sha1(), end: () => Promise.reject(new Error('the other thread failed')) };
  await assert.rejects(
    collect(openMessage(lentChunks(sealed, 4_000), secrets, { sha1: () => failing })),
    /the other thread failed/,
  );
});

test('deriveAhead() leaves the key where openMessage() finds it, and takes anything else in silence', async () => {
  let asked = 0;
  const counted: Secrets = {
    async passphrase() {
      asked++;
      return secrets.passphrase();
    },
    derived: new Map(),
  };
  const sealed = message(literal(text(100_000)));
  for (const head of [new Uint8Array(0), noise(MESSAGE_HEAD), sealed.subarray(0, 5), text(300)]) {
    await deriveAhead(lentChunks(head, 100), counted);
  }
  assert.equal(asked, 0);
  await deriveAhead(lentChunks(sealed.subarray(0, MESSAGE_HEAD), 7), counted);
  assert.equal(asked, 1);
  assert.ok(text(100_000).equals(await open(sealed, counted)));
  assert.equal(asked, 1);
});
