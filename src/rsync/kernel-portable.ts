/** The portable twin of the WebAssembly kernel: for hosts that have none (`node --jitless`), and for tests to compare. */

import { createBlockTable, type IndexLayout } from './block-table.ts';
import { strongSum } from './md4.ts';
import { weakSum } from './rolling.ts';
import { createSearch, type Search } from './search.ts';
import { ENTRY_LENGTH, type Kernel, type Workspace } from './workspace.ts';

export function createPortableKernel(): Kernel {
  return { name: 'portable', open };
}

function open(size: number): Workspace {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const strong = new Int32Array(4);
  let search: Search | undefined;

  function sums(from: number, to: number, blockLength: number, out: number): void {
    for (let start = from; start < to; start += blockLength) {
      const end = Math.min(start + blockLength, to);
      strongSum(view, start, end, strong);
      view.setInt32(out, weakSum(bytes, start, end));
      view.setInt32(out + 4, strong[0]!, true);
      view.setInt32(out + 8, strong[1]!, true);
      out += ENTRY_LENGTH;
    }
  }

  return {
    bytes,
    sums,
    index(layout: IndexLayout) {
      search = createSearch(bytes, createBlockTable(view, layout));
    },
    search: (from, to) => search!.search(from, to),
    searchTail: (from, to) => search!.searchTail(from, to),
    matchAt: () => search!.matchAt(),
    matchBlock: () => search!.matchBlock(),
    passed: (next, length) => search!.passed(next, length),
  };
}
