import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as openpgp from 'openpgp';
import { BackupError } from '../../src/errors.ts';
import { collect } from '../../src/streams.ts';
import { crc24, dearmor } from '../../src/volumes/armor.ts';
import { needTool } from '../support/tools.ts';
import { createGpg, lentChunks, noise } from './openpgp-support.ts';

const isDamaged = (error: unknown) => error instanceof BackupError && error.code === 'damaged';
const open = async (text: string, size = 50) =>
  Buffer.from(await collect(dearmor(lentChunks(Buffer.from(text, 'latin1'), size))));

/** Armor as gpg writes it. */
function armored(bytes: Uint8Array, checksum = true): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc24(bytes));
  const lines = Buffer.from(bytes).toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  const check = checksum ? `=${sum.subarray(1).toString('base64')}\n` : '';
  return `-----BEGIN PGP MESSAGE-----\n\n${lines}\n${check}-----END PGP MESSAGE-----\n`;
}

test('crc24() of the RFC test string', () => {
  assert.equal(crc24(Buffer.from('123456789')), 0x21cf02);
});

test('dearmor() gives armored bytes back, with and without checksum, in chunks of any size', () =>
  fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 400 }),
      fc.boolean(),
      fc.boolean(),
      fc.integer({ min: 1, max: 700 }),
      async (bytes, checksum, crlf, size) => {
        const text = armored(bytes, checksum);
        assert.deepEqual(await open(crlf ? text.replaceAll('\n', '\r\n') : text, size), Buffer.from(bytes));
      },
    ),
  ));

test('dearmor() lets binary messages through', async () => {
  const bytes = Buffer.concat([Uint8Array.of(0x8c), noise(1_000)]);
  assert.deepEqual(Buffer.from(await collect(dearmor(lentChunks(bytes, 100)))), bytes);
});

test('dearmor() tells who reads what gpgsm has sealed', async () => {
  const head = Buffer.from('308006092a864886f70d010703a080308002010031820163', 'hex');
  const sealed = Buffer.concat([head, noise(1_000)]);
  await assert.rejects(open(sealed.toString('latin1'), 100), (error: unknown) => {
    assert.ok(error instanceof BackupError);
    assert.equal(error.code, 'unsupported');
    assert.match(error.message, /sealed by gpgsm .*--use-gpgsm/);
    return true;
  });
  head[2]! ^= 1;
  await assert.rejects(open(head.toString('latin1'), 100), isDamaged);
});

test('dearmor() skips headers and empty lines around', async () => {
  const text = armored(noise(100)).replace('\n\n', '\nVersion: 1\nComment: ü\nHash:\n \n');
  assert.deepEqual(await open(`\n\n${text}\n\n`), noise(100));
});

test('dearmor() reads what gpg and OpenPGP.js armor', async t => {
  const bytes = Buffer.concat([Uint8Array.of(0xca, 0x03), Buffer.from('PGP'), noise(50)]);
  const theirs = await openpgp.armor(openpgp.enums.armor.message, bytes, 0, 0, 'hello');
  assert.deepEqual(await open(String(theirs)), bytes);
  if (!needTool(t, 'gpg')) return;
  const gpg = createGpg(t);
  const message = gpg(['--armor', '--symmetric', '--s2k-count', '1024'], 'x', noise(5_000)).toString(
    'latin1',
  );
  const binary = await open(message);
  assert.equal(armored(binary), message);
});

test('dearmor() of a text that is changed or cut short is damaged', async () => {
  const text = armored(noise(100));
  const body = text.indexOf('\n\n') + 2;
  for (let length = 1; length < text.length - 1; length++)
    await assert.rejects(open(text.slice(0, length)), isDamaged, `${length} characters`);
  for (let at = body; at < text.length - 1; at++) {
    const other = text[at] === 'A' ? 'B' : 'A';
    await assert.rejects(open(text.slice(0, at) + other + text.slice(at + 1)), isDamaged, `character ${at}`);
  }
});

test('dearmor() refuses other texts, odd base64 and endless lines', async () => {
  const [begin, end] = ['-----BEGIN PGP MESSAGE-----\n\n', '\n-----END PGP MESSAGE-----\n'];
  const bad = [
    'hello',
    `${begin}A${end}`,
    `${begin}AB=${end}`,
    `${begin}AAE=A${end}`,
    `${begin}AB==${end}`,
    `${begin}A===${end}`,
  ];
  for (const text of [
    ...bad,
    `${begin}AA-_${end}`,
    `${armored(noise(9))}x`,
    begin.replace('\n\n', '\nno header\n\n'),
  ])
    await assert.rejects(open(text), isDamaged, text);
  await assert.rejects(open(begin + 'A'.repeat(200_000), 10_000), isDamaged);
});
