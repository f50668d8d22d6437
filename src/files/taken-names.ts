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
  /** Finds out, by what was placed last, what counts in names there; to be called before its folder is closed. */
  learn(): void;
  /** @throws EEXIST for what is in a folder whose name was taken */
  check(path: string): void;
  /** @throws EEXIST where a name of this run is the same to the file system */
  take(folder: TargetFolder, name: string, path: string): void;
}

/** Such as FAT gives to what has a longer name: it leads there as well, and is not listed. */
const SHORT_NAME = /^[^.]{1,6}~\d{1,6}(\.[^.]{1,3})?$/;

/** @param onCut something gets a name without the dots at its end */
export function createTakenNames(onCut: (path: string) => void): TakenNames {
  const taken = new WeakMap<TargetFolder, Map<string, string>>();
  let last: { readonly folder: TargetFolder; readonly name: string; readonly path: string } | undefined;
  let isCaseless: boolean | undefined;
  let dropsDots: boolean | undefined;
  let refused: { readonly path: string; readonly why: string } | undefined;

  const inCase = (name: string) => (isCaseless ? textFromPath(name).normalize().toLowerCase() : name);
  const keyOf = (name: string) => (dropsDots ? inCase(name).replace(/\.+$/, '') : inCase(name));

  function note(folder: TargetFolder, name: string, path: string): void {
    const names = taken.get(folder) ?? new Map<string, string>();
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

  return {
    learn() {
      if (!last || (isCaseless !== undefined && dropsDots !== undefined)) return;
      const { folder, name, path } = last;
      last = undefined;
      const found = lookAt(folder, name);
      if (!found) return;
      const isAlso = (other: string) => {
        const same = lookAt(folder, other);
        return same !== undefined && same.ino === found.ino && same.dev === found.dev;
      };
      // Not one of several names of a file, where links are known.
      dropsDots ??= (found.isDirectory() || found.nlink <= 1n) && isAlso(`${name}.`);
      const other = swapCase(name);
      if (other !== name) isCaseless ??= isAlso(other);
      if (isCaseless || dropsDots) note(folder, name, path);
    },
    check,
    take(folder, name, path) {
      if (isCaseless === undefined || dropsDots === undefined) last = { folder, name, path };
      if (!isCaseless && !dropsDots) return;
      const why = whyTaken(folder, name);
      if (why === undefined) return note(folder, name, path);
      last = undefined;
      refused = { path, why };
      check(path);
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
