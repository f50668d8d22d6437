/**
 * Signatures of single files out of the cached sigtars, without reading what stands before them: the catalog knows
 * where independent pieces begin, and only the piece that holds the record is inflated.
 */

import { closeSync, openSync, readSync } from 'node:fs';
import { totalmem } from 'node:os';
import { bytesOf } from '../bytes.ts';
import { BackupError, systemCode } from '../errors.ts';
import { inflateSegments } from '../volumes/deflate.ts';
import { memberPath } from '../volumes/member-path.ts';
import { createTarReader } from '../volumes/tar-reader.ts';
import type { Catalog } from './catalog.ts';
import type { SignaturePlace } from './versions.ts';

export interface SignatureReader {
  /**
   * The whole signature file of `path`, given; undefined where the cached sigtar is not there, or not what the catalog
   * says: a delta against the signature of another file would be restored as something false; and where it is too
   * large for this machine's memory.
   */
  at(place: SignaturePlace, path: string): Uint8Array | undefined;
  close(): void;
}

const MIB = 1024 * 1024;

/**
 * Most bytes of a piece that are read. One of our making is 256 KiB and one record, at most a signature of a few MiB;
 * duplicity's are 6 MiB for each GB of the file, and a delta takes six times the signature.
 */
function longestPiece(): number {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.min(512 * MIB, Math.max(16 * MIB, Math.floor(memory / 24)));
}

/** Most pieces fit. */
const SLAB = 512 * 1024;

/**
 * @param fileOf the cached sigtar of a set, by the set's number in the catalog
 * @param longest most bytes of a signature with its header, and of what is packed with it
 */
export function createSignatureReader(
  catalog: Catalog,
  fileOf: (set: number) => string,
  longest = longestPiece(),
): SignatureReader {
  const files = new Map<number, number>();
  let last: { readonly set: number; readonly from: number; readonly bytes: Uint8Array } | undefined;
  const slab = new Uint8Array(SLAB);

  const open = (set: number) => {
    let fd = files.get(set);
    if (fd === undefined) {
      fd = openSync(bytesOf(fileOf(set)), 'r');
      files.set(set, fd);
    }
    return fd;
  };
  const load = (place: SignaturePlace) => {
    const piece = catalog.pieceAt(place);
    if (!piece) return undefined;
    const length = piece.gzipEnd - piece.gzipOffset;
    if (length > longest) return undefined;
    const stored = Buffer.allocUnsafe(length);
    const read = readSync(open(place.set), stored, 0, stored.length, piece.gzipOffset);
    const bytes = inflateSegments(stored.subarray(0, read), longest);
    // What stays for a while would grow old before it is garbage, and old garbage is collected late.
    if (bytes.length <= SLAB) slab.set(bytes);
    const kept = bytes.length <= SLAB ? slab.subarray(0, bytes.length) : bytes;
    return { set: place.set, from: piece.plainOffset, bytes: kept };
  };
  return {
    at(place, path) {
      try {
        if (!last || last.set !== place.set || !holds(last, place.offset)) last = load(place);
        return last && recordData(last.bytes.subarray(place.offset - last.from), path);
      } catch (error) {
        const isFault = error instanceof BackupError && error.code === 'damaged';
        if (!isFault && systemCode(error) === undefined) throw error;
        return undefined;
      }
    },
    close() {
      for (const fd of files.values()) closeSync(fd);
      files.clear();
    },
  };
}

function holds(piece: { readonly from: number; readonly bytes: Uint8Array }, offset: number): boolean {
  return offset >= piece.from && offset < piece.from + piece.bytes.length;
}

/** Data of the first member; undefined if it is not the signature of `path`. */
function recordData(tar: Uint8Array, path: string): Uint8Array | undefined {
  let data: Uint8Array | undefined;
  let filled = 0;
  let isDone = false;
  const reader = createTarReader({
    member({ name, size }) {
      if (data === undefined && isSignatureOf(name, path) && size <= tar.length) data = new Uint8Array(size);
    },
    data(bytes) {
      if (isDone) return;
      data?.set(bytes, filled);
      filled += bytes.length;
    },
    memberEnd() {
      isDone = true;
    },
  });
  for (let at = 0; at < tar.length && !isDone; at += STEP) reader.push(tar.subarray(at, at + STEP));
  return isDone && data?.length === filled ? data : undefined;
}

function isSignatureOf(name: string, path: string): boolean {
  return name.startsWith(PREFIX) && memberPath(name.slice(PREFIX.length)) === path;
}

const PREFIX = 'signature/';

/** One header at a time at the most, so that the member behind the wanted one is not touched. */
const STEP = 512;
