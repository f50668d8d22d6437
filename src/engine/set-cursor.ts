/** A set's pieces, one entry at a time, for those who collate the sets of a chain path by path. */

import { comparePaths } from '../bytes.ts';
import type { Piece, SetEntry } from './set-reader.ts';

/** Between entries it stands on the next one's beginning. */
export interface SetCursor {
  /** Whether `entry` is known without waiting. */
  ready(): boolean;
  fill(): Promise<void>;
  /** The entry that it stands on; undefined at the end of the set. */
  entry(): SetEntry | undefined;
  /** Whether the entry that was passed last, or stands here, is lost. */
  wasLost(): boolean;
  /** Passes the entry, giving its data away, and waiting where a promise comes back; whether they were complete. */
  drain(take: (bytes: Uint8Array) => Promise<void> | void): Promise<boolean>;
  skip(): Promise<void>;
  close(): Promise<void>;
}

export function createSetCursor(set: AsyncIterable<readonly Piece[]>): SetCursor {
  const batches = set[Symbol.asyncIterator]();
  let pieces: readonly Piece[] = [];
  let index = 0;
  let ended = false;
  let lost = false;

  const fill = async () => {
    while (!ended && index >= pieces.length) {
      const next = await batches.next();
      if (next.done) {
        ended = true;
        pieces = [];
      } else pieces = next.value;
      index = 0;
    }
  };
  const entry = () => {
    const piece = pieces[index];
    return piece?.type === 'begin' ? piece.entry : undefined;
  };
  const drain = async (take: (bytes: Uint8Array) => Promise<void> | void) => {
    lost = entry()?.kind === 'lost';
    for (index++; ; index++) {
      if (index >= pieces.length) {
        await fill();
        if (ended) return false;
      }
      const piece = pieces[index]!;
      if (piece.type === 'data') {
        const taken = take(piece.bytes);
        if (taken) await taken;
      } else {
        index++;
        const complete = piece.type === 'finish' && piece.complete;
        lost ||= !complete;
        return complete;
      }
    }
  };
  return {
    ready: () => ended || index < pieces.length,
    fill,
    entry,
    wasLost: () => lost,
    drain,
    skip: async () => {
      await drain(() => {});
    },
    close: async () => {
      await batches.return?.();
    },
  };
}

/** The path that comes first among what cursors stand on; undefined when all are at their end. */
export function lowestPath(cursors: readonly SetCursor[]): string | undefined {
  let lowest: string | undefined;
  for (const cursor of cursors) {
    const entry = cursor.entry();
    if (entry && (lowest === undefined || comparePaths(entry.path, lowest) < 0)) lowest = entry.path;
  }
  return lowest;
}
