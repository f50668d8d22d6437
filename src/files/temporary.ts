/** Things are made under a temporary name beside their place and renamed when they are whole. */

import { existsSync, mkdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import { systemCode } from '../errors.ts';
import { systemError } from './problem.ts';
import type { TargetFolder } from './target-folder.ts';

/** Something in the making. */
export interface Temporary {
  readonly folder: TargetFolder;
  /** ASCII. */
  readonly name: string;
}

let made = 0;

/**
 * Makes something under a free temporary name; one may be taken by what a killed run left.
 * @param make throws EEXIST for a name that is taken
 */
export function makeTemporary<T>(
  folder: TargetFolder,
  make: (place: Buffer, name: string) => T,
): Temporary & { readonly made: T } {
  for (;;) {
    const name = `.tsbackup-${process.pid}-${made++}`;
    try {
      return { folder, name, made: make(bytesOf(`${folder.base}/${name}`), name) };
    } catch (error) {
      if (systemCode(error) === 'EEXIST') continue;
      removeTemporary({ folder, name }); // some file systems leave something where they fail
      throw error;
    }
  }
}

/** Where it is for now. */
export function placeOfTemporary({ folder, name }: Temporary): string {
  return `${folder.base}/${name}`;
}

/**
 * Gives the real name. An empty directory there makes room; one with content stays, and this throws ENOTEMPTY.
 * @param onSetAside one with content makes room as well: it gets this name beside
 * @throws a system error; one that says so for a name that the file system does not take, as those of other systems
 *   take no colon or question mark
 */
export function putInPlace(
  temporary: Temporary,
  name: string,
  onSetAside?: ((name: string) => void) | undefined,
): void {
  const from = bytesOf(placeOfTemporary(temporary));
  const to = bytesOf(`${temporary.folder.base}/${name}`);
  try {
    renameSync(from, to);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EINVAL' || code === 'EILSEQ' || (code === 'ENOENT' && existsSync(from)))
      throw systemError(code, 'the file system there does not take this name');
    if (code !== 'EISDIR') throw error;
    makeRoom(temporary.folder, to, onSetAside);
    renameSync(from, to);
  }
}

function makeRoom(folder: TargetFolder, place: Buffer, onSetAside?: (name: string) => void): void {
  try {
    rmdirSync(place);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) throw error;
    if (!onSetAside) throw systemError('ENOTEMPTY', 'a folder with content is in its place');
    const aside = makeTemporary(folder, free => mkdirSync(free));
    const free = bytesOf(placeOfTemporary(aside));
    try {
      renameSync(place, free);
    } catch (failure) {
      rmdirSync(free);
      throw failure;
    }
    onSetAside(aside.name);
  }
}

/** Never throws: what made it superfluous is reported, and a leftover is harmless. */
export function removeTemporary(temporary: Temporary): void {
  try {
    unlinkSync(bytesOf(placeOfTemporary(temporary)));
  } catch {}
}
