/**
 * Choice of the kernel. Twins do the same to the byte: WebAssembly (kernel-wasm.ts, from the sources in assembly/) with
 * and without SIMD, and TypeScript (kernel-portable.ts).
 */

import { tableSizeFor } from './block-table.ts';
import { createPortableKernel } from './kernel-portable.ts';
import { wasmKernels } from './kernel-wasm.ts';
import { ENTRY_LENGTH, KERNEL_RESERVED, type Kernel } from './workspace.ts';

export type { Kernel } from './workspace.ts';

export interface KernelOptions {
  /** Takes the TypeScript twin even where WebAssembly is at hand. */
  readonly portable?: boolean;
}

/** The fastest WebAssembly kernel that the host takes and that answers known vectors right, else the portable twin. */
export function createKernel(options: KernelOptions = {}): Kernel {
  if (!options.portable) {
    for (const kernel of wasmKernels()) if (answersKnownVectors(kernel)) return kernel;
  }
  return createPortableKernel();
}

/** Whether a kernel computes what it should: a host's compiler may be wrong, and sums must not be. */
export function answersKnownVectors(kernel: Kernel): boolean {
  const blockLength = 150;
  const length = 1600; // ten blocks, as some kernels take eight at a time, and a short one
  const count = 11;
  const entries = KERNEL_RESERVED;
  const table = entries + 64 * Math.ceil((count * ENTRY_LENGTH) / 64);
  const from = table + tableSizeFor(count).length + 1; // not aligned
  const to = from + length;
  const workspace = kernel.open(to);

  workspace.bytes.fill(0);
  for (let i = 0; i < length; i++) workspace.bytes[from + i] = (i * i + (i >> 3)) & 0xff;
  workspace.sums(from, to, blockLength, entries);
  const sums = workspace.bytes.subarray(entries, entries + count * ENTRY_LENGTH);
  if (Buffer.from(sums).toString('hex') !== KNOWN_SUMS) return false;

  workspace.index({ entries, count, entryLength: ENTRY_LENGTH, blockLength, table });
  const tail = from + 10 * blockLength;
  return (
    workspace.search(from - 1, to) === 10 &&
    workspace.matchAt() === from &&
    workspace.matchBlock() === 0 &&
    workspace.search(tail, to) === 0 &&
    workspace.matchAt() === tail &&
    workspace.searchTail(tail, to) === tail
  );
}

/** From `rdiff -R rollsum -H md4 -S 8 -b 150 signature` of the 1600 bytes above, without the header. */
const KNOWN_SUMS =
  'ffaa520dc43a9dba3fa775994e685755432c60cd7ad2be51bc1a5acd0a03076bac91dac0f4c05c759a445afc394e509e' +
  'aa595f4f2ffc5d35332934fbb5b75f5700b2974d23350deb99095c8f7fbc5c2feaf5f620424f5bf7405ac0122ac24dc6' +
  '6d885f91a18fe8a8517b79157d8664593c5d14178bf28170d0003f46a0a666c0f1b53d11';
