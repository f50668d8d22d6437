/**
 * The sets of a chain become one tree: entries are collated path by path, and for each path the newest set that is not
 * a delta wins, with the deltas after it applied (FORMAT.md, "Restore"). What comes out goes to a sink in walk order.
 */

import { comparePaths, isWithin } from '../bytes.ts';
import type { Entry } from '../entry.ts';
import type { PatchChain } from './patch-chain.ts';
import { createSetCursor, lowestPath, type SetCursor } from './set-cursor.ts';
import type { Piece } from './set-reader.ts';

/**
 * Where a tree goes: a folder, a comparison, or nowhere. Calls come in walk order. Where a promise is returned, the next
 * call waits for it.
 */
export interface TreeSink {
  /** @returns whether `data` and `finish` matter; calling them all the same is harmless */
  begin(entry: Entry): boolean;
  /** @param bytes lent */
  data(bytes: Uint8Array): Promise<void> | void;
  finish(): Promise<void> | void;
  /** The entry under way is not to be had after all. */
  abandon(): void;
}

/** Why a path of the wanted time can't be given back. */
export interface LostEntry {
  readonly path: string;
  readonly reason: 'volume' | 'no-base' | 'bad-delta' | 'cut-short';
  readonly detail: string;
}

export interface ReplayOptions {
  /** One stream of pieces per set, oldest (the full one) first. */
  readonly sets: readonly AsyncIterable<readonly Piece[]>[];
  readonly sink: TreeSink;
  /** The paths that are wanted, with all that is below them; all if empty. */
  readonly wanted: readonly string[];
  /** Where a wanted path of the archive goes below the target ('' is the target itself); undefined for others. */
  locate(path: string): string | undefined;
  onLost(lost: LostEntry): void;
  /** Applies deltas; holds temporary files. */
  readonly patches: PatchChain;
  readonly signal: AbortSignal;
}

/** @returns the number of entries given to the sink */
export async function replay(options: ReplayOptions): Promise<number> {
  const all = options.sets.map(set => createSetCursor(set));
  const last = options.wanted.toSorted(comparePaths).at(-1) ?? '';
  let count = 0;
  try {
    const cursors = options.wanted.length === 1 ? await fromWholeFile(all, last, options.signal) : all;
    for (;;) {
      for (const cursor of cursors) if (!cursor.ready()) await cursor.fill();
      const path = lowestPath(cursors);
      if (path === undefined || (comparePaths(path, last) > 0 && !isWithin(path, last))) return count;
      options.signal.throwIfAborted();
      const place = options.locate(path);
      const at = cursors.filter(cursor => cursor.entry()?.path === path);
      if (place === undefined) for (const cursor of at) await cursor.skip();
      else if (await replayPath(at, place, options)) count++;
    }
  } finally {
    for (const cursor of all) await cursor.close();
  }
}

/**
 * Goes to one path, from the newest set to older ones. Sets before one that has it whole, and not as a folder, have
 * nothing that is still true of it or of what was below it: they are left out, and nothing of them is ever read.
 */
async function fromWholeFile(cursors: readonly SetCursor[], path: string, signal: AbortSignal) {
  for (let newest = cursors.length - 1; newest > 0; newest--) {
    const cursor = cursors[newest]!;
    for (;;) {
      if (!cursor.ready()) await cursor.fill();
      signal.throwIfAborted();
      const entry = cursor.entry();
      if (!entry || comparePaths(entry.path, path) > 0) break;
      if (entry.path === path) {
        if (entry.kind === 'snapshot' && entry.attributes.type !== 'directory') return cursors.slice(newest);
        break;
      }
      await cursor.skip();
    }
  }
  return cursors;
}

/** All that the sets hold for one path; `at` is not empty, oldest first. */
async function replayPath(at: SetCursor[], place: string, options: ReplayOptions): Promise<boolean> {
  const newest = at.at(-1)!.entry()!;
  let base = at.length - 1;
  while (base > 0 && at[base]!.entry()!.kind === 'diff') base--;
  for (const cursor of at.slice(0, base)) await cursor.skip();
  const first = at[base]!.entry()!;
  if (first.kind === 'snapshot' && base === at.length - 1) {
    return direct(at[base]!, { ...first.attributes, path: place }, options);
  }
  if (newest.kind !== 'diff' || first.kind !== 'snapshot' || first.attributes.type !== 'file') {
    for (const cursor of at.slice(base)) await cursor.skip();
    if (newest.kind === 'deleted') return false;
    const reason = at.slice(base).some(cursor => cursor.wasLost()) ? 'volume' : 'no-base';
    options.onLost({
      path: newest.path,
      reason,
      detail:
        reason === 'volume'
          ? 'a volume that holds it is lost'
          : 'a delta without the version that it changes',
    });
    return false;
  }
  return patched(at.slice(base), { ...newest.attributes, path: place }, options);
}

/** One version, straight into the sink. */
async function direct(cursor: SetCursor, entry: Entry, { sink, onLost }: ReplayOptions): Promise<boolean> {
  const { path, cutShort } = cursor.entry()!;
  sink.begin(entry);
  const complete = await cursor.drain(bytes => sink.data(bytes));
  if (complete) {
    await sink.finish();
    if (cutShort) onLost({ path, ...storedInPart });
    return true;
  }
  sink.abandon();
  onLost({ path, reason: 'volume', detail: 'a volume that holds a part of it is lost' });
  return false;
}

/** A file that is a base and deltas. */
async function patched(
  at: SetCursor[],
  entry: Entry,
  { sink, onLost, patches }: ReplayOptions,
): Promise<boolean> {
  const { path, cutShort } = at.at(-1)!.entry()!;
  patches.start();
  let complete = true;
  for (const [index, cursor] of at.entries()) {
    if (index > 0) patches.startDelta();
    const isWhole: boolean = await cursor.drain(complete ? patches.push : () => {});
    complete &&= isWhole;
  }
  if (!complete) {
    patches.abandon();
    onLost({ path, reason: 'volume', detail: 'a volume that holds a part of it is lost' });
    return false;
  }
  const problem = await patches.finish(
    () => sink.begin(entry),
    bytes => sink.data(bytes),
  );
  if (problem === undefined) {
    await sink.finish();
    if (cutShort) onLost({ path, ...storedInPart });
    return true;
  }
  onLost({ path, reason: 'bad-delta', detail: problem });
  return false;
}

const storedInPart = {
  reason: 'cut-short',
  detail: 'only its beginning could be read when it was backed up, and that is what is here now',
} as const;
