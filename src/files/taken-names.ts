/**
 * Names that are one to the file system where things are restored, and are not in the archive: `Photo.JPG` and
 * `photo.jpg` on a USB stick or a Windows share. The second would replace the first, and nobody would know.
 */

import { type BigIntStats, lstatSync } from 'node:fs';
import { bytesOf, displayPath, isWithin, textFromPath } from '../bytes.ts';
import { systemError } from './problem.ts';
import type { TargetFolder } from './target-folder.ts';

export interface TakenNames {
  /** Finds out, by what was placed last, whether case matters there; to be called before its folder is closed. */
  learn(): void;
  /** @throws EEXIST for what is in a folder whose name was taken */
  check(path: string): void;
  /** @throws EEXIST where a name of this run is the same to the file system */
  take(folder: TargetFolder, name: string, path: string): void;
}

export function createTakenNames(): TakenNames {
  const taken = new WeakMap<TargetFolder, Map<string, string>>();
  let last: { readonly folder: TargetFolder; readonly name: string } | undefined;
  let isCaseless: boolean | undefined;
  let refused: { readonly path: string; readonly by: string } | undefined;

  function note(folder: TargetFolder, name: string): void {
    const names = taken.get(folder) ?? new Map<string, string>();
    taken.set(folder, names.set(keyOf(name), name));
  }

  function check(path: string): void {
    if (refused === undefined || !isWithin(path, refused.path)) return;
    const message = `upper and lower case are the same there, and ${displayPath(refused.by)} has the place`;
    throw systemError('EEXIST', message);
  }

  return {
    learn() {
      if (!last || isCaseless !== undefined) return;
      const { folder, name } = last;
      last = undefined;
      const other = swapCase(name);
      const found = other === name ? undefined : lookAt(folder, name);
      if (!found) return;
      const same = lookAt(folder, other);
      isCaseless = same !== undefined && same.ino === found.ino && same.dev === found.dev;
      if (isCaseless) note(folder, name);
    },
    check,
    take(folder, name, path) {
      if (isCaseless === undefined) last = { folder, name };
      if (!isCaseless) return;
      const by = taken.get(folder)?.get(keyOf(name));
      if (by === undefined || by === name || !lookAt(folder, name)) return note(folder, name);
      refused = { path, by };
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

const keyOf = (name: string) => textFromPath(name).normalize().toLowerCase();

const swapCase = (name: string) =>
  name.replace(/[a-zA-Z]/g, letter => (letter < 'a' ? letter.toLowerCase() : letter.toUpperCase()));
