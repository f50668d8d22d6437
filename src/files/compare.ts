/**
 * Compares the entries of a backup with a local tree (verify with content): two sorted sequences merged, so that
 * things on one side only are found too, with one entry of each in memory.
 */

import { comparePaths, displayPath, isWithin } from '../bytes.ts';
import { type Anchors, createAnchors } from './anchors.ts';
import { ownerOf } from './attributes.ts';
import { describeDifference } from './difference.ts';
import { createIdNames } from './ids.ts';
import { SourceError, type SourceProblem } from './problem.ts';
import { openSource, type SourceFile } from './read.ts';
import type { EntrySink } from './sink.ts';
import { type SourceEntry, type WalkItem, type WalkOptions, walk } from './walk.ts';

export interface TreeComparerOptions extends Pick<WalkOptions, 'names' | 'select' | 'enter' | 'except'> {
  /** The first difference at each path, as one line. */
  onDifference(text: string, path: string): void;
  /** Local things that can't be read; those that the archive holds count as different. */
  onProblem(problem: SourceProblem): void;
  /** Owners by number even where the name exists here. */
  readonly numericOwner?: boolean;
  /** Local things elsewhere are not new, they are nobody's business; all are if empty. */
  readonly within?: readonly string[];
}

export interface CompareTotals {
  /** All paths in either tree. */
  readonly compared: number;
  readonly differences: number;
}

export interface TreeComparer extends EntrySink {
  /** To be called after the last entry: finds what is left in the local tree only. */
  end(): CompareTotals;
}

/**
 * @param folder latin1 path of the local tree; a symlink is followed, unless the backup's root is one itself
 * @throws {BackupError} from the first call: `source-missing`, `source-unavailable` for the folder itself
 */
export function createTreeComparer(folder: string, options: TreeComparerOptions): TreeComparer {
  const names = options.names ?? createIdNames();
  const anchors = createAnchors(folder);
  let local: LocalTree | undefined;
  let unreadable: SourceProblem | undefined;
  let content: OpenContent | undefined;
  let compared = 0;
  let differences = 0;

  function isAsked(path: string): boolean {
    const { within = [] } = options;
    return within.length === 0 || within.some(place => isWithin(path, place));
  }

  function differ(text: string, path: string): void {
    differences++;
    options.onDifference(text, path);
  }

  /** Reads the local tree up to `path` (undefined: to its end). @returns the local entry at `path` */
  function advance(tree: LocalTree, path: string | undefined): SourceEntry | undefined {
    for (let item = tree.peek(); item; item = tree.peek()) {
      const order = path === undefined ? -1 : comparePaths(pathOfItem(item), path);
      if (order > 0) return undefined;
      tree.next();
      if (item.problem && !item.problem.vanished) {
        unreadable = item.problem;
        options.onProblem(item.problem);
      } else if (item.entry && order === 0) {
        return item.entry;
      } else if (item.entry && isAsked(item.entry.path)) {
        compared++;
        differ(`New file ${displayPath(item.entry.path)}`, item.entry.path);
      }
    }
    return undefined;
  }

  function closeContent(): void {
    content?.file.close();
    content = undefined;
  }

  /** Ends the comparing of content with the difference that `step` finds. */
  function compareContent(step: (content: OpenContent) => boolean): void {
    const current = content;
    if (!current) return;
    try {
      if (step(current)) return;
      differ(`Data for file ${displayPath(current.path)} is different`, current.path);
    } catch (error) {
      cannotRead(current.path, error);
    }
    closeContent();
  }

  function cannotRead(path: string, error: unknown): void {
    if (!(error instanceof SourceError)) throw error;
    if (error.problem.vanished) return differ(`File ${displayPath(path)} is missing`, path);
    options.onProblem(error.problem);
    differ(`File ${displayPath(path)} can't be read: ${error.problem.systemCode}`, path);
  }

  return {
    begin(entry) {
      closeContent();
      local ??= createLocalTree(folder, { ...options, names, followRoot: entry.type !== 'symlink' });
      const { path } = entry;
      const found = advance(local, path);
      compared++;
      if (!found) {
        const hidden = unreadable && isWithin(path, unreadable.path) ? unreadable.systemCode : undefined;
        const why = hidden === undefined ? 'is missing' : `can't be read: ${hidden}`;
        differ(`File ${displayPath(path)} ${why}`, path);
        return false;
      }
      const owner = ownerOf(entry, names, options.numericOwner === true);
      const difference = describeDifference(found, entry, owner);
      if (difference !== undefined) differ(difference, path);
      else if (entry.type === 'file') content = openContent(anchors, path, cannotRead);
      return content !== undefined;
    },
    data(bytes) {
      compareContent(current => current.startsWith(bytes));
    },
    finish() {
      compareContent(current => current.isAtEnd());
      closeContent();
    },
    abandon: closeContent,
    end() {
      closeContent();
      local ??= createLocalTree(folder, { ...options, names });
      advance(local, undefined);
      return { compared, differences };
    },
    close() {
      closeContent();
      local?.close();
      anchors.close();
    },
  };
}

interface LocalTree {
  peek(): WalkItem | undefined;
  next(): void;
  close(): void;
}

/** The walk, item by item. */
function createLocalTree(folder: string, options: WalkOptions): LocalTree {
  const batches = walk(folder, options);
  let batch: WalkItem[] = [];
  let at = 0;
  return {
    peek() {
      while (at === batch.length) {
        const next = batches.next();
        if (next.done) return undefined;
        batch = next.value;
        at = 0;
      }
      return batch[at];
    },
    next: () => {
      at++;
    },
    close: () => {
      batches.return();
    },
  };
}

function pathOfItem(item: WalkItem): string {
  return (item.entry ?? item.problem ?? item.skipped).path;
}

interface OpenContent {
  readonly path: string;
  readonly file: SourceFile;
  /** Whether the next bytes of the local file are these. */
  startsWith(bytes: Uint8Array): boolean;
  isAtEnd(): boolean;
}

const slab = Buffer.allocUnsafeSlow(64 * 1024);

function openContent(
  anchors: Anchors,
  path: string,
  onError: (path: string, error: unknown) => void,
): OpenContent | undefined {
  let file: SourceFile;
  try {
    file = openSource(anchors, path);
  } catch (error) {
    onError(path, error);
    return undefined;
  }
  return {
    path,
    file,
    startsWith(bytes) {
      for (let at = 0; at < bytes.length; at += slab.length) {
        const length = Math.min(slab.length, bytes.length - at);
        const count = file.readInto(slab, 0, length);
        if (count < length || slab.compare(bytes, at, at + length, 0, length) !== 0) return false;
      }
      return true;
    },
    isAtEnd: () => file.readInto(slab, 0, 1) === 0,
  };
}
