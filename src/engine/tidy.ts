/**
 * Buffers live outside the JavaScript heap, and V8 hardly feels their weight: garbage of the pipeline would stay for
 * tens of MiB. A young collection now and then, which takes about a millisecond, keeps it small.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Chunks } from '../streams.ts';

/** Bytes that may pass between two collections. */
const INTERVAL = 6 * 1024 * 1024;
let since = 0; // of all that the thread does side by side

/** @param bytes of buffers that have become garbage */
export function tidy(bytes: number): void {
  since += bytes;
  if (since < INTERVAL) return;
  since = 0;
  keepYoungSmall(); // each time, as V8 forgets it when a thread starts
  collectYoung ??= exposeCollection();
  collectYoung?.({ type: 'minor' });
}

/** The same chunks. @param copies how often the bytes of each become garbage on their way */
export async function* tidied(source: Chunks, copies: number): Chunks & AsyncGenerator<Uint8Array> {
  for await (const bytes of source) {
    yield bytes;
    tidy(copies * bytes.length);
  }
}

/**
 * The young generation as large as it is: V8 lets it grow by what survives in it, to 32 MiB and from Node.js 24 on to 128,
 * and with collections as many as here that brings no speed. Another V8 may not know the flag, and would say so.
 */
export function keepYoungSmall(): void {
  setYoungGrowth(1);
}

/** For the whole process. */
export function growYoungAsUsual(): void {
  setYoungGrowth(2);
}

function setYoungGrowth(factor: number): void {
  if (/^1[1-4]\./.test(process.versions.v8)) setFlagsFromString(`--semi-space-growth-factor=${factor}`);
}

let collectYoung: ReturnType<typeof exposeCollection> | undefined;

/** @returns undefined if another thread, which has the same flags, hid it again before we had it: for the next time */
function exposeCollection() {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('globalThis.gc') as ((options: { type: 'minor' }) => void) | undefined;
  setFlagsFromString('--no-expose-gc'); // code that is kept compiled fits the flags of its time only
  return collect;
}
