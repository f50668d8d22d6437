/**
 * Batches → sealed volumes → storage. A volume's bytes are made while they are sent: nothing of it is kept. Where one
 * volume ends depends on sizes alone, so the same tree gives the same volumes, unless the target is so slow that there is
 * time to make them smaller.
 */

import type { Storage } from '../storage/storage.ts';
import type { Chunks } from '../streams.ts';
import type { Envelope } from '../volumes/envelope.ts';
import type { PackBatch, Place } from './batch.ts';
import type { SetMark } from './journal.ts';
import type { TargetPace } from './target-pace.ts';
import { tidy } from './tidy.ts';

/** A volume that is at the target. */
export interface StoredVolume {
  readonly number: number;
  readonly start: Place;
  readonly end: Place;
  /** SHA-1 of the bytes as stored, lower-case hex. */
  readonly sha1: string;
  readonly size: number;
  readonly mark: SetMark;
  /** Whether the set is known to end here. */
  readonly isLast: boolean;
}

export interface VolumeOptions {
  readonly storage: Storage;
  /** The last volume of a run that broke off and is continued, and where it ends. */
  readonly after?: { readonly volume: number; readonly end: Place } | undefined;
  /** Stored size in bytes at which a volume is full; it may be passed by less than one batch. */
  readonly volumeSize: number;
  /** Batches of one volume that are deflated side by side. */
  readonly width: number;
  /** Volumes that may still be on their way while the next one is built. */
  readonly uploads: number;
  nameOf(volume: number): string;
  /** @param first of the volume; undefined for an empty one */
  createEnvelope(first: PackBatch | undefined): Promise<Envelope>;
  /** Learns how long the target is waited for. */
  readonly pace?: TargetPace | undefined;
  /** Told of a batch when it goes into a volume; in order. */
  onTaken(batch: PackBatch): Promise<void>;
  /** Told when the bytes of a batch's members are not needed any more. */
  onConsumed(batch: PackBatch): void;
  /** Asked at the end of a volume: what is true of the set with all that was taken. */
  mark(): Promise<SetMark>;
  /** Told as soon as a volume and all before it are at the target; in order, one at a time. */
  onStored(volume: StoredVolume): Promise<void>;
  readonly signal: AbortSignal;
}

/** Members start only while at least this much is left of the volume, as duplicity does. */
const RESERVE = 65536;

/**
 * Stores all batches as volumes 1, 2, … Without a single member one empty volume is stored, because a set must have
 * one.
 */
export async function storeVolumes(cursor: BatchCursor, options: VolumeOptions): Promise<void> {
  const underway: Promise<void>[] = [];
  const { after } = options;
  let lastPlace: Place = after?.end ?? { path: '' };
  let before = Promise.resolve();
  let claim: Promise<unknown> | undefined;
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  try {
    for (
      let number = (after?.volume ?? 0) + 1;
      number === 1 || (await cursor.peek()) !== undefined;
      number++
    ) {
      const first = await cursor.peek();
      const start = first?.first ?? { path: '' };
      const volume = createVolumeStream(cursor, await options.createEnvelope(first), options, lastPlace);
      // Another run may have begun in the same second, with an archive cache, and so a lock, of its own: the first volume
      // of a set tells whose it is, and no other one appears before it.
      const isClaim = number === 1;
      const put = options.storage.put(options.nameOf(number), volume.chunks, {
        signal,
        kind: 'volume',
        isNew: isClaim,
        after: claim,
      });
      claim ??= put;
      const known = Promise.all([put, before]).then(([{ size }]) =>
        options.onStored({ number, start, size, ...volume.ending() }),
      );
      known.catch(error => failed.abort(error)); // the others need not come to their end
      before = known;
      underway.push(known);
      await Promise.race([volume.sealed, put]);
      lastPlace = volume.ending().end;
      while (underway.length > options.uploads) await underway.shift();
    }
    while (underway.length > 0) await underway.shift();
  } finally {
    await Promise.allSettled(underway); // nothing keeps running behind the caller's back
  }
}

/** Batches that have members, with a look at the next one. */
export interface BatchCursor {
  /** The next batch with members, which stays where it is. */
  peek(): Promise<PackBatch | undefined>;
  take(): void;
}

/** @param batches those with an empty difftar are passed over */
export function createBatchCursor(batches: AsyncIterator<PackBatch>): BatchCursor {
  let next: Promise<PackBatch | undefined> | undefined;
  const find = async () => {
    for (;;) {
      const result = await batches.next();
      if (result.done) return undefined;
      if (result.value.difftar.length > 0) return result.value;
    }
  };
  return {
    peek: () => (next ??= find()),
    take: () => {
      next = undefined;
    },
  };
}

function createVolumeStream(
  cursor: BatchCursor,
  envelope: Envelope,
  options: VolumeOptions,
  lastPlace: Place,
) {
  let end = lastPlace;
  let ending!: Pick<StoredVolume, 'end' | 'sha1' | 'mark' | 'isLast'>;
  let seal!: () => void;
  const sealed = new Promise<void>(resolve => {
    seal = resolve;
  });

  async function* produce(): Chunks & AsyncGenerator<Uint8Array> {
    let resumed = performance.now();
    const inFlight: { bytes: Promise<Uint8Array>; atMost: number }[] = [];
    let stored = 0;
    let pending = 0; // what the batches in flight come to if they do not shrink
    async function* finish() {
      const oldest = inFlight.shift()!;
      const bytes = await oldest.bytes;
      pending -= oldest.atMost;
      stored += bytes.length;
      const given = performance.now();
      options.pace?.worked(given - resumed);
      yield bytes;
      resumed = performance.now();
      options.pace?.waited(resumed - given);
      // Deflated, sealed, and the pieces that zlib made of it; or what little is left where buffers go round.
      tidy((envelope.recycle(bytes) ? 1 / 4 : 3) * bytes.length);
    }
    const head = await envelope.start();
    stored += head.length;
    yield head;
    let isLast = false;
    for (;;) {
      if (stored + pending + RESERVE > options.volumeSize && stored + pending > head.length) {
        if (inFlight.length === 0) break;
        yield* finish();
        continue;
      }
      const batch = await cursor.peek();
      isLast = batch === undefined;
      if (!batch) break;
      cursor.take();
      await options.onTaken(batch);
      end = batch.last!;
      const bytes = envelope.push(batch.difftar);
      bytes.then(
        () => options.onConsumed(batch),
        () => {}, // it is reported when its turn comes
      );
      inFlight.push({ bytes, atMost: batch.difftar.length });
      pending += batch.difftar.length;
      if (inFlight.length >= options.width) yield* finish();
    }
    while (inFlight.length > 0) yield* finish();
    const tail = await envelope.end();
    ending = { end, sha1: envelope.sha1(), mark: await options.mark(), isLast };
    seal();
    yield tail;
  }
  return { chunks: produce(), sealed, ending: () => ending };
}
