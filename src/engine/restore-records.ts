/** What a restore tells its thread, as records of a ring, and what it hears from there. */

import type { Entry, EntryType } from '../entry.ts';
import type { BackupError } from '../errors.ts';
import type { TreeWriterOptions, WriteProblem } from '../files/write.ts';
import type { S2k } from '../volumes/openpgp-s2k.ts';
import { LARGEST_RECORD } from './byte-ring.ts';
import { END } from './restore-start.ts';

export const records = {
  /** Nothing more comes. */
  end: END,
  /** JSON of a HashRequest. */
  hash: 1,
  /** JSON of a WriteRequest: the entries of a tree follow. */
  write: 2,
  /** An encoded entry begins. */
  begin: 3,
  /** Bytes of it. */
  data: 4,
  finish: 5,
  abandon: 6,
  /** The tree is done. */
  close: 7,
  /** Bytes whose SHA-1 is wanted, */
  sum: 8,
  /** of all since the last of these. */
  sumEnd: 9,
  /** JSON of a DeriveRequest. */
  derive: 10,
} as const;

export interface HashRequest {
  readonly id: number;
  /** Bytes as a latin1 string. */
  readonly path: string;
  readonly algorithm: 'sha1' | 'md5';
}

export interface DeriveRequest {
  /** Base64, as is the salt. */
  readonly passphrase: string;
  readonly s2k: Omit<S2k, 'salt'> & { readonly salt: string };
  /** Bytes. */
  readonly keyLength: number;
}

export interface WriteRequest {
  /** Bytes as a latin1 string. */
  readonly target: string;
  readonly options: WriteOptions;
}

/** Those that a thread can be told. */
export interface WriteOptions
  extends Required<Pick<TreeWriterOptions, 'ownership' | 'numericOwner' | 'inPlace'>> {
  /** Whether folders with content make room; see `onSetAside`. */
  readonly setsAside: boolean;
}

/** How many files and links were put in place, and how many were the same already. */
export interface Placed {
  readonly written: number;
  readonly kept: number;
  /** Where folders are that had to make room. */
  readonly aside: readonly string[];
}

export type RestoreAnswer =
  | { readonly type: 'sum'; readonly sum: Uint8Array }
  /** Without a key where none can be derived. */
  | { readonly type: 'key'; readonly key?: Uint8Array }
  | { readonly type: 'digest'; readonly id: number; readonly digest: string }
  | { readonly type: 'no-digest'; readonly id: number; readonly code: string; readonly message: string }
  | { readonly type: 'problem'; readonly problem: WriteProblem }
  /** Nothing more is written: the disk is full, say. */
  | {
      readonly type: 'failure';
      /** Undefined for what nobody foresaw. */
      readonly code: BackupError['code'] | undefined;
      readonly message: string;
      readonly facts: BackupError['facts'];
    }
  | { readonly type: 'closed'; readonly placed: Placed };

const types: readonly EntryType[] = ['file', 'directory', 'symlink', 'fifo', 'chardev', 'blockdev'];
const NUMBERS = 10;

/**
 * @returns the length of the encoded entry in bytes and what writes it; undefined if it does not fit into a record,
 *   which no name does that a file system takes
 */
export function encodeEntry(entry: Entry): { length: number; fill(bytes: Uint8Array): void } | undefined {
  const { path, linkname, uname, gname } = entry;
  const text = path + linkname + uname + gname;
  const length = NUMBERS * 8 + text.length;
  if (length > LARGEST_RECORD) return undefined;
  return {
    length,
    fill({ buffer, byteOffset }) {
      const numbers = new Float64Array(buffer, byteOffset, NUMBERS);
      numbers[0] = types.indexOf(entry.type);
      numbers[1] = entry.mode;
      numbers[2] = entry.uid;
      numbers[3] = entry.gid;
      numbers[4] = entry.mtimeSeconds;
      numbers[5] = entry.devMajor;
      numbers[6] = entry.devMinor;
      numbers[7] = path.length;
      numbers[8] = linkname.length;
      numbers[9] = uname.length;
      Buffer.from(buffer, byteOffset + NUMBERS * 8, text.length).write(text, 'latin1');
    },
  };
}

export function decodeEntry({ buffer, byteOffset, length }: Uint8Array): Entry {
  const numbers = new Float64Array(buffer, byteOffset, NUMBERS);
  const text = Buffer.from(buffer, byteOffset + NUMBERS * 8, length - NUMBERS * 8).toString('latin1');
  let at = 0;
  const next = (count: number) => {
    at += count;
    return text.slice(at - count, at);
  };
  return {
    type: types[numbers[0]!]!,
    mode: numbers[1]!,
    uid: numbers[2]!,
    gid: numbers[3]!,
    mtimeSeconds: numbers[4]!,
    devMajor: numbers[5]!,
    devMinor: numbers[6]!,
    path: next(numbers[7]!),
    linkname: next(numbers[8]!),
    uname: next(numbers[9]!),
    gname: text.slice(at),
  };
}
