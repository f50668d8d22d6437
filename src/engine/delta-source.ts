/**
 * The delta of a file against a signature, to be read like a file; the new signature comes about on the way. Each byte
 * of the file is read once.
 */

import type { ReadableFile } from '../files/read.ts';
import type { Delta } from '../rsync/delta.ts';
import { createDeltaReader } from '../rsync/delta-reader.ts';
import { parseSignature, type Signer } from '../rsync/signature.ts';
import { Growable } from './growable.ts';

const READ_SIZE = 128 * 1024;

export class DeltaSource {
  /** Bytes of the file so far. */
  size = 0;
  private readonly file: ReadableFile;
  private readonly signature: Uint8Array;
  private readonly delta: Delta;
  private readonly signer: Signer;
  private readonly scratch: Uint8Array;
  private readonly queue: Growable;
  /** Bytes of the file that are read at a time: whole blocks, if they are the same in both signatures. */
  private readonly turn: number;
  private readonly isShared: boolean;
  private taken = 0;
  private isBegun = false;
  private ended = false;

  /** `signer` has been started; `scratch` and `queue` are used until the end. */
  constructor(
    file: ReadableFile,
    signature: Uint8Array,
    tools: { readonly delta: Delta; readonly signer: Signer; readonly buffers: DeltaBuffers },
  ) {
    this.file = file;
    this.signature = signature;
    this.delta = tools.delta;
    this.signer = tools.signer;
    this.scratch = tools.buffers.scratch;
    this.queue = tools.buffers.queue;
    this.queue.length = 0;
    this.delta.start(signature, bytes => this.queue.push(bytes));
    const blockLength = this.signer.blockLength();
    const isShared = this.delta.blockLength() === blockLength && blockLength <= READ_SIZE;
    this.turn = isShared ? Math.floor(READ_SIZE / blockLength) * blockLength : READ_SIZE;
    this.isShared = isShared;
  }

  /** Whether so many bytes of the delta, or all of it, are known. */
  isReady(length: number): boolean {
    return this.ended || this.queue.length - this.taken >= length;
  }

  /** Reads until `length` bytes of the delta, or all of it, are known, or about `atMost` bytes of the file. @returns how many are known */
  prepare(length: number, atMost = Number.POSITIVE_INFINITY): number {
    const end = this.size + atMost;
    if (!this.isReady(length)) this.dropTaken();
    while (!this.isReady(length) && this.size < end) {
      const read = this.file.readInto(this.scratch, 0, this.turn);
      const bytes = this.scratch.subarray(0, read);
      this.size += read;
      if (this.isShared && read === this.turn) {
        this.delta.pushBlocks(bytes, this.signer.pushBlocks(bytes)); // each sum is made once
      } else {
        this.signer.push(bytes);
        this.delta.push(bytes);
      }
      if (read < this.turn) this.end();
    }
    return this.queue.length - this.taken;
  }

  readInto(target: Uint8Array, offset: number, length: number): number {
    const ready = Math.min(length, this.prepare(length));
    target.set(this.queue.peek(this.taken, ready), offset);
    this.taken += ready;
    this.isBegun = true;
    return ready;
  }

  /** Parts rarely end where the delta's pieces do: what waited for the queue to be empty would hold all of a large delta. */
  private dropTaken(): void {
    this.queue.drop(this.taken);
    this.taken = 0;
  }

  /** What was read so far is all of the file. */
  end(): void {
    if (!this.ended) this.delta.end();
    this.ended = true;
  }

  /** All of the file, if it was read in one go and is stored in no more blocks of a tar than the delta; lent until the end. */
  wholeIfNoLarger(): Uint8Array | undefined {
    if (!this.ended || this.isBegun || this.size >= this.turn) return undefined;
    const isNoLarger = blocksOf(this.size) <= blocksOf(this.queue.length);
    return isNoLarger ? this.scratch.subarray(0, this.size) : undefined;
  }

  /** Whether the whole delta is known and says that the file is the basis. */
  isWholeCopy(): boolean {
    if (!this.ended || this.isBegun || this.queue.length > 32) return false;
    const { blockLength, count } = parseSignature(this.signature);
    let copied = 0;
    let inOrder = true;
    const reader = createDeltaReader({
      literal() {
        inOrder = false;
      },
      copy(position, length) {
        inOrder &&= position === copied;
        copied += length;
      },
    });
    reader.push(this.queue.peek(0, this.queue.length));
    reader.end();
    return inOrder && copied === this.size && Math.ceil(copied / blockLength) === count;
  }
}

function blocksOf(length: number): number {
  return Math.ceil(length / 512);
}

/** Memory that one delta after the other uses. */
export interface DeltaBuffers {
  readonly scratch: Uint8Array;
  readonly queue: Growable;
}

export function createDeltaBuffers(): DeltaBuffers {
  return { scratch: new Uint8Array(READ_SIZE), queue: new Growable(READ_SIZE) };
}
