/**
 * Names that are one to the file system where things are restored, and are not in the archive: `Photo.JPG` and
 * `photo.jpg`, `notes` and `notes.`, or `long name.txt` and `LONGNA~1.TXT`, on a USB stick or a Windows share. The second
 * would replace the first, and nobody would know.
 */

import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { bytesOf, displayPath, isWithin, textFromPath } from '../bytes.ts';
import { systemError } from './problem.ts';
import type { TargetFolder } from './target-folder.ts';

export interface TakenNames {
  /**
   * Finds out, by what was placed last, what counts in names there; to be called before its folder is closed, and when a
   * folder has got its name.
   */
  learn(): void;
  /** A folder is about to be closed. */
  left(folder: TargetFolder): void;
  /** @throws EEXIST for what is in a folder whose name was taken */
  check(path: string): void;
  /** @throws EEXIST where a name of this run is the same to the file system */
  take(folder: TargetFolder, name: string, path: string): void;
}

/** Such as FAT gives to what has a longer name: it leads there as well, and is not listed. */
const SHORT_NAME = /^[^.]{1,6}~\d{1,6}(\.[^.]{1,3})?$/;

/** One folder is being filled; more are what could not be made. */
const MOST_UNTRIED = 16;

/** @param onCut something gets a name without the dots at its end */
export function createTakenNames(onCut: (path: string) => void): TakenNames {
  const taken = new WeakMap<TargetFolder, Map<string, string>>();
  /** What came last, and what has no name yet as its folder is being filled; as long as there is something to find out. */
  let untried: { readonly folder: TargetFolder; readonly name: string; readonly path: string }[] = [];
  let isCaseless: boolean | undefined;
  let dropsDots: boolean | undefined;
  let refused: { readonly path: string; readonly why: string } | undefined;

  const isKnown = () => isCaseless !== undefined && dropsDots !== undefined;
  const inCase = (name: string) => (isCaseless ? textFromPath(name).normalize().toLowerCase() : name);
  const keyOf = (name: string) => (dropsDots ? inCase(name).replace(/\.+$/, '') : inCase(name));

  function note(folder: TargetFolder, name: string, path: string): void {
    const names = taken.get(folder) ?? new Map<string, string>();
    if (names.get(keyOf(name)) === name) return;
    taken.set(folder, names.set(keyOf(name), name));
    if (dropsDots && name.endsWith('.')) onCut(path);
  }

  function whyTaken(folder: TargetFolder, name: string): string | undefined {
    const by = taken.get(folder)?.get(keyOf(name));
    if (by === name || (by === undefined && !SHORT_NAME.test(name)) || !lookAt(folder, name))
      return undefined;
    if (by === undefined) {
      const isListed = namesIn(folder).some(listed => keyOf(listed) === keyOf(name));
      return isListed ? undefined : 'it is the short name of something else there';
    }
    const same =
      inCase(by) === inCase(name)
        ? 'upper and lower case are the same there'
        : 'dots at the end of a name count for nothing there';
    return `${same}, and ${displayPath(by)} has the place`;
  }

  function check(path: string): void {
    if (refused !== undefined && isWithin(path, refused.path)) throw systemError('EEXIST', refused.why);
  }

  /** @returns whether it is there, so that something could be found out */
  function tryOut({ folder, name }: (typeof untried)[number]): boolean {
    const found = lookAt(folder, name);
    if (!found) return false;
    const isAlso = (other: string) => {
      const same = lookAt(folder, other);
      return same !== undefined && same.ino === found.ino && same.dev === found.dev;
    };
    // Not one of several names of a file, where links are known.
    dropsDots ??= (found.isDirectory() || found.nlink <= 1n) && isAlso(`${name}.`);
    const other = swapCase(name);
    if (other !== name) isCaseless ??= isAlso(other);
    return true;
  }

  return {
    learn() {
      if (isKnown()) return;
      const all = untried;
      untried = all.filter(one => !tryOut(one)).slice(-MOST_UNTRIED);
      if (isCaseless || dropsDots) for (const { folder, name, path } of all) note(folder, name, path);
      if (isKnown()) untried = [];
    },
    left(folder) {
      if (untried.length > 0) untried = untried.filter(one => one.folder !== folder);
    },
    check,
    take(folder, name, path) {
      if (isCaseless || dropsDots) {
        const why = whyTaken(folder, name);
        if (why !== undefined) refused = { path, why };
        check(path);
        note(folder, name, path);
      }
      if (!isKnown()) untried.push({ folder, name, path });
    },
  };
}

function lookAt(folder: TargetFolder, name: string): BigIntStats | undefined {
  try {
    return lstatSync(bytesOf(`${folder.base}/${name}`), { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined; // whoever uses it tells
  }
}

/** Names in a folder; all of them pass for none where they can't be read. */
function namesIn({ base }: TargetFolder): string[] {
  try {
    return readdirSync(bytesOf(base), 'latin1');
  } catch {
    return [];
  }
}

const swapCase = (name: string) =>
  name.replace(/[a-zA-Z]/g, letter => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase()));
