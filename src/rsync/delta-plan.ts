/**
 * Where each byte of a new file comes from: what a chain of deltas says, without applying it. The plan of a delta has
 * its copies and literals as *segments*; a newer delta is composed with it by looking up its copies among them. So a
 * file with a base and many deltas is written once, with each byte read once.
 */

import { type DeltaSink, damaged } from './delta-reader.ts';

/** Source of the bytes that a plan takes from the basis. */
export const BASIS = 0;

export interface DeltaPlan {
  /** Bytes of the new file. */
  readonly size: number;
  /** Bytes that the basis must have at least. */
  readonly basisSize: number;
  /** Number of segments; together they make up the new file, in order. None is empty. */
  readonly count: number;
  /** Where a segment begins in the new file; `start(count)` is the size. */
  start(segment: number): number;
  /** BASIS, or the source of literals as their delta's builder got it. */
  source(segment: number): number;
  /** Where the segment's bytes begin in their source. */
  offset(segment: number): number;
}

export interface DeltaPlanBuilder extends DeltaSink {
  /** Whether the delta has more segments than `MOST_SEGMENTS`: then there is no plan of it, and it is to be applied by itself. */
  isTooLong(): boolean;
  /** The plan of the commands so far; given. */
  finish(): DeltaPlan;
}

/**
 * Segments of a plan, at most: 10 MiB of them. A file has 2^17 blocks, so deltas have half as many as a rule; a command of
 * three bytes may copy one byte, though.
 */
export const MOST_SEGMENTS = 2 ** 19;

/**
 * Collects the commands of a delta.
 * @param source the number to remember its literals by, from 1 on
 * @param from what is added to the offsets that the reader tells of literals
 */
export function createDeltaPlan(source: number, from = 0): DeltaPlanBuilder {
  const segments = createSegments();
  const isTooLong = () => segments.count() > MOST_SEGMENTS;
  const add = (of: number, offset: number, length: number) => {
    if (!isTooLong()) segments.add(of, offset, length);
  };
  return {
    literal: (bytes, offset) => add(source, from + offset, bytes.length),
    copy: (position, length) => add(BASIS, position, length),
    isTooLong,
    finish: segments.finish,
  };
}

/**
 * The plan of two deltas in a row.
 * @param older of a delta whose new file is the basis of the newer one's
 * @param limit segments that the plan may have: copies of copies can multiply, and a caller who has to refuse can still
 * apply the deltas one after the other
 * @returns undefined when there are more than that
 * @throws BackupError 'damaged' when the newer delta copies from beyond the older one's file
 */
export function compose(older: DeltaPlan, newer: DeltaPlan, limit = MOST_SEGMENTS): DeltaPlan | undefined {
  if (newer.basisSize > older.size) throw damaged('copies from beyond the end of its basis');
  const segments = createSegments();
  for (let i = 0; i < newer.count; i++) {
    const length = newer.start(i + 1) - newer.start(i);
    const from = newer.offset(i);
    if (newer.source(i) !== BASIS) {
      segments.add(newer.source(i), from, length);
    } else {
      for (let at = from, k = segmentAt(older, from); at < from + length; k++) {
        const end = Math.min(older.start(k + 1), from + length);
        segments.add(older.source(k), older.offset(k) + at - older.start(k), end - at);
        if (segments.count() > limit) return undefined;
        at = end;
      }
    }
    if (segments.count() > limit) return undefined;
  }
  return segments.finish();
}

/** The segment that holds a byte of the new file. */
function segmentAt(plan: DeltaPlan, at: number): number {
  let low = 0;
  let high = plan.count - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (plan.start(middle) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Segments in arrays that grow; neighbours that go on in the same source become one. */
function createSegments() {
  let starts = new Float64Array(8);
  let offsets = new Float64Array(8);
  let sources = new Int32Array(8);
  let count = 0;
  let size = 0;
  let basisSize = 0;

  function add(source: number, offset: number, length: number): void {
    if (source === BASIS) basisSize = Math.max(basisSize, offset + length);
    const last = count - 1;
    const goesOn = count > 0 && sources[last] === source && offsets[last]! + size - starts[last]! === offset;
    if (!goesOn) {
      if (count === sources.length) grow();
      starts[count] = size;
      offsets[count] = offset;
      sources[count] = source;
      count++;
    }
    size += length;
    if (size > Number.MAX_SAFE_INTEGER) throw damaged('makes a file beyond all sizes');
  }

  function grow(): void {
    starts = copyOf(starts, new Float64Array(2 * count));
    offsets = copyOf(offsets, new Float64Array(2 * count));
    sources = copyOf(sources, new Int32Array(2 * count));
  }

  function finish(): DeltaPlan {
    const [startOf, offsetOf, sourceOf] = [
      starts.slice(0, count),
      offsets.slice(0, count),
      sources.slice(0, count),
    ];
    const total = size;
    return {
      size,
      basisSize,
      count,
      start: segment => startOf[segment] ?? total,
      source: segment => sourceOf[segment]!,
      offset: segment => offsetOf[segment]!,
    };
  }

  return { add, count: () => count, finish };
}

function copyOf<Target extends Float64Array | Int32Array>(from: Target, to: Target): Target {
  to.set(from);
  return to;
}
