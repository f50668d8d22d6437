// The inner loops of rsync in WebAssembly: the exports are the Workspace of src/rsync/workspace.ts, which says what they
// do, and kernel-portable.ts is the same in TypeScript. One instance serves one machine; the first 2048 bytes of its
// memory are ours, the rest is laid out by the caller.

import { STRONG, strongSum } from './md4';
import { BLOCKS, STRONGS, strongSums } from './md4-simd';
import { weakSum } from './rolling';

export { index } from './block-table';
export { begin, matchAt, matchBlock, passed, search, searchTail } from './search';

export function sums(from: usize, to: usize, blockLength: usize, out: usize): void {
  if (ASC_FEATURE_SIMD) {
    for (;;) {
      const count = min<usize>((to - from) / blockLength, BLOCKS);
      if (count < 2) break; // a single one is done sooner below
      strongSums(from, blockLength, count);
      for (let block: usize = 0; block < count; block++, from += blockLength, out += 12) {
        store<u32>(out, bswap<u32>(weakSum(from, from + blockLength)));
        store<u64>(out, load<u64>(STRONGS + 16 * block), 4);
      }
    }
  }
  for (; from < to; out += 12) {
    const next = from + min(blockLength, to - from);
    strongSum(from, next);
    store<u32>(out, bswap<u32>(weakSum(from, next)));
    store<u64>(out, load<u64>(STRONG), 4);
    from = next;
  }
}
