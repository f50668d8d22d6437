import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import * as openpgp from 'openpgp';
import { createDeflater, deflateEnd } from '../../src/volumes/deflate.ts';
import { createSealer } from '../../src/volumes/openpgp-seal.ts';
import type { SealingKey } from '../../src/volumes/openpgp-session.ts';
import { prepareSessionKey } from '../../src/volumes/openpgp-session.ts';
import { needTool } from '../support/tools.ts';
import { cheapKey, createGpg, noise, passphrase, pretendRandom, secrets, text } from './openpgp-support.ts';

async function seal(plain: Buffer, compressed: boolean, key: SealingKey, size = 100_000): Promise<Buffer> {
  const sealer = createSealer(key, { compressed, random: pretendRandom, literalTimeSeconds: 1_700_000_000 });
  const out = [sealer.start()];
  const deflater = createDeflater();
  for (let from = 0; from < plain.length; from += size) {
    const chunk = plain.subarray(from, from + size);
    out.push(sealer.push(compressed ? await deflater.push(chunk) : chunk));
  }
  if (compressed) out.push(sealer.push(deflateEnd));
  return Buffer.concat([...out, sealer.end()]);
}

async function openWithJs(message: Uint8Array, password: string): Promise<Uint8Array> {
  const read = await openpgp.readMessage({ binaryMessage: message });
  const { data } = await openpgp.decrypt({ message: read, passwords: [password], format: 'binary' });
  return data as Uint8Array;
}

const samples = [Buffer.alloc(0), text(7), Buffer.concat([text(70_000), noise(300_000), text(200_000)])];

test('createSealer() makes messages that gpg reads without a warning', async t => {
  if (!needTool(t, 'gpg')) return;
  const gpg = createGpg(t);
  const key = await prepareSessionKey(secrets, randomBytes);
  for (const compressed of [true, false])
    for (const plain of samples)
      assert.deepEqual(gpg(['--decrypt'], passphrase, await seal(plain, compressed, key)), plain);
});

test('createSealer() makes messages that OpenPGP.js reads', async () => {
  for (const compressed of [true, false])
    for (const plain of samples) {
      const message = await seal(plain, compressed, cheapKey());
      assert.deepEqual(Buffer.from(await openWithJs(message, passphrase)), plain);
    }
});

test('createSealer() gives the same bytes however it is pushed', () => {
  const plain = noise(200_000);
  return fc.assert(
    fc.asyncProperty(fc.integer({ min: 500, max: 200_000 }), async size => {
      assert.deepEqual(await seal(plain, false, cheapKey(), size), await seal(plain, false, cheapKey()));
    }),
    { numRuns: 20 },
  );
});

test('createSealer() writes the packets that FORMAT.md shows', async () => {
  const message = await seal(samples[2]!, true, cheapKey());
  assert.equal(message.subarray(0, 6).toString('hex'), '8c0d04090302'); // passphrase packet: AES-256, iterated SHA-1
  assert.equal(message.subarray(15, 18).toString('hex'), 'd2f001'); // encrypted, first part 64 KiB, version 1
  assert.equal(message[15 + 2 + 65536], 0xf0); // so is the second part
});

test('prepareSessionKey() makes a new key every time, from a new salt', async () => {
  const one = await prepareSessionKey(secrets, randomBytes);
  const two = await prepareSessionKey(secrets, randomBytes);
  assert.notDeepEqual(one.key, two.key);
  assert.equal(one.key.length, 32);
  assert.equal(Buffer.from(one.packets).subarray(0, 6).toString('hex'), 'c30d04090308');
  assert.equal(one.packets.at(-1), 0xff);
});
