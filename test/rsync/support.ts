/** What the tests of rsync share: repeatable data, the kernels that this host can run, and rdiff as a judge. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { createDelta } from '../../src/rsync/delta.ts';
import type { Kernel } from '../../src/rsync/kernel.ts';
import { createPortableKernel } from '../../src/rsync/kernel-portable.ts';
import { wasmKernels } from '../../src/rsync/kernel-wasm.ts';
import { type Basis, createPatch } from '../../src/rsync/patch.ts';
import { createSigner } from '../../src/rsync/signature.ts';

/** All twins that this host can run. */
export const kernels: readonly Kernel[] = [...wasmKernels(), createPortableKernel()];

/** Bytes that look random and are the same in every run. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed * 0x9e3779b9;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Pieces of `size` bytes that together are `bytes`. */
export function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function signatureOf(
  kernel: Kernel,
  bytes: Uint8Array,
  blockLength: number,
  chunkLength = 65536,
): Uint8Array {
  const signer = createSigner(kernel);
  signer.start(blockLength);
  for (const chunk of pieces(bytes, chunkLength)) signer.push(chunk);
  return signer.end();
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** Runs rdiff on files of the given contents, in order, and returns the file it makes. */
export function rdiff(options: readonly string[], action: string, ...inputs: Uint8Array[]): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'tsbackup-rdiff-'));
  try {
    const names = inputs.map((content, i) => {
      const name = join(folder, `in${i}`);
      writeFileSync(name, content);
      return name;
    });
    const out = join(folder, 'out');
    const run = spawnSync('rdiff', [...options, action, ...names, out], { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`rdiff ${action}: ${run.stderr}`);
    return readFileSync(out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function rdiffSignature(bytes: Uint8Array, blockLength: number): Uint8Array {
  return rdiff(['-R', 'rollsum', '-H', 'md4', '-S', '8', '-b', String(blockLength)], 'signature', bytes);
}

export function deltaOf(
  kernel: Kernel,
  signature: Uint8Array,
  bytes: Uint8Array,
  chunkLength = 65536,
): Uint8Array {
  const parts: Uint8Array[] = [];
  const delta = createDelta(kernel);
  delta.start(signature, part => parts.push(Uint8Array.from(part)));
  for (const chunk of pieces(bytes, chunkLength)) delta.push(chunk);
  delta.end();
  return Buffer.concat(parts);
}

/** A basis in memory. */
export function basisOf(bytes: Uint8Array): Basis {
  return {
    size: bytes.length,
    read(position, target) {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
  };
}

export function patched(basis: Uint8Array, delta: Uint8Array, chunkLength = 65536): Uint8Array {
  const parts: Uint8Array[] = [];
  const patch = createPatch(basisOf(basis), part => parts.push(Uint8Array.from(part)));
  for (const chunk of pieces(delta, chunkLength)) patch.push(chunk);
  patch.end();
  return Buffer.concat(parts);
}

/** A file with whatever a person may do to it: bytes put in, taken out, moved within; few values, so that much repeats. */
export const basisAndEdits: fc.Arbitrary<{ basis: Uint8Array; edited: Uint8Array; again: Uint8Array }> = fc
  .record({
    alphabet: fc.constantFrom(1, 2, 256),
    seed: fc.integer(),
    length: fc.integer({ min: 0, max: 3000 }),
    edits: fc.array(edit(), { maxLength: 5 }),
    moreEdits: fc.array(edit(), { maxLength: 5 }),
  })
  .map(({ alphabet, seed, length, edits, moreEdits }) => {
    const basis = noise(length, seed).map(byte => byte % alphabet);
    const edited = edits.reduce(applyEdit, basis);
    return { basis, edited, again: moreEdits.reduce(applyEdit, edited) };
  });

interface Edit {
  readonly at: number;
  readonly removed: number;
  readonly inserted: Uint8Array;
  readonly movedTo: number;
}

function edit(): fc.Arbitrary<Edit> {
  return fc.record({
    at: fc.nat(3000),
    removed: fc.nat(500),
    inserted: fc.uint8Array({ maxLength: 60 }),
    movedTo: fc.nat(6000),
  });
}

function applyEdit(bytes: Uint8Array, { at, removed, inserted, movedTo }: Edit): Uint8Array {
  const rest = Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
  if (movedTo > rest.length) return rest;
  const moved = bytes.subarray(at, at + removed);
  return Buffer.concat([rest.subarray(0, movedTo), moved, rest.subarray(movedTo)]);
}
