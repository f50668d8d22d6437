/** Whether anything is in a folder, however large it is. */

import { opendirSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { systemCode } from '../errors.ts';

/**
 * Names as buffers, one at a time: where the file system tells no types, Node looks at each entry for one, and can put
 * no name together that is not of the path's kind.
 */
const oneByOne = { encoding: 'buffer' as BufferEncoding, bufferSize: 1 };

/**
 * @param counts whether a name counts as something that is in it; all do if absent
 * @throws a system error
 */
export function isEmptyFolder(path: Buffer, counts?: (name: string) => boolean): boolean {
  const folder = opendirSync(path, oneByOne);
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) {
      if (!counts || counts((entry.name as unknown as Buffer).toString('latin1'))) return false;
    }
    return true;
  } catch (error) {
    if (isOfEntry(error)) return false;
    throw error;
  } finally {
    folder.closeSync();
  }
}

/** The same without blocking. */
export async function findIsEmptyFolder(path: Buffer): Promise<boolean> {
  const folder = await opendir(path, oneByOne);
  try {
    return (await folder.read()) === null;
  } catch (error) {
    if (isOfEntry(error)) return false;
    throw error;
  } finally {
    await folder.close();
  }
}

/** It was there a moment ago. */
const isOfEntry = (error: unknown) =>
  systemCode(error) === 'ENOENT' && (error as { syscall?: unknown }).syscall === 'lstat';
