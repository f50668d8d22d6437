/**
 * The directories on the way to what is being restored: a stack of open ones that follows the walk order. A name
 * from the archive never leaves its directory, and no symlink below the target is ever entered.
 */

import { closeSync, fstatSync, lstatSync, mkdirSync, type Stats, statSync, unlinkSync } from 'node:fs';
import { bytesOf, displayPath, isWithin } from '../bytes.ts';
import type { Entry } from '../entry.ts';
import { BackupError, messageOf, systemCode } from '../errors.ts';
import { createFilling } from './filling.ts';
import { makeFolders } from './make-folders.ts';
import { ofName, systemError } from './problem.ts';
import { createTakenNames } from './taken-names.ts';
import { checkName, openTargetFolder, type TargetFolder } from './target-folder.ts';

export interface TargetTreeOptions {
  /** Where open files have paths; '' if nowhere. */
  readonly fdFolder: string;
  /** Called before a directory is closed: the time for its attributes. */
  leave(folder: TargetFolder): void;
  /** A directory is entered that was there before. */
  entered?(folder: TargetFolder): void;
  /** A directory was made that the archive does not describe. */
  missing(path: string): void;
  /** The file system drops the dots at the end of a name. */
  cut?(path: string): void;
  /** A folder that is whole could not be given its name: it keeps a temporary one. */
  unnamed(path: string, error: unknown): void;
}

export interface Place {
  readonly folder: TargetFolder;
  readonly name: string;
  /** Whether it lies in a folder that nobody sees yet (filling.ts). */
  readonly isHidden: boolean;
}

export interface TargetTree {
  /**
   * The open directory in which `path` goes, and its name there. For the root this is the folder around the target.
   * @throws a system error; {BackupError} `local-io` when the target itself can't be made
   */
  placeOf(path: string): Place;
  /** Makes a directory (mode 0700 for now) or enters the one that is there; anything else there is replaced. */
  makeFolder(entry: Entry): void;
  /** Something has been made in the open directory. @param length of its content */
  made(length: number): void;
  /** @throws {BackupError} `local-io` where the target's place leads to another file system now, or nowhere */
  close(): void;
}

