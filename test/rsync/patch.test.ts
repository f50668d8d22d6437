import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPatch } from '../../src/rsync/patch.ts';
import { needTool } from '../support/tools.ts';
import {
  basisAndEdits,
  deltaOf,
  hex,
  kernels,
  noise,
  patched,
  rdiff,
  rdiffSignature,
  signatureOf,
} from './support.ts';

const delta = (commands: string): Uint8Array => Buffer.from(`72730236${commands}`, 'hex');
const basis = Buffer.from('0123456789');

test('createPatch gives the new file, however the delta is chunked', () => {
  fc.assert(
    fc.property(basisAndEdits, fc.integer({ min: 1, max: 99 }), ({ basis, edited }, chunkLength) => {
      const made = deltaOf(kernels[0]!, signatureOf(kernels[0]!, basis, 30), edited);
      assert.equal(hex(patched(basis, made, chunkLength)), hex(edited));
    }),
  );
});

test('createPatch applies what rdiff made', t => {
  if (!needTool(t, 'rdiff')) return;
  for (const { basis, edited } of fc.sample(basisAndEdits, { numRuns: 20, seed: 6 })) {
    const made = rdiff([], 'delta', rdiffSignature(basis, 40), edited);
    assert.equal(hex(patched(basis, made)), hex(edited));
  }
  const edited = Buffer.concat([noise(200_000), noise(90_000, 2)]);
  const made = rdiff([], 'delta', rdiffSignature(noise(200_000), 2048), edited);
  assert.equal(hex(patched(noise(200_000), made, 777)), hex(edited));
});

test('createPatch takes every form of every command', () => {
  const wide = (value: number, width: number) => value.toString(16).padStart(2 * width, '0');
  const widths = [1, 2, 4, 8];
  for (const [i, position] of widths.entries()) {
    for (const [j, length] of widths.entries()) {
      const copy = wide(0x45 + 4 * i + j, 1) + wide(3, position) + wide(4, length);
      assert.equal(String(patched(basis, delta(`${copy}00`))), '3456');
    }
    const literal = `${wide(0x41 + i, 1) + wide(2, position)}6869`;
    assert.equal(String(patched(basis, delta(`${literal}00`))), 'hi');
  }
  for (const length of [1, 63, 64]) {
    assert.equal(
      hex(patched(basis, delta(`${wide(length, 1)}${'7a'.repeat(length)}00`))),
      '7a'.repeat(length),
    );
  }
});

test('createPatch ignores what stands behind the end command', () => {
  assert.equal(String(patched(basis, delta('45000300ff4500'))), '012');
});

test('createPatch copies in any order, again, and up to the last byte', () => {
  assert.equal(String(patched(basis, delta('45090145000145090100'))), '909');
});

test('createPatch reads a basis that gives its bytes in small portions', () => {
  const parts: string[] = [];
  const stingy = {
    size: basis.length,
    read(position: number, target: Uint8Array) {
      target[0] = basis[position]!;
      return 1;
    },
  };
  const patch = createPatch(stingy, part => parts.push(String(Buffer.from(part))));
  patch.push(delta('45020500'));
  patch.end();
  assert.equal(parts.join(''), '23456');
});

test('createPatch refuses what breaks the format', () => {
  const broken = {
    'nothing at all': '',
    'half a magic number': '7273',
    'another magic number': '7273013600',
    'no end command': '72730236',
    'an end within a literal': '727302360568656c',
    'an end within an operand': '727302364700',
    'no end behind a command': '727302360168',
    'an empty literal': '727302364100' + '00',
    'an empty copy': '7273023645000000',
    'a reserved opcode': '727302365500',
    'the last reserved opcode': '72730236ff00',
    'a literal beyond 2^53': '72730236440020000000000000',
    'a length beyond 2^53': '7273023648002000000000000000',
    'a position beyond 2^53': '72730236510020000000000000' + '0100',
    'a copy that ends beyond 2^53': '7273023654001fffffffffffff0000000000000001',
    'a copy from beyond the basis': '7273023645090200',
    'a position beyond the basis': '72730236450b0100',
  };
  for (const [what, bytes] of Object.entries(broken)) {
    assert.throws(() => patched(basis, Buffer.from(bytes, 'hex'), 3), { code: 'damaged' }, what);
  }
});

test('createPatch refuses a basis that became shorter', () => {
  const patch = createPatch({ size: 10, read: () => 0 }, () => {});
  assert.throws(() => patch.push(delta('45000500')), { code: 'damaged' });
});

test('createPatch survives any bytes: a file or an error that says damaged', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
      try {
        patched(basis, Buffer.concat([delta(''), bytes]));
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 'damaged');
      }
    }),
    { numRuns: 1000 },
  );
});
