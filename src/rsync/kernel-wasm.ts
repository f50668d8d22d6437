/** The inner loops as WebAssembly; each workspace is an instance with a memory of its own. */

import { compileModule, instantiate, type WebAssemblyHost, webAssemblyHost } from '../web-assembly.ts';
import { tableSizeFor } from './block-table.ts';
import { kernelWasmBase64, kernelWasmSimdBase64 } from './kernel-wasm-bytes.ts';
import type { Kernel, Workspace } from './workspace.ts';

/** What assembly/index.ts exports. */
interface Loops extends Omit<Workspace, 'bytes' | 'index'> {
  index(
    entries: number,
    count: number,
    entryLength: number,
    blockLength: number,
    table: number,
    slotBits: number,
    filter: number,
    filterBits: number,
  ): void;
  begin(): void;
}

/** The kernels that the host's WebAssembly takes, the fastest first: with SIMD, without, or none. */
export function* wasmKernels(): Generator<Kernel> {
  const host = webAssemblyHost();
  if (!host) return;
  for (const [name, base64] of [
    ['wasm-simd', kernelWasmSimdBase64],
    ['wasm', kernelWasmBase64],
  ] as const) {
    const module = compileModule(host, base64);
    if (module) yield { name, open: size => open(host, module, size) };
  }
}

function open(host: WebAssemblyHost, module: object, size: number): Workspace {
  const { memory, exports: loops } = instantiate<Loops>(host, module, size);
  return {
    bytes: new Uint8Array(memory),
    sums: loops.sums,
    index({ entries, count, entryLength, blockLength, table }) {
      const { slotBits, filterBits } = tableSizeFor(count);
      const filter = table + 4 * 2 ** slotBits;
      loops.index(entries, count, entryLength, blockLength, table, slotBits, filter, filterBits);
      loops.begin();
    },
    search: loops.search,
    searchTail: loops.searchTail,
    matchAt: loops.matchAt,
    matchBlock: loops.matchBlock,
    passed: loops.passed,
  };
}