export function createTargetTree(target: string, options: TargetTreeOptions): TargetTree {
  const { fdFolder } = options;
  const stack: TargetFolder[] = [];
  const taken = createTakenNames(path => options.cut?.(path));
  let around: TargetFolder | undefined; // the folder around a target that is no folder itself
  const filling = createFilling(options.unnamed, fdFolder !== '');

  function leave(folder: TargetFolder): void {
    taken.left(folder);
    try {
      options.leave(folder);
    } finally {
      closeSync(folder.fd);
      filling.left(folder);
    }
  }

  function entered(folder: TargetFolder): TargetFolder {
    options.entered?.(folder);
    return folder;
  }

  function leaveUntilWithin(path: string): void {
    while (stack.length > 1 && !isWithin(path, stack.at(-1)!.path)) leave(stack.pop()!);
  }

  /** Makes or enters the directory at `place`. Only the target itself may be a symlink to one. */
  function makeAt(
    place: string,
    path: string,
    entry: Entry | undefined,
    begun: (made: TargetFolder) => void = () => {},
  ): TargetFolder {
    const follow = path === '';
    const bytes = bytesOf(place);
    try {
      mkdirSync(bytes, 0o700);
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw ofName(error);
      try {
        return entered(openTargetFolder(place, path, entry, fdFolder, follow));
      } catch (second) {
        const code = systemCode(second);
        if (code !== 'ENOTDIR' && code !== 'ELOOP') throw second;
        unlinkSync(bytes);
        mkdirSync(bytes, 0o700);
      }
    }
    const made = openTargetFolder(place, path, entry, fdFolder);
    begun(made);
    return made;
  }

  function openRoot(entry: Entry | undefined): void {
    // After a root that is no folder nothing can be below it; what is there may be a link that the archive planted.
    if (around) throw systemError('ENOTDIR', 'the root of this backup is no folder');
    const root = orLocalError(target, () => {
      makeFolders(splitTarget(target).parent);
      const absent = lstatSync(bytesOf(target), { throwIfNoEntry: false }) === undefined;
      if (absent && !entry) options.missing('');
      return makeAt(target, '', entry);
    });
    stack.push(root);
  }

  /** Opens the directories down to `path`; those that the archive lacks are made. */
  function enter(path: string): TargetFolder {
    if (stack.length === 0) openRoot(undefined);
    leaveUntilWithin(path);
    let top = stack.at(-1)!;
    while (top.path !== path) {
      const start = top.path === '' ? 0 : top.path.length + 1;
      const slash = path.indexOf('/', start);
      const end = slash === -1 ? path.length : slash;
      const name = path.slice(start, end);
      checkName(name);
      top = enterChild(top, name, path.slice(0, end));
      stack.push(top);
    }
    return top;
  }

  function enterChild(around: TargetFolder, name: string, path: string): TargetFolder {
    const place = `${around.base}/${name}`;
    try {
      return entered(openTargetFolder(place, path, undefined, fdFolder));
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw ofName(error);
      mkdirSync(bytesOf(place), 0o700);
      options.missing(path);
      const made = openTargetFolder(place, path, undefined, fdFolder);
      filling.begin(made, around, name);
      return made;
    }
  }

  function placeOf(path: string): Place {
    taken.learn();
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    checkName(name);
    if (slash === 0) throw systemError('EINVAL', 'absolute path');
    taken.check(path);
    const folder = enter(slash === -1 ? '' : path.slice(0, slash));
    taken.learn();
    taken.take(folder, name, path);
    return { folder, name, isHidden: filling.isUnderway() };
  }

  function placeOfRoot(): Place {
    if (stack.length > 0) throw systemError('EISDIR', 'the root of this backup is a folder');
    const { parent, name } = splitTarget(target);
    around ??= orLocalError(target, () => {
      checkName(name);
      makeFolders(parent);
      return entered(openTargetFolder(parent, '', undefined, fdFolder, true));
    });
    return { folder: around, name, isHidden: false };
  }

  return {
    placeOf: path => (path === '' ? placeOfRoot() : placeOf(path)),
    makeFolder(entry) {
      if (entry.path === '') {
        if (stack.length > 0) throw systemError('EEXIST', 'the root comes twice or late');
        openRoot(entry);
        return;
      }
      const { folder, name } = placeOf(entry.path);
      const begun = (made: TargetFolder) => filling.begin(made, folder, name);
      stack.push(makeAt(`${folder.base}/${name}`, entry.path, entry, begun));
      filling.grow(0);
    },
    made: filling.grow,
    close() {
      const open = stack.splice(0);
      if (around) open.unshift(around);
      const place = around ? splitTarget(target).parent : target;
      around = undefined;
      const device = open[0] && deviceOf(() => fstatSync(open[0]!.fd));
      let failure: unknown;
      for (const folder of open.reverse()) {
        try {
          leave(folder);
        } catch (error) {
          failure ??= error;
        }
      }
      if (failure !== undefined) throw failure;
      if (device === undefined || deviceOf(() => statSync(bytesOf(place))) === device) return;
      const path = displayPath(target);
      const message = `${path} was unmounted or taken away meanwhile: what was restored is not there`;
      throw new BackupError('local-io', message, { path });
    },
  };
}

/** The folder around the target, and the target's name in it. */
function splitTarget(target: string): { parent: string; name: string } {
  const trimmed = target.replace(/\/+$/, '');
  const slash = trimmed.lastIndexOf('/');
  if (slash === -1) return { parent: trimmed === '' && target !== '' ? '/' : '.', name: trimmed };
  return { parent: trimmed.slice(0, slash) || '/', name: trimmed.slice(slash + 1) };
}

/** Without the target nothing can be restored: this ends the run. */
function orLocalError<T>(target: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const path = displayPath(target);
    const message = `Can't restore to ${path}: ${messageOf(error)}. Name another place, or make this one writable.`;
    throw new BackupError('local-io', message, { path }, { cause: error });
  }
}

function deviceOf(look: () => Stats): number | undefined {
  try {
    return look().dev;
  } catch {
    return undefined;
  }
}
