/**
 * Fills slabs with difftar members and gathers what belongs to them. Members never straddle two slabs: whoever fills
 * asks `isFull` before each one and takes the batch.
 */

import type { Entry } from '../entry.ts';
import { type Change, formatChange } from '../manifest/manifest.ts';
import { difftarName } from '../volumes/difftar.ts';
import { encodeSigtarRecord } from '../volumes/sigtar.ts';
import { encodeMemberHeader, MAX_HEADER_LENGTH, patchMemberSize } from '../volumes/tar-header.ts';
import { type OpenFile, type PackBatch, type PackWarning, type Place, SLAB_SIZE } from './batch.ts';
import { type Counts, createCounts } from './counts.ts';
import { Growable } from './growable.ts';

/** Data bytes of a full member; one with fewer is the last of its file (FORMAT.md, "Large files"). */
export const PART_SIZE = 65536;

const BLOCK = 512;

/** Gives out the next bytes of a file or delta: as many as were asked for, or fewer at its end. */
export type Fill = (target: Uint8Array, offset: number, length: number) => number;

/** A place in a batch. */
export interface BatchMark {
  readonly serial: number;
  readonly used: number;
  readonly first: Place | undefined;
  readonly last: Place | undefined;
}

/** What is filled and given away; nobody else uses it. */
export interface BatchBuffers {
  /** Of SLAB_SIZE bytes. */
  takeSlab(): Uint8Array;
  /** Of any length. */
  takeRecords(): Buffer;
}

export class BatchBuilder {
  readonly counts: Counts = createCounts();
  /** Bytes of sigtar members so far, of all batches. */
  sigtarLength = 0;
  /** See PackBatch. */
  left = 0;
  private readonly buffers: BatchBuffers;
  private slab: Buffer;
  private used = 0;
  private serial = 0;
  private first: Place | undefined;
  private last: Place | undefined;
  private readonly sigtar: Growable;
  private readonly filelist = new Growable(4096);
  private filelistLines = 0;
  private readonly fingerprints = new Growable(4096);
  private open: OpenFile | undefined;
  private incomplete: string[] = [];
  private warnings: PackWarning[] = [];

  constructor(buffers: BatchBuffers) {
    this.buffers = buffers;
    this.slab = asBuffer(buffers.takeSlab());
    this.sigtar = new Growable(buffers.takeRecords());
  }

  /** Whether the next member might not fit, or the batch has grown large otherwise. */
  get isFull(): boolean {
    return (
      this.used + MAX_HEADER_LENGTH + PART_SIZE > this.slab.length ||
      this.sigtar.length + this.filelist.length > SLAB_SIZE ||
      this.warnings.length > 100
    );
  }

  /** A place in the batch to go back to. */
  mark(): BatchMark {
    return { serial: this.serial, used: this.used, first: this.first, last: this.last };
  }

  /** Whether nothing since the mark has left with a batch. */
  holds(mark: BatchMark): boolean {
    return mark.serial === this.serial;
  }

  /** Takes back the members since the mark, which the batch must hold. */
  rewind(mark: BatchMark): void {
    this.used = mark.used;
    this.first = mark.first;
    this.last = mark.last;
  }

  /** A member without data. */
  bare(kind: 'snapshot' | 'deleted', entry: Entry): void {
    this.used += encodeMemberHeader(this.slab, this.used, entry, difftarName(kind, entry), 0);
    this.passed({ path: entry.path });
  }

  /**
   * One member with the next data of a file: all of it if it is shorter than a full part, else part after part.
   * @param part the number of the part, from 1
   * @param inParts whether the file is expected to need several; only for the first part a guess
   * @returns bytes of data; fewer than PART_SIZE at the end of the file
   */
  part(kind: 'snapshot' | 'diff', entry: Entry, part: number, inParts: boolean, fill: Fill): number {
    const start = this.used;
    const header = (several: boolean) => {
      const name = difftarName(kind, entry, several ? part : undefined);
      return encodeMemberHeader(this.slab, start, entry, name, 0); // its size is not known yet
    };
    let dataAt = start + header(inParts);
    const length = fill(this.slab, dataAt, PART_SIZE);
    const isLast = length < PART_SIZE;
    if (part === 1 && inParts === isLast) {
      // The file is not as long as lstat said: another name, perhaps with another header length.
      this.slab.copy(this.slab, start + MAX_HEADER_LENGTH, dataAt, dataAt + length);
      dataAt = start + header(!inParts);
      this.slab.copy(this.slab, dataAt, start + MAX_HEADER_LENGTH, start + MAX_HEADER_LENGTH + length);
    }
    patchMemberSize(this.slab, dataAt - BLOCK, length);
    const end = dataAt + length;
    const padding = -length & (BLOCK - 1);
    this.slab.fill(0, end, end + padding);
    this.used = end + padding;
    this.passed(isLast ? { path: entry.path } : { path: entry.path, block: part });
    return length;
  }

  /** The sigtar record of a finished entry. @returns where it begins in the sigtar */
  record(kind: 'signature' | 'snapshot' | 'deleted', entry: Entry, signature: Uint8Array): number {
    const offset = this.sigtarLength;
    const room = this.sigtar.reserve(MAX_HEADER_LENGTH + signature.length + BLOCK);
    const length = encodeSigtarRecord(room, this.sigtar.length, { kind, entry, signature });
    this.sigtar.length += length;
    this.sigtarLength += length;
    return offset;
  }

  /** A regular file for the manifest's list. */
  listed(change: Change, path: string): void {
    this.filelist.push(formatChange(change, path));
    this.filelistLines++;
  }

  /** What lstat said of an entry whose record is made. */
  fingerprinted(fingerprint: string): void {
    this.fingerprints.pushText(`${fingerprint}\n`);
  }

  /** The file whose parts come now; undefined at its end. */
  setOpen(file: OpenFile | undefined): void {
    this.open = file;
  }

  cutShort(path: string): void {
    this.incomplete.push(path);
  }

  warn(warning: PackWarning): void {
    this.tell(warning);
    this.counts.errors++;
  }

  /** A warning of something that is stored all the same. */
  tell(warning: PackWarning): void {
    this.warnings.push(warning);
  }

  /** What was gathered, and a new beginning. A slab without members stays for the next batch. */
  take(): PackBatch {
    const difftar = this.used === 0 ? new Uint8Array(0) : this.slab.subarray(0, this.used);
    if (this.used > 0) this.slab = asBuffer(this.buffers.takeSlab());
    const batch: PackBatch = {
      difftar,
      first: this.first,
      last: this.last,
      sigtar: this.sigtar.length === 0 ? new Uint8Array(0) : this.sigtar.swap(this.buffers.takeRecords()),
      filelist: this.filelist.take(),
      filelistLines: this.filelistLines,
      fingerprints: this.fingerprints.take(),
      open: this.last?.block === undefined ? undefined : this.open,
      incomplete: this.incomplete,
      left: this.left,
      warnings: this.warnings,
      counts: { ...this.counts },
    };
    this.serial++;
    this.used = 0;
    this.first = undefined;
    this.last = undefined;
    this.filelistLines = 0;
    this.incomplete = [];
    this.warnings = [];
    return batch;
  }

  private passed(place: Place): void {
    this.first ??= place;
    this.last = place;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
