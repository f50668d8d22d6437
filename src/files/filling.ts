/**
 * A new folder in the making: it has a temporary name until it is filled, and what is made in it meanwhile, at any depth,
 * needs none of its own. To rename each file of a tree takes an eighth of its restore. A killed run loses what it has put
 * into the folder; so it gets its name as well when that is enough.
 */

import { lstatSync, renameSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import { reasonOf } from '../errors.ts';
import { systemError, systemName } from './problem.ts';
import type { TargetFolder } from './target-folder.ts';
import { FILLING, makeTemporary, placeOfTemporary, type Temporary } from './temporary.ts';

export interface Filling {
  /** Whether there is such a folder, which all that is made lies in. */
  isUnderway(): boolean;
  /** Has a folder that was just made, and is empty, for one, if there is none and the file system allows it. */
  begin(made: TargetFolder, around: TargetFolder, name: string): void;
  /** There is one thing more in it. @param length of its content, in bytes */
  grow(length: number): void;
  /** A folder has all that belongs in it, and its attributes. */
  left(folder: TargetFolder): void;
}

/** What a killed run may have to restore again. */
const ENOUGH = { entries: 1000, bytes: 64 * 1024 * 1024 };

interface Underway {
  readonly folder: TargetFolder;
  readonly temporary: Temporary;
  /** Its own. */
  readonly name: string;
  left: { entries: number; bytes: number };
}

/**
 * @param onUnnamed told of a folder that is whole, but could not get its name
 * @param isPossible whether an open folder can be renamed, as where it is reached by its descriptor
 */
export function createFilling(
  onUnnamed: (path: string, error: unknown) => void,
  isPossible: boolean,
): Filling {
  let current: Underway | undefined;

  /** @throws a system error */
  function giveName({ temporary, name }: Underway): void {
    const to = bytesOf(`${temporary.folder.base}/${name}`);
    // An empty folder would be replaced.
    if (lstatSync(to, { throwIfNoEntry: false }))
      throw systemError('EEXIST', 'something else took its place');
    renameSync(bytesOf(placeOfTemporary(temporary)), to);
    current = undefined;
  }

  return {
    isUnderway: () => current !== undefined,
    begin(folder, around, name) {
      if (!isPossible || current) return;
      const place = bytesOf(`${around.base}/${name}`);
      try {
        const temporary = makeTemporary(around, free => renameSync(place, free), FILLING);
        current = { folder, temporary, name, left: { ...ENOUGH } };
      } catch {
        // It stays where it is, and each thing in it is renamed.
      }
    },
    grow(length) {
      if (!current) return;
      current.left.entries--;
      current.left.bytes -= length;
      if (current.left.entries > 0 && current.left.bytes > 0) return;
      try {
        giveName(current);
      } catch {
        current.left = { ...ENOUGH }; // some servers rename no folder while something is open in it
      }
    },
    left(folder) {
      if (current?.folder !== folder) return;
      const { temporary } = current;
      try {
        giveName(current);
      } catch (error) {
        current = undefined;
        const what = `${reasonOf(error)}; what was restored of it is beside, as ${keep(temporary)}`;
        onUnnamed(folder.path, Object.assign(new Error(what), { code: systemName(error) ?? 'EUNKNOWN' }));
      }
    },
  };
}

/** Gives it a name that no later run removes. @returns that */
function keep(temporary: Temporary): string {
  try {
    const from = bytesOf(placeOfTemporary(temporary));
    return makeTemporary(temporary.folder, free => renameSync(from, free)).name;
  } catch {
    return temporary.name;
  }
}
