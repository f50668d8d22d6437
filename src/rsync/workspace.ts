/**
 * What a kernel offers: memory, and the inner loops of rsync on it. One call covers a window, never a byte.
 */

import type { IndexLayout } from './block-table.ts';

/** The first bytes of every workspace belong to the kernel; the rest is laid out by who opened it. */
export const KERNEL_RESERVED = 2048;

/** Bytes of a block's entry in a signature that we make: weak sum, then the first 8 bytes of the strong sum. */
export const ENTRY_LENGTH = 12;

export interface Kernel {
  readonly name: 'wasm-simd' | 'wasm' | 'portable';
  /**
   * Memory with the loops that work on it, for one machine (signer, delta) alone. It never grows, so views of it stay
   * valid; who needs more opens another one.
   * @param size bytes, KERNEL_RESERVED included; at most 2 GiB
   * @throws RangeError when the host has not so much memory
   */
  open(size: number): Workspace;
}

/** Offsets are into `bytes`; a range [from, to) excludes `to`. Offsets are trusted: the caller keeps them inside. */
export interface Workspace {
  readonly bytes: Uint8Array;

  /** Writes the 12-byte signature entry of each block in [from, to), the last of which may be short, at `out`. */
  sums(from: number, to: number, blockLength: number, out: number): void;

  /** Makes the block table of a signature that lies in `bytes`, and begins the search in a new file. */
  index(layout: IndexLayout): void;

  /**
   * Looks for the first block of the indexed basis in the window [from, to); a file's bytes come to it in order, each
   * call going on where the last one ended.
   * @returns the number of whole blocks in a row that match from `matchAt()` on, the first being `matchBlock()`; or 0
   * when there is none, and then `matchAt()` is the first offset from which less than a block is left
   */
  search(from: number, to: number): number;

  /**
   * At the end of the file, when less than a block is left: looks for the basis's short last block as its end.
   * @returns the offset where that block begins, or `to`
   */
  searchTail(from: number, to: number): number;

  matchAt(): number;
  matchBlock(): number;

  /**
   * Tells the search of bytes that it has not seen, because they are known to be blocks of the basis.
   * @param next the block that would follow on them @param bytes their number
   */
  passed(next: number, bytes: number): void;
}
