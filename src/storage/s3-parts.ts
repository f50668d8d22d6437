/**
 * Parts of objects in memory. A source's lent chunks are gathered in slabs of a part's size that are used again, since
 * garbage of this size would show up as resident memory; and no more than so many parts are on their way at once.
 */

import { createHash } from 'node:crypto';
import type { Chunks } from '../streams.ts';

export interface Part {
  readonly bytes: Uint8Array;
  readonly sha256: Buffer;
  readonly last: boolean;
  /** Hands the slab back. Not called for a part that may still be read by a connection that failed. */
  release(): void;
}

export interface Slabs {
  readonly size: number;
  take(): Buffer;
  give(slab: Buffer): void;
}

/** @param kept most slabs that are kept for later */
export function createSlabs(size: number, kept: number): Slabs {
  const free: Buffer[] = [];
  return {
    size,
    // Untouched memory costs nothing, so small objects may take a large slab.
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(size),
    give(slab) {
      if (free.length < kept) free.push(slab);
    },
  };
}

/** Source bytes in parts of the slabs' size, the last shorter and perhaps empty. There is at least one. */
export async function* gather(
  source: Chunks | Uint8Array,
  slabs: Slabs,
  signal?: AbortSignal,
): AsyncGenerator<Part, void, undefined> {
  if (source instanceof Uint8Array) {
    for (let offset = 0; offset === 0 || offset < source.length; offset += slabs.size) {
      const bytes = source.subarray(offset, offset + slabs.size);
      const sha256 = createHash('sha256').update(bytes).digest();
      yield { bytes, sha256, last: offset + slabs.size >= source.length, release() {} };
    }
    return;
  }
  let slab = slabs.take();
  let filled = 0;
  let hash = createHash('sha256'); // of bytes that are in the processor's cache yet
  const part = (last: boolean): Part => {
    const full = slab;
    return {
      bytes: full.subarray(0, filled),
      sha256: hash.digest(),
      last,
      release: () => slabs.give(full),
    };
  };
  for await (const chunk of source) {
    signal?.throwIfAborted();
    for (let offset = 0; offset < chunk.length; ) {
      if (filled === slab.length) {
        yield part(false);
        slab = slabs.take();
        filled = 0;
        hash = createHash('sha256');
      }
      const taken = chunk.subarray(offset, offset + slab.length - filled);
      slab.set(taken, filled);
      hash.update(taken);
      filled += taken.length;
      offset += taken.length;
    }
  }
  signal?.throwIfAborted();
  yield part(true);
}

export interface Slots {
  /** Resolves when there is room; call the result to leave. */
  enter(): Promise<() => void>;
}

export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  const leave = () => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  return {
    async enter() {
      if (free > 0) free--;
      else await new Promise<void>(resolve => waiting.push(resolve));
      let inside = true;
      return () => {
        if (inside) leave();
        inside = false;
      };
    },
  };
}
