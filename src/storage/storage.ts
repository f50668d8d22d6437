/**
 * Where backup sets live: a flat collection of named objects. What all kinds of storage promise:
 *
 * - An object is visible whole or not at all; `put` replaces an existing one in one step and, once it returns, the
 *   bytes survive a power cut. `list` and `stat` see at once what was put or deleted.
 * - Names are bytes as a latin1 string, exactly as they were put. There are no folders: names with `/` are refused.
 * - Nothing is retried here; `traitsOf(error.code).retry` says whether a second try can help.
 * - Messages and `description` hold no secrets.
 */

import { displayPath } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import type { Chunks } from '../streams.ts';

export interface StoredObject {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface PutOptions extends CallOptions {
  /** Volumes may be kept where reading takes hours (S3 Glacier); metadata is wanted often. Default: volume. */
  readonly kind?: 'volume' | 'metadata';
  /** Nobody is to have put it before. Folders whose file system has links see to that, and services that know conditions. */
  readonly isNew?: boolean;
  /** The object appears after this only, its bytes may travel before; if this fails, so does the put. */
  readonly after?: Promise<unknown> | undefined;
}

export interface GetOptions extends CallOptions {
  /** First byte wanted; default 0. Beyond the end there is nothing, which is no error. */
  readonly offset?: number;
  /** Most bytes wanted; default all. */
  readonly length?: number;
  /** About how many bytes to hold at once, where that can be chosen; default: as many as are fastest. */
  readonly chunk?: number | undefined;
  /** The reader has a checksum that decides; the service's own would only get in its way. */
  readonly hasChecksum?: boolean;
}

/**
 * All methods throw BackupError 'target-unreachable' or 'target-denied', each naming the object and what to do;
 * 'usage' for a name that can't be one. When `signal` fires they throw its reason.
 */
export interface Storage {
  /** The place in words for people, for example `/mnt/usb/backup`. */
  readonly description: string;

  /** Whether the place is there. An absent one lists as empty, and the first `put` makes it where it can. */
  exists(options?: CallOptions): Promise<boolean>;

  /**
   * @param source chunks are lent: each is done with before the next is asked for
   * @returns bytes stored
   * @throws 'target-full', 'locked' for what somebody else has put meanwhile, and whatever `source` throws; the name then shows what it showed before
   */
  put(name: string, source: Chunks | Uint8Array, options?: PutOptions): Promise<{ size: number }>;

  /** Object bytes, in lent chunks. @throws 'object-missing' when the first chunk is asked for */
  get(name: string, options?: GetOptions): Chunks;

  stat(name: string, options?: CallOptions): Promise<{ size: number } | undefined>;

  /** Every object once, in no particular order; unfinished puts are not shown. */
  list(options?: CallOptions): AsyncIterable<StoredObject>;

  /** Deleting what is not there is no error. */
  delete(name: string, options?: CallOptions): Promise<void>;

  /**
   * Clears what crashed runs of ours left half done more than a day ago. A folder that knows whose runs these are clears
   * all of theirs: then none of them may be at work. @returns how many pieces
   */
  removeStale(options?: CallOptions): Promise<number>;

  /** Storages whose objects are local files: the file, for a thread that reads it directly. It may be absent. */
  localPath?(name: string): Buffer | undefined;

  close(): Promise<void>;
}

/** Names of objects that are not visible yet begin so; duplicity's readers ignore what begins like this. */
export const TEMPORARY_PREFIX = 'tsbackup-tmp-';

/** @throws BackupError 'usage' for a name that can't be an object's (or a file's in the archive cache) */
export function checkName(name: string): void {
  if (/^[^\0/\u0100-\uffff]+$/.test(name) && !/^\.\.?$/.test(name) && !name.startsWith(TEMPORARY_PREFIX))
    return;
  throw new BackupError(
    'usage',
    `"${displayPath(name)}" can't be a name here: it is empty, special, or holds "/" or NUL. Check --name and the file prefix options.`,
    { object: name },
  );
}

/** Everything at once, as linking sets to chains wants it. */
export async function listAll(storage: Storage): Promise<StoredObject[]> {
  const objects: StoredObject[] = [];
  for await (const object of storage.list()) objects.push(object);
  return objects;
}

/** What somebody else has put that was to be new. */
export function takenError(name: string, description: string): BackupError {
  const message = `Another run is storing ${displayPath(name)} in ${description}. Run again when it has ended.`;
  return new BackupError('locked', message, { object: name, target: description });
}
