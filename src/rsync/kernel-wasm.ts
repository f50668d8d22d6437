/** The inner loops as WebAssembly; each workspace is an instance with a memory of its own. */

import type { Kernel, Workspace } from './kernel.ts';
import { kernelWasmBase64 } from './kernel-wasm-bytes.ts';

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

/** @returns undefined where the host has no WebAssembly, or one that does not take our module */
export function createWasmKernel(): Kernel | undefined {
  const host = (globalThis as { WebAssembly?: WebAssemblyHost }).WebAssembly;
  if (!host) return undefined;
  let module: object;
  try {
    module = new host.Module(Buffer.from(kernelWasmBase64, 'base64'));
  } catch {
    return undefined;
  }
  return {
    name: 'wasm',
    open(size) {
      const pages = Math.ceil(size / PAGE);
      const memory = new host.Memory({ initial: pages, maximum: pages });
      const { exports } = new host.Instance(module, { env: { memory } });
      return { ...(exports as Omit<Workspace, 'bytes'>), bytes: new Uint8Array(memory.buffer) };
    },
  };
}
