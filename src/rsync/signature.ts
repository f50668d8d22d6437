/**
 * Signature of a file: a header of 12 bytes, then weak and strong sum of every block. From it alone a later run makes a
 * delta, without the file that it describes.
 * @see FORMAT.md, "Signature"
 */

import assert from 'node:assert/strict';
import { BackupError } from '../errors.ts';
import { ENTRY_LENGTH, KERNEL_RESERVED, type Kernel, type Workspace } from './workspace.ts';

export const SIGNATURE_HEADER = 12;
const MAGIC = 0x72730136; // rollsum and MD4
const STRONG_LENGTH = 8;

/** A delta keeps a block or two in memory, so that blocks are bounded; a file of 8 TiB has 2^17 of this length. */
export const MAX_BLOCK_LENGTH = 2 ** 26;
/** A signature is held whole, so that blocks grow with the file rather than their number: 1.5 MiB of entries. */
const MAX_BLOCKS = 2 ** 17;

/** Where `maxBlockLength` allows it; see docs/decisions.md for why not 512. */
const LEAST_BLOCK_LENGTH = 1024;

/**
 * Block length for a file of `size` bytes: 1024, from 2048000 bytes on growing with the file up to `maxBlockLength`, and
 * beyond that only as far as the number of blocks demands.
 */
export function blockLengthFor(size: number, maxBlockLength = 2048): number {
  const usual = Math.min(Math.max(Math.floor(size / 1024000) * 512, LEAST_BLOCK_LENGTH), maxBlockLength);
  const needed = Math.ceil(size / MAX_BLOCKS / 512) * 512;
  return Math.min(Math.max(usual, needed), MAX_BLOCK_LENGTH);
}

export interface SignatureLayout {
  readonly blockLength: number;
  /** Bytes kept of each strong sum. */
  readonly strongLength: number;
  /** Bytes per block: 4 of weak sum and the strong sum; the first entry is at SIGNATURE_HEADER. */
  readonly entryLength: number;
  /** Number of blocks, of which only the last can be shorter than `blockLength`. */
  readonly count: number;
}

/**
 * Header of a whole signature file, checked against its length.
 * @param signature lent; a stranger's bytes
 * @throws BackupError 'damaged'; also for strong sums of less than 8 bytes, which no archive has and which would let
 * blocks match by chance
 */
export function parseSignature(signature: Uint8Array): SignatureLayout {
  if (signature.length < SIGNATURE_HEADER) throw damaged('ends within its header');
  const view = new DataView(signature.buffer, signature.byteOffset, SIGNATURE_HEADER);
  if (view.getUint32(0) !== MAGIC) throw damaged('does not begin with the magic number of MD4 signatures');
  const blockLength = view.getUint32(4);
  const strongLength = view.getUint32(8);
  if (blockLength < 1 || blockLength > MAX_BLOCK_LENGTH) throw damaged(`has blocks of ${blockLength} bytes`);
  if (strongLength < STRONG_LENGTH || strongLength > 16) {
    throw damaged(`has strong sums of ${strongLength} bytes`);
  }
  const entryLength = 4 + strongLength;
  const count = (signature.length - SIGNATURE_HEADER) / entryLength;
  if (!Number.isInteger(count)) throw damaged('ends within a block');
  return { blockLength, strongLength, entryLength, count };
}

function damaged(what: string): BackupError {
  return new BackupError('damaged', `The signature of a file ${what}.`);
}

export interface Signer {
  /** Begins a file, and forgets an unfinished one. */
  start(blockLength: number): void;
  /** Takes the next bytes of the file, as many as there are; lent. */
  push(bytes: Uint8Array): void;
  /**
   * The same for whole blocks, when only whole blocks came before.
   * @param blocks lent; up to 256 KiB, or one block
   * @returns their entries in the signature; lent until the next call
   */
  pushBlocks(blocks: Uint8Array): Uint8Array;
  blockLength(): number;
  /** The whole signature file of the bytes since `start`; lent until the next one. */
  end(): Uint8Array;
}

