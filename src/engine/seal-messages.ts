/** What the sealing thread is told and says: an answer to each request, in order. */

import type { SealingKey } from '../volumes/openpgp-session.ts';
import { SLAB_SIZE } from './batch.ts';

/** `message` tells the OpenPGP messages apart that are under way; `bytes` are a part of its content. */
export type SealRequest = { readonly message: number; readonly bytes: Uint8Array } & (
  | { readonly step: 'start'; readonly key: SealingKey }
  | { readonly step: 'push' | 'end' }
);

export interface SealAnswer {
  readonly bytes: Uint8Array;
  /** Of all that came out for the message, lower-case hex; with its end. */
  readonly sha1?: string;
}

/**
 * Length of the buffers that go round between the threads. There is room for a slab in stored blocks, and for what it
 * comes to in packets, of which up to one was held back before. No other buffers have this length.
 */
export const ROUND_LENGTH = SLAB_SIZE + 66 * 1024;

export function goesRound({ buffer }: Uint8Array): boolean {
  return buffer.byteLength === ROUND_LENGTH;
}

/** Given bytes in a buffer of their own, which can go to another thread: themselves, or a copy. */
export function whole(bytes: Uint8Array): Uint8Array {
  return goesRound(bytes) || bytes.length === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes);
}
