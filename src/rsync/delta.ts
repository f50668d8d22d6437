/**
 * Delta of a new file against the signature of its basis: copies of the basis's blocks where both sums agree, literals
 * elsewhere. The file passes through a window, so that memory is a few blocks and the signature, whatever its size.
 * Adjacent copies are merged; a long literal is cut into pieces of MAX_LITERAL bytes.
 *
 * The window lies in the kernel's workspace, behind the block table and the signature:
 *
 *     … | written | literal, still to write | less than a block, not yet matched | free |
 *                 ^literalAt                ^at                                  ^to
 */

import assert from 'node:assert/strict';
import { tableSizeFor } from './block-table.ts';
import { DELTA_MAGIC, END, encodeCopy, encodeLiteral, MAX_COMMAND } from './delta-format.ts';
import { parseSignature, SIGNATURE_HEADER } from './signature.ts';
import { KERNEL_RESERVED, type Kernel, type Workspace } from './workspace.ts';

/** Longest literal: its length still fits two bytes. */
const MAX_LITERAL = 0xffff;
/** Room for new bytes in a window, beyond literal and blocks. */
const FRESH = 3 * 65536;
/** A huge file does not leave more memory than this behind; a signature of 2^17 blocks fits. */
const KEPT = 2 ** 22;
/** Blocks that are looked for; with more (files beyond 32 GiB that others signed), what is behind becomes literal. */
const MAX_INDEXED = 2 ** 24;
const OUTPUT = 2 ** 17;

export interface Delta {
  /**
   * Begins a file, and forgets an unfinished one.
   * @param signature of the basis; a stranger's bytes, lent
   * @param output takes the delta, piece by piece and in order; each piece is lent until it returns
   * @throws BackupError 'damaged' when the signature breaks its format
   */
  start(signature: Uint8Array, output: (bytes: Uint8Array) => void): void;
  /** Takes the next bytes of the new file, as many as there are; lent. */
  push(bytes: Uint8Array): void;
  /** Writes what is left of the delta. */
  end(): void;
}

/** Makes one delta after the other. */
export function createDelta(kernel: Kernel): Delta {
  let workspace: Workspace | undefined;
  let output: (bytes: Uint8Array) => void = () => {};
  let blockLength = 0;
  let count = 0; // blocks that are looked for
  let last = -1; // the basis's last block, if it is among them

  let windowAt = 0;
  let windowEnd = 0;
  let literalAt = 0;
  let at = 0;
  let to = 0;

  let copyPosition = 0;
  let copyLength = 0; // of the copy that may still grow; 0 when there is none
  const out = new Uint8Array(OUTPUT);
  let outLength = 0;

  function start(signature: Uint8Array, write: (bytes: Uint8Array) => void): void {
    const layout = parseSignature(signature);
    blockLength = layout.blockLength;
    count = Math.min(layout.count, MAX_INDEXED);
    last = count === layout.count ? count - 1 : -1;
    const entriesLength = count * layout.entryLength;
    const table = KERNEL_RESERVED;
    const entries = table + (count > 0 ? tableSizeFor(count).length : 0);
    windowAt = (entries + entriesLength + 63) & ~63;
    windowEnd = windowAt + MAX_LITERAL + (count > 0 ? 2 * blockLength : 0) + FRESH;
    workspace = roomFor(windowEnd);
    if (count > 0) {
      workspace.bytes.set(signature.subarray(SIGNATURE_HEADER, SIGNATURE_HEADER + entriesLength), entries);
      workspace.index({ entries, count, entryLength: layout.entryLength, blockLength, table });
    }
    literalAt = at = to = windowAt;
    output = write;
    copyLength = 0;
    new DataView(out.buffer).setUint32(0, DELTA_MAGIC);
    outLength = 4;
  }

  function roomFor(size: number): Workspace {
    if (workspace && workspace.bytes.length >= size) return workspace;
    return kernel.open(size <= KEPT ? 2 ** Math.ceil(Math.log2(size)) : size);
  }

  function push(bytes: Uint8Array): void {
    assert(workspace, 'start() comes first');
    for (let offset = 0; offset < bytes.length; ) {
      if (to === windowEnd) makeRoom(workspace);
      const take = Math.min(windowEnd - to, bytes.length - offset);
      const part = take === bytes.length ? bytes : bytes.subarray(offset, offset + take);
      workspace.bytes.set(part, to);
      to += take;
      offset += take;
    }
  }

  function makeRoom(room: Workspace): void {
    match(room);
    while (at - literalAt >= MAX_LITERAL) writeLiteral(room, MAX_LITERAL);
    room.bytes.copyWithin(windowAt, literalAt, to);
    at -= literalAt - windowAt;
    to -= literalAt - windowAt;
    literalAt = windowAt;
  }

  /** Moves `at` on as far as the bytes that are there decide. */
  function match(room: Workspace): void {
    if (count === 0) {
      at = to;
      return;
    }
    for (;;) {
      const blocks = room.search(at, to);
      at = room.matchAt();
      if (blocks === 0) return;
      copy(room, room.matchBlock() * blockLength, blocks * blockLength);
    }
  }

  /** The bytes before `at` are literal, the `length` from there on a copy. */
  function copy(room: Workspace, position: number, length: number): void {
    writeLiterals(room);
    if (copyLength > 0 && copyPosition + copyLength === position) {
      copyLength += length;
    } else {
      writeCopy();
      copyPosition = position;
      copyLength = length;
    }
    at += length;
    literalAt = at;
  }

  function writeLiterals(room: Workspace): void {
    while (literalAt < at) writeLiteral(room, Math.min(at - literalAt, MAX_LITERAL));
  }

  function writeLiteral(room: Workspace, length: number): void {
    writeCopy();
    reserve(MAX_COMMAND + length);
    outLength = encodeLiteral(out, outLength, length);
    out.set(room.bytes.subarray(literalAt, literalAt + length), outLength);
    outLength += length;
    literalAt += length;
  }

  function writeCopy(): void {
    if (copyLength === 0) return;
    reserve(MAX_COMMAND);
    outLength = encodeCopy(out, outLength, copyPosition, copyLength);
    copyLength = 0;
  }

  function reserve(length: number): void {
    if (outLength + length > OUTPUT) flush();
  }

  function flush(): void {
    output(out.subarray(0, outLength));
    outLength = 0;
  }

  function end(): void {
    assert(workspace, 'start() comes first');
    match(workspace);
    const tail = last >= 0 ? workspace.searchTail(at, to) : to;
    at = tail;
    if (tail < to) copy(workspace, last * blockLength, to - tail);
    writeLiterals(workspace);
    writeCopy();
    reserve(1);
    out[outLength++] = END;
    flush();
    output = () => {};
    if (workspace.bytes.length > KEPT) workspace = undefined;
  }

  return { start, push, end };
}