const WINDOW = 2 ** 18; // fits the second-level cache
const KEPT = 2 ** 22; // a rare huge file does not leave more memory than this behind

/** Makes one signature after the other; used for every file of a tree, so that a file costs next to nothing itself. */
export function createSigner(kernel: Kernel): Signer {
  let workspace: Workspace | undefined;
  let blockLength = 0;
  let windowAt = 0;
  let windowLength = 0; // whole blocks
  let filled = 0;
  let entries = new Uint8Array(0); // of full windows; grows
  let entriesLength = 0;
  let result = new Uint8Array(0);

  function start(length: number): void {
    assert(length >= 1 && length <= MAX_BLOCK_LENGTH, 'block length out of bounds');
    blockLength = length;
    const blocks = Math.max(1, Math.floor(WINDOW / length));
    windowLength = blocks * length;
    windowAt = KERNEL_RESERVED + ((blocks * ENTRY_LENGTH + 63) & ~63);
    filled = 0;
    entriesLength = 0;
    const size = windowAt + windowLength;
    if (!workspace || workspace.bytes.length < size) workspace = kernel.open(size);
  }

  function push(bytes: Uint8Array): void {
    assert(workspace, 'start() comes first');
    for (let offset = 0; offset < bytes.length; ) {
      const take = Math.min(windowLength - filled, bytes.length - offset);
      const part = take === bytes.length ? bytes : bytes.subarray(offset, offset + take);
      workspace.bytes.set(part, windowAt + filled);
      filled += take;
      offset += take;
      if (filled === windowLength) flushWindow(workspace);
    }
  }

  function pushBlocks(blocks: Uint8Array): Uint8Array {
    assert(workspace && filled === 0 && blocks.length % blockLength === 0 && blocks.length <= windowLength);
    workspace.bytes.set(blocks, windowAt);
    filled = blocks.length;
    return flushWindow(workspace);
  }

  function flushWindow(from: Workspace): Uint8Array {
    const more = sumWindow(from);
    if (entriesLength + more.length > entries.length) {
      const grown = new Uint8Array(Math.max(entriesLength + more.length, 2 * entries.length));
      grown.set(entries.subarray(0, entriesLength));
      entries = grown;
    }
    entries.set(more, entriesLength);
    entriesLength += more.length;
    return more;
  }

  /** Empties the window; the entries returned are lent until it is emptied again. */
  function sumWindow(from: Workspace): Uint8Array {
    from.sums(windowAt, windowAt + filled, blockLength, KERNEL_RESERVED);
    const length = Math.ceil(filled / blockLength) * ENTRY_LENGTH;
    filled = 0;
    return from.bytes.subarray(KERNEL_RESERVED, KERNEL_RESERVED + length);
  }

  function end(): Uint8Array {
    assert(workspace, 'start() comes first');
    const last = sumWindow(workspace);
    const length = SIGNATURE_HEADER + entriesLength + last.length;
    // Thousands of little ones would be thousands of pieces outside of the heap, which garbage collection overlooks.
    if (length > result.length || result.length > KEPT) result = new Uint8Array(length + (length >> 1));
    const signature = result.subarray(0, length);
    putUint32(signature, 0, MAGIC);
    putUint32(signature, 4, blockLength);
    putUint32(signature, 8, STRONG_LENGTH);
    if (entriesLength > 0) signature.set(entries.subarray(0, entriesLength), SIGNATURE_HEADER);
    signature.set(last, SIGNATURE_HEADER + entriesLength);
    if (workspace.bytes.length > KEPT) workspace = undefined;
    if (entries.length > KEPT) entries = new Uint8Array(0);
    return signature;
  }

  return { start, push, pushBlocks, blockLength: () => blockLength, end };
}

function putUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
