/** Inflating as a stage: any of zlib's engines, fed a chunk stream, checked for a true end. */

import { pipeline } from 'node:stream/promises';
import type { Gunzip, Inflate, InflateRaw } from 'node:zlib';
import { createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { BackupError } from '../errors.ts';
import type { Chunks } from '../streams.ts';

const OUTPUT_PIECE = 128 * 1024;

const engineOptions = {
  chunkSize: OUTPUT_PIECE,
  // zlib is done with a chunk before the source is asked for the next: chunks are lent.
  writableHighWaterMark: 1,
  readableHighWaterMark: OUTPUT_PIECE,
};

const engines = {
  raw: createInflateRaw,
  zlib: createInflate,
  gzip: createGunzip,
} satisfies Record<string, (options: object) => InflateRaw | Inflate | Gunzip>;

/**
 * Inflates a stream to its end on a libuv thread; memory does not depend on what the data claims.
 * @param source lent chunks are fine
 * @param framing `gzip` takes several members, and zero bytes behind the last one
 * @returns given chunks
 * @throws BackupError `damaged` when data is broken, cut short, or followed by something else; what the source throws
 */
export async function* inflate(
  source: Chunks,
  framing: keyof typeof engines,
): AsyncGenerator<Uint8Array, void, undefined> {
  const engine = engines[framing](engineOptions);
  let fed = 0;
  let contentEnd = 0; // behind the last byte that is not zero
  async function* counted(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      let last = chunk.length;
      while (last > 0 && chunk[last - 1] === 0) last--;
      if (last > 0) contentEnd = fed + last;
      fed += chunk.length;
      if (chunk.length > 0) yield chunk;
    }
  }
  const feeding = pipeline(counted, engine);
  feeding.catch(() => {}); // the loop below meets the same error
  try {
    for await (const chunk of engine) yield chunk;
    await feeding;
  } catch (error) {
    throw isZlibError(error)
      ? new BackupError('damaged', 'Compressed data is damaged or cut short.', {}, { cause: error })
      : error;
  }
  if (fed === 0 || (framing === 'gzip' ? contentEnd : fed) > engine.bytesWritten)
    throw new BackupError('damaged', 'Compressed data is followed by something that is not part of it.');
}

function isZlibError(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && code.startsWith('Z_');
}
