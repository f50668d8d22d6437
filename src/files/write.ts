/**
 * The restore writer. Every file is written under a temporary name in its directory (`.tsbackup-…`), or in a directory
 * that has one (filling.ts), gets owner, mode and time, and is then renamed: under its real name it is always whole, and
 * what was there is replaced, never written through. Nothing is ever written outside the target: names are checked, and
 * directories are opened one by one without following links (target-tree.ts). Directories are made with mode 0700 and get
 * their own attributes when they are left, so that read-only ones can be filled and times stay. A failure with one entry
 * is reported and the run goes on; a disk that is full or read-only ends it.
 */

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readlinkSync,
  type Stats,
  symlinkSync,
} from 'node:fs';
import { bytesOf, displayPath } from '../bytes.ts';
import type { Entry } from '../entry.ts';
import { BackupError, reasonOf, systemCode } from '../errors.ts';
import { findFdFolder } from './anchors.ts';
import {
  type AttributeName,
  applyAttributes,
  createOwnerRights,
  type Has,
  type Hold,
  hasOwner,
  holdLink,
  holdOpen,
  holdPlace,
  ownerOf,
} from './attributes.ts';
import { createGatherer } from './gather.ts';
import { createIdNames, type IdNames } from './ids.ts';
import { ofName, systemName } from './problem.ts';
import type { EntrySink } from './sink.ts';
import { makeSpecial } from './special.ts';
import { pinPlace, type TargetFolder } from './target-folder.ts';
import { createTargetTree, type Place } from './target-tree.ts';
import {
  makeTemporary,
  placeOfTemporary,
  putInPlace,
  removeLeftovers,
  removeTemporary,
  type Temporary,
} from './temporary.ts';
import { openTwin, type Twin } from './twin.ts';

export interface WriteProblem {
  readonly path: string;
  readonly systemCode: string;
  /** Why, for people. */
  readonly message: string;
  /** The thing is there with its content, but not with all of its attributes. */
  readonly restored: boolean;
  /** Which one, where it is one. */
  readonly attribute?: AttributeName | undefined;
}

export interface TreeWriterOptions {
  onProblem(problem: WriteProblem): void;
  readonly names?: IdNames;
  /** Whether things get their owners (default true); without root's rights only their groups, as far as we are in these. */
  readonly ownership?: boolean;
  /** Owners by number even where the name exists here. */
  readonly numericOwner?: boolean;
  /** What is there already and is the same is left as it is; only its attributes are set right. */
  readonly inPlace?: boolean;
  /** A folder with content, but for the root, makes room for what is no folder: it gets this other path. */
  onSetAside?(path: string): void;
  /** Something is whole at its place; `kept`: it was there already. Not called for folders. */
  onPlaced?(kept: boolean): void;
  /** Have every file and directory on the disk before going on (slow). */
  readonly sync?: boolean;
  /** Where open files have paths, '' for nowhere; found by itself. */
  readonly fdFolder?: string;
}

interface OpenFile {
  readonly entry: Entry;
  readonly at: Place;
  /** What is there already, as long as it is the same. */
  twin: Twin | undefined;
  /** Where the bytes go, once there is no twin. */
  output: Output | undefined;
}

interface Output {
  readonly file: Made;
  readonly fd: number;
  /** With which it was made. */
  readonly mode: number;
  closed: boolean;
}

/** Under its own name where nobody sees it yet, else under a temporary one. */
interface Made extends Temporary {
  readonly isPlaced: boolean;
}

/** After these the next entry would fail as well. */
const endingCodes = new Set(['ENOSPC', 'EROFS', 'EDQUOT']);

/**
 * Writes entries into a folder, or to a single path when the root is no directory. Entries come in walk order.
 * @param target latin1 path; the folders around it are made as needed. See `checkTarget` for whether it may be used
 * @throws {BackupError} `local-io` from any method, when the target can't be made, is full or read-only
 */
