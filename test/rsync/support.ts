/** What the tests of rsync share: repeatable data, the kernels that this host can run, and rdiff as a judge. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKernel, type Kernel } from '../../src/rsync/kernel.ts';
import { createSigner } from '../../src/rsync/signature.ts';

/** Both twins; where WebAssembly is missing the first is the second. */
export const kernels: readonly Kernel[] = [createKernel(), createKernel({ portable: true })];

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
