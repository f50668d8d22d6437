/**
 * A byte sequence that is written once and then read anywhere: in memory while it is small, else in a temporary file
 * that has no name any more, so that it vanishes with the process. It holds file contents, so it is mode 0600.
 */

import { randomBytes } from 'node:crypto';
import { closeSync, constants, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { displayPath, pathFromText } from '../bytes.ts';
import { BackupError, reasonOf } from '../errors.ts';

/** Bytes that stay in memory, as a rule. */
const IN_MEMORY = 1024 * 1024;
/** A chain of deltas has one for each. */
const SMALLEST = 4096;

export interface Spool {
  /** Bytes so far. */
  readonly size: number;
  push(bytes: Uint8Array): void;
  /** Reads as much of `target` as there is from `position` on. @returns bytes read */
  read(position: number, target: Uint8Array): number;
  /** Forgets everything; the spool can be used again. */
  clear(): void;
  close(): void;
}

/**
 * @param mostInMemory bytes of the beginning
 * @throws BackupError `local-io` from `push` and `read` when the temporary folder fails
 */
export function createSpool(folder: string, mostInMemory = IN_MEMORY): Spool {
  let memory = Buffer.allocUnsafeSlow(0);
  let file: number | undefined;
  let inMemory = 0;
  let size = 0;

  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      const text = `the temporary folder ${displayPath(pathFromText(folder))} fails: ${reasonOf(error)}; make room there or choose another place with --tempdir`;
      throw new BackupError('local-io', text, {}, { cause: error });
    }
  };
  const open = () => {
    const path = join(folder, `tsbackup-${randomBytes(12).toString('hex')}`);
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    unlinkSync(path);
    return fd;
  };
  return {
    get size() {
      return size;
    },
    push(bytes) {
      if (file === undefined && size + bytes.length <= mostInMemory) {
        if (size + bytes.length > memory.length) {
          const larger = Buffer.allocUnsafeSlow(
            Math.min(mostInMemory, Math.max(SMALLEST, 2 * (size + bytes.length))),
          );
          memory.copy(larger, 0, 0, inMemory);
          memory = larger;
        }
        memory.set(bytes, size);
        inMemory = size + bytes.length;
      } else {
        guarded(() => {
          file ??= open();
          for (let done = 0; done < bytes.length; ) {
            done += writeSync(file, bytes, done, bytes.length - done, size - inMemory + done);
          }
        });
      }
      size += bytes.length;
    },
    read(position, target) {
      if (position < inMemory) {
        return memory.copy(target, 0, position, Math.min(inMemory, position + target.length));
      }
      if (position >= size) return 0;
      return guarded(() => readSync(file!, target, 0, target.length, position - inMemory));
    },
    clear() {
      if (file !== undefined) guarded(() => ftruncateSync(file!, 0));
      inMemory = 0;
      size = 0;
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
      memory = Buffer.allocUnsafeSlow(0);
      inMemory = 0;
      size = 0;
    },
  };
}