export function createTreeWriter(target: string, options: TreeWriterOptions): EntrySink {
  const fdFolder = options.fdFolder ?? findFdFolder();
  const names = options.names ?? createIdNames();
  const ownerRights = options.ownership === false ? () => 'none' as const : createOwnerRights();
  const content = createGatherer();
  const madeIn = new WeakMap<TargetFolder, Map<number, Has>>();
  let lastMade: Has | undefined;
  let file: OpenFile | undefined;

  const tree = createTargetTree(target, {
    fdFolder,
    leave(folder) {
      try {
        if (folder.entry) dress(holdOpen(folder.fd), folder.entry, folder.owner);
        else if (folder.lockedMode !== undefined) fchmodSync(folder.fd, folder.lockedMode);
        if (options.sync) fsyncSync(folder.fd);
      } catch (error) {
        trouble(folder.path, error, true);
      }
    },
    entered: ({ base }) => removeLeftovers(base),
    missing(path) {
      const message = 'the backup does not describe this folder; it was made with mode 0700';
      options.onProblem({ path, systemCode: 'ENOENT', message, restored: true });
    },
    unnamed: (path, error) => trouble(path, error, false),
    cut(path) {
      const message = 'the file system there drops the dots at its end';
      options.onProblem({ path, systemCode: 'EINVAL', message, restored: true, attribute: 'name' });
    },
  });

  function trouble(path: string, error: unknown, restored: boolean, attribute?: AttributeName): void {
    const code = codeOf(error);
    if (code === undefined) throw error;
    if (!endingCodes.has(code)) {
      const hint = path === '' && code === 'ENOTEMPTY' ? '; name the file that it is to become' : '';
      options.onProblem({ path, systemCode: code, message: reasonOf(error) + hint, restored, attribute });
      return;
    }
    const facts = { path: displayPath(path), target: displayPath(target), systemCode: code };
    const reason = code === 'EROFS' ? 'the file system is read-only' : 'no space is left there';
    const message = `Can't restore ${facts.path} to ${facts.target}: ${reason} (${code}).`;
    throw new BackupError('local-io', message, facts, { cause: error });
  }

  function dress(hold: Hold, entry: Entry, has?: Has): void {
    const owner = ownerOf(entry, names, options.numericOwner === true);
    const failed = (error: unknown, attribute: AttributeName) => trouble(entry.path, error, true, attribute);
    applyAttributes(hold, entry, owner, ownerRights(owner), has, failed);
  }

  /**
   * With which mode to make a file: with its own if nobody may read it then who may not at the end, for it will have
   * the right owner at once. Its group will be ours, which the last one had, or that of its folder.
   */
  function modeToMake({ entry, at: { folder } }: OpenFile): number {
    const mode = entry.mode & 0o7777;
    if (mode > 0o777 || (mode & PRIVATE) !== PRIVATE) return PRIVATE;
    const owner = ownerOf(entry, names, options.numericOwner === true);
    const part = ownerRights(owner);
    return hasOwner(lastMade, owner, part) && hasOwner(folder.owner, owner, part) ? mode : PRIVATE;
  }

  /** What files have that are made in a folder with a mode, of which the system may take some: asked once. */
  function hasWhenMade(folder: TargetFolder, { fd, mode }: Output): Has {
    const known = madeIn.get(folder) ?? new Map<number, Has>();
    madeIn.set(folder, known);
    lastMade = known.get(mode) ?? permissionsOf(fstatSync(fd));
    known.set(mode, lastMade);
    return lastMade;
  }

  /** @param make throws EEXIST for a name that is taken */
  function makeAt<T>(
    { folder, name, isHidden }: Place,
    make: (place: Buffer, name: string) => T,
  ): Made & { readonly made: T } {
    if (isHidden) {
      try {
        return { folder, name, made: make(bytesOf(`${folder.base}/${name}`), name), isPlaced: true };
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw ofName(error);
      }
    }
    const temporary = makeTemporary(folder, make);
    return { folder, name: temporary.name, made: temporary.made, isPlaced: false };
  }

  function beginFile(entry: Entry): void {
    const at = tree.placeOf(entry.path);
    const twin = options.inPlace && !at.isHidden ? openTwin(`${at.folder.base}/${at.name}`) : undefined;
    file = { entry, at, twin, output: undefined };
    if (!twin) beginOutput(file);
  }

  /** From here on the file is written anew; what was the same so far is copied. */
  function beginOutput(current: OpenFile): void {
    const mode = modeToMake(current);
    const file = makeAt(current.at, place => openSync(place, newFile, mode));
    current.output = { file, fd: file.made, mode, closed: false };
    content.start(file.made, current.twin?.length() ?? 0);
    current.twin?.copyTo(file.made);
    current.twin?.close();
    current.twin = undefined;
  }

  /** Sets attributes right, if they are not: what is as it should be keeps its ctime too. */
  function redress(current: Stats, hold: Hold, entry: Entry): void {
    if (!isDressed(current, entry)) dress(hold, entry);
  }

  function isDressed(current: Stats, entry: Entry): boolean {
    const owner = ownerOf(entry, names, options.numericOwner === true);
    const seconds = Math.max(0, Math.floor(current.mtimeMs / 1000)); // archives know no time before 1970
    return (
      (entry.type === 'symlink' || (current.mode & 0o7777) === (entry.mode & 0o7777)) &&
      seconds === entry.mtimeSeconds &&
      hasOwner(current, owner, ownerRights(owner))
    );
  }

  /** Other attributes would be those of its other names, too. */
  function mayStay(twin: Twin, entry: Entry): boolean {
    return twin.isSingle || isDressed(fstatSync(twin.fd), entry);
  }

  /** Renames what is whole; see `onSetAside`. */
  function place(made: Made, name: string, { path }: Entry, length = 0): void {
    if (!made.isPlaced) placeTemporary(made, name, path);
    options.onPlaced?.(false);
    tree.made(length);
  }

  function placeTemporary(temporary: Temporary, name: string, path: string): void {
    const parent = path.slice(0, path.lastIndexOf('/') + 1);
    const setAside = options.onSetAside && path !== '' ? options.onSetAside : undefined;
    putInPlace(temporary, name, setAside && (aside => setAside(parent + aside)));
  }

  /** A link or a fifo that is there already; devices are always made anew. */
  function isThere(place: string, entry: Entry): boolean {
    const found = lstatSync(bytesOf(place), { throwIfNoEntry: false });
    if (entry.type === 'fifo') return found?.isFIFO() === true;
    if (entry.type !== 'symlink' || !found?.isSymbolicLink()) return false;
    return readlinkSync(bytesOf(place), 'latin1') === entry.linkname;
  }

  function makeOther(entry: Entry): void {
    const at = tree.placeOf(entry.path);
    const there = `${at.folder.base}/${at.name}`;
    if (options.inPlace && !at.isHidden && isThere(there, entry)) {
      if (entry.type === 'symlink') redress(lstatSync(bytesOf(there)), holdLink(bytesOf(there)), entry);
      else dressSpecial(there, entry);
      options.onPlaced?.(true);
      return;
    }
    // Who makes the others takes no name but one in ASCII.
    const isHidden = at.isHidden && entry.type === 'symlink';
    const made = makeAt({ ...at, isHidden }, (place, free) => {
      if (entry.type === 'symlink') symlinkSync(bytesOf(entry.linkname), place);
      else makeSpecial(at.folder, free, entry);
    });
    try {
      const now = placeOfTemporary(made);
      if (entry.type === 'symlink') dress(holdLink(bytesOf(now)), entry);
      else dressSpecial(now, entry);
      place(made, at.name, entry);
    } catch (error) {
      removeTemporary(made);
      throw error;
    }
  }

  function dressSpecial(place: string, entry: Entry): void {
    if (fdFolder === '') return dress(holdPlace(bytesOf(place)), entry);
    const pin = pinPlace(place);
    try {
      dress(holdPlace(bytesOf(`${fdFolder}/${pin}`)), entry);
    } finally {
      closeSync(pin);
    }
  }

  function seal(current: OpenFile): void {
    const { twin, entry } = current;
    if (twin?.isAtEnd() && mayStay(twin, entry)) {
      redress(fstatSync(twin.fd), holdOpen(twin.fd), entry);
      twin.close();
      options.onPlaced?.(true);
      return;
    }
    if (!current.output) beginOutput(current);
    const output = current.output!;
    dress(holdOpen(output.fd), entry, hasWhenMade(current.at.folder, output));
    if (options.sync) fsyncSync(output.fd);
    output.closed = true;
    place(output.file, current.at.name, entry, content.close());
  }

  function discard(): void {
    const current = file;
    file = undefined;
    if (!current) return;
    const { twin, output } = current;
    try {
      twin?.close();
      if (output && !output.closed) content.close();
    } catch {
      // It is thrown away; the reason for that was reported.
    }
    if (output) removeTemporary(output.file);
  }

  /** Does a step for one entry; when it fails, nothing half-done stays. */
  function attempt(path: string, step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      discard();
      trouble(path, error, false);
      return false;
    }
  }

  return {
    begin(entry) {
      discard();
      return attempt(entry.path, () => {
        if (entry.type === 'file') beginFile(entry);
        else if (entry.type === 'directory') tree.makeFolder(entry);
        else makeOther(entry);
      });
    },
    data(bytes) {
      const current = file;
      if (!current) return;
      attempt(current.entry.path, () => {
        if (current.twin?.continuesWith(bytes)) return;
        if (!current.output) beginOutput(current);
        content.push(bytes);
      });
    },
    finish() {
      const current = file;
      if (!current) return;
      const isGood = attempt(current.entry.path, () => {
        if (current.output) content.finish();
        seal(current);
      });
      if (isGood) file = undefined;
    },
    abandon: discard,
    close() {
      discard();
      tree.close();
    },
  };
}

/** For its owner, who is to write it. */
const PRIVATE = 0o600;
const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

const permissionsOf = ({ uid, gid, mode }: Stats): Has => ({ uid, gid, mode: mode & 0o7777 });

/** The system's code; Node's own complaints about values from the archive count as EINVAL; else undefined. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof BackupError) return undefined;
  const code = (error as { code?: unknown }).code;
  return systemName(error) ?? (typeof code === 'string' && code.startsWith('ERR_') ? 'EINVAL' : undefined);
}
