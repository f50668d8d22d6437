/**
 * Search for blocks of a basis in a file that passes through a window: greedy, from left to right.
 *
 * - After a match the block behind it is tried first, so that what did not change is found without rolling.
 * - Elsewhere the weak sum rolls from byte to byte. Between calls it stands for the next window without its last byte,
 *   so that a window is looked at exactly once, however the file is cut into calls.
 * - A weak sum has 32 bits: in files of many GiB it often hits by chance, and each hit costs a strong sum of a whole
 *   block. *Credit*, earned by every byte passed, pays for those that miss, which keeps the work linear. Where the
 *   credit is used up only aligned places are looked at: those where a block follows if the last match went on.
 */

import { type BlockTable, NONE } from './block-table.ts';
import { CHAR_OFFSET, weakSum } from './rolling.ts';
import type { Workspace } from './workspace.ts';

/** Bytes of strong sums in vain that a file has at the start, and earns per byte. */
const CREDIT = 2 ** 26;
const CREDIT_PER_BYTE = 4;

export type Search = Pick<Workspace, 'search' | 'searchTail' | 'matchAt' | 'matchBlock' | 'passed'>;

/** The search on the memory of a portable workspace; assembly/search.ts is its twin, and workspace.ts says what it does. */
export function createSearch(bytes: Uint8Array, table: BlockTable): Search {
  const { blockLength, count } = table;
  let primed = false; // whether `rolled` is of blockLength - 1 bytes at `from`; else nothing is known of them
  let rolled = 0;
  let expected = 0; // the block at the last aligned place,
  let phase = 0; // which was so many bytes before `from`
  let credit = CREDIT;
  let at = 0;
  let block = NONE;

  function search(from: number, to: number): number {
    at = from;
    let s1 = rolled & 0xffff;
    let s2 = rolled >>> 16;
    if (!primed) {
      if (at + blockLength > to) return 0;
      const weak = weakSum(bytes, at, at + blockLength);
      if (look(weak, from)) return run(from, to);
      const out = bytes[at]! + CHAR_OFFSET;
      s1 = weak - out;
      s2 = (weak >>> 16) - Math.imul(blockLength, out);
      at++;
    }
    const length = blockLength; // locals: the loop below is as fast as what it touches is near
    const data = bytes;
    const mayHold = table.mayHold;
    let here = at;
    for (; here + length <= to; here++) {
      s1 = (s1 + data[here + length - 1]! + CHAR_OFFSET) | 0;
      s2 = (s2 + s1) | 0;
      const weak = (s2 << 16) | (s1 & 0xffff);
      if (mayHold(weak)) {
        at = here;
        if (look(weak, from)) return run(from, to);
      }
      const out = data[here]! + CHAR_OFFSET;
      s1 = (s1 - out) | 0;
      s2 = (s2 - Math.imul(length, out)) | 0;
    }
    at = here;
    primed = true;
    rolled = (s2 << 16) | (s1 & 0xffff);
    credit += CREDIT_PER_BYTE * (at - from);
    const distance = phase + at - from;
    expected += Math.floor(distance / blockLength);
    phase = distance % blockLength;
    return 0;
  }

  function look(weak: number, from: number): boolean {
    const distance = phase + at - from;
    const aligned = distance % blockLength === 0 ? expected + distance / blockLength : NONE;
    block = table.find(at, weak, aligned, credit + CREDIT_PER_BYTE * (at - from) >= blockLength);
    if (block === NONE && table.hashed) credit -= blockLength;
    return block !== NONE;
  }

  function run(from: number, to: number): number {
    let end = at + blockLength;
    let following = block + 1;
    while (
      end + blockLength <= to &&
      following < count &&
      table.isBlock(following, end, blockLength, weakSum(bytes, end, end + blockLength))
    ) {
      end += blockLength;
      following++;
    }
    passed(following, end - from);
    return following - block;
  }

  function passed(next: number, length: number): void {
    primed = false;
    expected = next;
    phase = 0;
    credit += CREDIT_PER_BYTE * length;
  }

  function searchTail(from: number, to: number): number {
    const last = count - 1;
    const wanted = table.weakOf(last);
    const start = primed ? rolled : weakSum(bytes, from, to);
    let s1 = start & 0xffff;
    let s2 = start >>> 16;
    for (let start = from; start < to; start++) {
      const length = to - start;
      const weak = (s2 << 16) | (s1 & 0xffff);
      if (weak === wanted && credit >= length) {
        if (table.isBlock(last, start, length, weak)) return start;
        credit -= length;
      }
      const out = bytes[start]! + CHAR_OFFSET;
      s1 = (s1 - out) | 0;
      s2 = (s2 - Math.imul(length, out)) | 0;
    }
    return to;
  }

  return { search, searchTail, matchAt: () => at, matchBlock: () => block, passed };
}
