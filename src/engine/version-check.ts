/**
 * Every version of every path that the sets of a chain hold, proved without rebuilding a file: the sets are collated
 * path by path, and each delta must be whole, must follow a version of the file that is there, and must not copy from
 * beyond its end. So all times of the chain are proved in one pass over its volumes.
 */

import { BackupError } from '../errors.ts';
import { createDeltaReader } from '../rsync/delta-reader.ts';
import { createSetCursor, lowestPath, type SetCursor } from './set-cursor.ts';
import type { Piece } from './set-reader.ts';

/** A path that can't be given back as it was at some times. */
export interface LostVersions {
  readonly path: string;
  /** Number of the first set, counting from 0, as of which it is lost, and of the first one as of which it is there again. */
  readonly from: number;
  readonly until: number;
  readonly detail: string;
}

export interface VersionCheckOptions {
  /** One stream of pieces per set, oldest (the full one) first. */
  readonly sets: readonly AsyncIterable<readonly Piece[]>[];
  /** Paths that are looked at. */
  isWanted(path: string): boolean;
  onLost(lost: LostVersions): void;
  readonly signal: AbortSignal;
}

/** What a path is as of a set. */
type State =
  | { readonly kind: 'absent' | 'other' }
  | { readonly kind: 'file'; readonly size: number }
  | { readonly kind: 'lost'; readonly detail: string };

/** @returns the number of versions that were proved */
export async function checkVersions(options: VersionCheckOptions): Promise<number> {
  const { sets, isWanted, onLost, signal } = options;
  const cursors = sets.map(set => createSetCursor(set));
  let proved = 0;
  try {
    for (;;) {
      for (const cursor of cursors) if (!cursor.ready()) await cursor.fill();
      const path = lowestPath(cursors);
      if (path === undefined) return proved;
      signal.throwIfAborted();
      let state: State = { kind: 'absent' };
      let lostFrom = 0;
      const tell = (until: number) => {
        if (state.kind === 'lost') onLost({ path, from: lostFrom, until, detail: state.detail });
      };
      for (const [index, cursor] of cursors.entries()) {
        if (cursor.entry()?.path !== path) continue;
        if (!isWanted(path)) {
          await cursor.skip();
          continue;
        }
        const next = await stateAfter(state, cursor);
        if (next.kind !== 'lost') {
          tell(index);
          proved++;
        } else if (state.kind !== 'lost') lostFrom = index;
        else continue; // as before
        state = next;
      }
      tell(sets.length);
    }
  } finally {
    for (const cursor of cursors) await cursor.close();
  }
}

async function stateAfter(before: State, cursor: SetCursor): Promise<State> {
  const { kind, attributes, cutShort } = cursor.entry()!;
  if (kind === 'diff') return afterDelta(before, cursor);
  let size = 0;
  const complete = await cursor.drain(bytes => {
    size += bytes.length;
  });
  if (kind === 'lost') return { kind: 'lost', detail: 'a volume that holds it is lost' };
  if (!complete) return { kind: 'lost', detail: 'a volume that holds a part of it is lost' };
  if (kind === 'deleted') return { kind: 'absent' };
  if (cutShort) return { kind: 'lost', detail: 'only its beginning could be read when it was backed up' };
  return attributes.type === 'file' ? { kind: 'file', size } : { kind: 'other' };
}

async function afterDelta(before: State, cursor: SetCursor): Promise<State> {
  let size = 0;
  let basisSize = 0;
  const reader = createDeltaReader({
    literal(bytes) {
      size += bytes.length;
    },
    copy(position, length) {
      size += length;
      basisSize = Math.max(basisSize, position + length);
    },
  });
  let problem: string | undefined;
  const attempt = (work: () => void) => {
    if (problem !== undefined) return;
    try {
      work();
    } catch (error) {
      if (!(error instanceof BackupError) || error.code !== 'damaged') throw error;
      problem = error.message;
    }
  };
  const complete = await cursor.drain(bytes => attempt(() => reader.push(bytes)));
  if (!complete) return { kind: 'lost', detail: 'a volume that holds a part of it is lost' };
  attempt(() => reader.end());
  if (problem !== undefined) return { kind: 'lost', detail: problem };
  if (before.kind === 'lost') return { kind: 'lost', detail: 'it is a delta of a version that is lost' };
  if (before.kind !== 'file')
    return { kind: 'lost', detail: 'it is a delta without the version that it changes' };
  if (basisSize > before.size) {
    return { kind: 'lost', detail: 'its delta copies from beyond the end of the version before' };
  }
  return { kind: 'file', size };
}
