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
import { ENTRY_LENGTH, KERNEL_RESERVED, type Kernel, type Workspace } from './workspace.ts';

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
  /**
   * The same for whole blocks whose sums are known already, when only whole blocks came before: where they are the
   * basis's next ones, they are not looked at again.
   * @param blocks lent @param entries of these blocks in a signature (ENTRY_LENGTH); lent
   */
  pushBlocks(blocks: Uint8Array, entries: Uint8Array): void;
  /** Length of the basis's blocks. */
  blockLength(): number;
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
  let basisAt = 0; // its entries, in the workspace,
  let basisCount = 0; // and their number, if they are like ours
  let passed = 0; // bytes of the new file before the window's free place

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
    basisAt = entries;
    basisCount = layout.entryLength === ENTRY_LENGTH ? count : 0;
    passed = 0;
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
    passed += bytes.length;
  }

  function pushBlocks(blocks: Uint8Array, entries: Uint8Array): void {
    assert(workspace && passed % blockLength === 0, 'whole blocks come first');
    if (at < to) match(workspace);
    const known = at === to ? knownBlocks(workspace.bytes, entries) : 0;
    if (known > 0) {
      const length = known * blockLength;
      const next = nextBlock();
      writeLiterals(workspace);
      extendCopy(next * blockLength, length);
      workspace.passed(next + known, length);
      passed += length;
      literalAt = at = to = windowAt;
    }
    push(blocks.subarray(known * blockLength));
  }

  /** The block of the basis that would go on with what came before. */
  function nextBlock(): number {
    const end = copyPosition + copyLength;
    return copyLength > 0 && literalAt === at && end % blockLength === 0
      ? end / blockLength
      : passed / blockLength;
  }

  /** How many blocks with these sums are the basis's next ones; its last one may be short, and is not asked. */
  function knownBlocks(held: Uint8Array, entries: Uint8Array): number {
    const next = nextBlock();
    const from = basisAt + next * ENTRY_LENGTH;
    const most = Math.min(entries.length, (basisCount - 1 - next) * ENTRY_LENGTH);
    let same = 0;
    while (same < most && entries[same] === held[from + same]) same++;
    return Math.floor(same / ENTRY_LENGTH);
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
    extendCopy(position, length);
    at += length;
    literalAt = at;
  }

  function extendCopy(position: number, length: number): void {
    if (copyLength > 0 && copyPosition + copyLength === position) {
      copyLength += length;
      return;
    }
    writeCopy();
    copyPosition = position;
    copyLength = length;
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

  return { start, push, pushBlocks, blockLength: () => blockLength, end };
}
