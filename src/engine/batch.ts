/**
 * The packed form in which a tree travels from the source to the volumes: slabs of whole difftar members with the
 * sigtar records, manifest lines and warnings that belong to them. A batch boundary is always a member boundary, and
 * everything that the batches so far say is consistent: that makes it a place to cut a volume, and to resume.
 */

import type { Position } from '../manifest/manifest.ts';
import type { Counts } from './counts.ts';

/** A member's place in the archive's order: the entry, and the part number if it is a non-final part of several. */
export type Place = Position;

export interface PackBatch {
  /** Whole tar members; given. Its buffer goes back to the packer through `recycle`. */
  readonly difftar: Uint8Array;
  /** Places of the first and last member in `difftar`; absent if it is empty. */
  readonly first: Place | undefined;
  readonly last: Place | undefined;
  /** Whole sigtar members of the entries that were finished in this batch; given, its buffer goes back as well. */
  readonly sigtar: Uint8Array;
  /** Manifest lines (see manifest room) of the same entries, and their number; given. */
  readonly filelist: Uint8Array;
  readonly filelistLines: number;
  /** A line for every sigtar member that is no deletion: what lstat said of it (catalog/fingerprint.ts); given. */
  readonly fingerprints: Uint8Array;
  /** The file in the middle of which the last member ends, if it does. */
  readonly open: OpenFile | undefined;
  /** Files of which only the beginning could be read, although parts of them are already in the archive. */
  readonly incomplete: readonly string[];
  /** Bytes of the open file that were not read yet, although `counts` has all of it; else 0. */
  readonly left: number;
  readonly warnings: readonly PackWarning[];
  readonly counts: Readonly<Counts>;
}

/** A file of which the first parts are in the archive and the rest is to come. */
export interface OpenFile {
  readonly fingerprint: string;
  readonly member: 'snapshot' | 'diff';
}

/** How far the packer is within a large file of which it stores a delta, which may be small: bytes of the source. */
export interface Passed {
  readonly bytes: number;
  readonly path: string;
}

/** A source that was left out or may not be what it should, counted under Errors; or, uncounted, a date that can't be kept. */
export interface PackWarning {
  readonly code: 'source-unreadable' | 'source-changed' | 'source-vanished' | 'date-lost';
  readonly path: string;
  readonly message: string;
}

/** A slab holds several of the largest members: big enough for zlib to work well on, small enough to have a dozen. */
export const SLAB_SIZE = 576 * 1024;
