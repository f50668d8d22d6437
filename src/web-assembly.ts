/** What we use of the WebAssembly interface; its types come with browsers' libraries only. */

const PAGE = 65536;

export interface WebAssemblyHost {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (
    module: object,
    imports: { env: { memory: object } },
  ) => { readonly exports: object };
}

/** Undefined where the host has none, as `node --jitless`. */
export function webAssemblyHost(): WebAssemblyHost | undefined {
  return (globalThis as { WebAssembly?: WebAssemblyHost }).WebAssembly;
}

/** @returns undefined where the host does not take it: its processor lacks SIMD, or it may not compile */
export function compileModule(host: WebAssemblyHost, base64: string): object | undefined {
  try {
    return new host.Module(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}

/** An instance with a memory of its own. @param size bytes of it, at least */
export function instantiate<Exports>(
  host: WebAssemblyHost,
  module: object,
  size: number,
): { readonly memory: ArrayBuffer; readonly exports: Exports } {
  const pages = Math.ceil(size / PAGE);
  const memory = new host.Memory({ initial: pages, maximum: pages });
  const { exports } = new host.Instance(module, { env: { memory } });
  return { memory: memory.buffer, exports: exports as Exports };
}
