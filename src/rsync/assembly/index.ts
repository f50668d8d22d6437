// The inner loops of rsync in WebAssembly: the exports are the Workspace of src/rsync/kernel.ts, which says what they
// do, and kernel-portable.ts is the same in TypeScript. One instance serves one machine; the first 1024 bytes of its
// memory are ours, the rest is laid out by the caller.

import { STRONG, strongSum } from './md4';
import { weakSum } from './rolling';

export { index } from './block-table';
export { begin, matchAt, matchBlock, search, searchTail } from './search';

export function sums(from: usize, to: usize, blockLength: usize, out: usize): void {
  for (; from < to; out += 12) {
    const next = from + min(blockLength, to - from);
    strongSum(from, next);
    store<u32>(out, bswap<u32>(weakSum(from, next)));
    store<u64>(out, load<u64>(STRONG), 4);
    from = next;
  }
}
