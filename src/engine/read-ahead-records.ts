/** What the packer asks the thread that reads ahead, and what it hears from there, as records of two rings. */

import { bytesOf, pathOf } from '../bytes.ts';
import type { SourceEntry } from '../files/walk.ts';
import type { RingMemory } from './byte-ring.ts';

/** What the thread is given. */
export interface ReadAheadData {
  /** The source's root, bytes as a latin1 string. */
  readonly source: string;
  readonly requestRing: RingMemory;
  readonly answerRing: RingMemory;
}

/** Kinds of requests. */
export const requests = {
  /** Nothing more comes. */
  end: 0,
  /** An encoded ReadRequest. */
  read: 1,
} as const;

/** Kinds of answers; they come in the order of the requests. */
export const answers = {
  /** It is not, or no longer, what the walk found, or can't be read: who wants it must see for himself. */
  none: 0,
  /** A byte of flags, some that say nothing, and then all of the file's content. */
  read: 1,
} as const;

/** Bytes before the content, which so begins where it can be copied fast. */
export const ANSWER_HEAD = 8;
/** Flags: what a SourceFile says of itself. */
export const IS_FRESH = 1;
export const HAS_CHANGED = 2;

/** Bytes of content; larger files are worth a thread's time by themselves, and have several parts. */
export const LARGEST_FILE = 65_535;

/** Bytes; requests with longer ones might not all fit into their ring. */
export const LONGEST_PATH = 3000;

/** A file as the walk has found it. */
export type ReadRequest = Pick<SourceEntry, 'path' | 'ctimeNs' | 'mtimeNs' | 'ino' | 'size'>;

const NUMBERS = 4;
const REQUEST_HEAD = 8 * NUMBERS;

export function requestLength({ path }: ReadRequest): number {
  return REQUEST_HEAD + path.length;
}

/** @param to begins at a multiple of 8 */
export function encodeRequest({ path, ctimeNs, mtimeNs, ino, size }: ReadRequest, to: Uint8Array): void {
  const numbers = new BigInt64Array(to.buffer, to.byteOffset, NUMBERS);
  numbers[0] = ctimeNs;
  numbers[1] = mtimeNs;
  numbers[2] = ino;
  numbers[3] = BigInt(size);
  to.set(bytesOf(path), REQUEST_HEAD);
}

/** @param bytes begin at a multiple of 8 @returns inode numbers as if they had a sign */
export function decodeRequest(bytes: Uint8Array): ReadRequest {
  const numbers = new BigInt64Array(bytes.buffer, bytes.byteOffset, NUMBERS);
  return {
    path: pathOf(bytes.subarray(REQUEST_HEAD)),
    ctimeNs: numbers[0]!,
    mtimeNs: numbers[1]!,
    ino: numbers[2]!,
    size: Number(numbers[3]!),
  };
}
