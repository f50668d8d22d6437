/** The inner loops as WebAssembly; each workspace is an instance with a memory of its own. */

import { tableSizeFor } from './block-table.ts';
import { kernelWasmBase64, kernelWasmSimdBase64 } from './kernel-wasm-bytes.ts';
import type { Kernel, Workspace } from './workspace.ts';

const PAGE = 65536;

/** What of the WebAssembly interface we use; its types come with browsers' libraries only. */
interface WebAssemblyHost {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (
    module: object,
    imports: { env: { memory: object } },
  ) => { readonly exports: object };
}

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
  const host = (globalThis as { WebAssembly?: WebAssemblyHost }).WebAssembly;
  if (!host) return;
  for (const [name, base64] of [
    ['wasm-simd', kernelWasmSimdBase64],
    ['wasm', kernelWasmBase64],
  ] as const) {
    let module: object;
    try {
      module = new host.Module(Buffer.from(base64, 'base64'));
    } catch {
      continue; // a processor without SIMD, or a host that may not compile
    }
    yield { name, open: size => open(host, module, size) };
  }
}

function open(host: WebAssemblyHost, module: object, size: number): Workspace {
  const pages = Math.ceil(size / PAGE);
  const memory = new host.Memory({ initial: pages, maximum: pages });
  const loops = new host.Instance(module, { env: { memory } }).exports as Loops;
  return {
    bytes: new Uint8Array(memory.buffer),
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
