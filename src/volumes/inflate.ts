/** Inflating as a stage: any of zlib's engines, fed a chunk stream, checked for a true end. */

import type { Gunzip, Inflate, InflateRaw } from 'node:zlib';
import { createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { BackupError } from '../errors.ts';
import type { Chunks } from '../streams.ts';

const engines = {
  raw: createInflateRaw,
  zlib: createInflate,
  gzip: createGunzip,
} satisfies Record<string, (options: object) => InflateRaw | Inflate | Gunzip>;

const OUTPUT_PIECE = 128 * 1024;

export interface InflateOptions {
  /** `raw` only: what came out of the stream before, at least its last 32 KiB. */
  readonly dictionary?: Uint8Array;
  /** Bytes that come out at once. */
  readonly piece?: number | undefined;
}

/**
 * Inflates a stream to its end on a libuv thread; memory does not depend on what the data claims.
 * @param source must give its chunks: it is asked for the next one while zlib works
 * @param framing `gzip` takes several members, and zero bytes behind the last one
 * @returns given chunks
 * @throws BackupError `damaged` when data is broken, cut short, or followed by something else; what the source throws
 */
export async function* inflate(
  source: Chunks,
  framing: keyof typeof engines,
  { dictionary, piece = OUTPUT_PIECE }: InflateOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const engine = engines[framing]({ chunkSize: piece, ...(dictionary?.length && { dictionary }) });
  engine.on('error', () => {}); // the iterator listens only until zlib's end, the source may fail behind it
  let fed = 0;
  let contentEnd = 0; // behind the last byte that is not zero
  let letGo = () => {}; // a destroyed engine forgets to say that it is done with a chunk
  const feed = async () => {
    let writing: Promise<void> | undefined;
    for await (const chunk of source) {
      if (chunk.length === 0) continue;
      await writing;
      if (engine.destroyed) return;
      let last = chunk.length;
      while (last > 0 && chunk[last - 1] === 0) last--;
      if (last > 0) contentEnd = fed + last;
      // What zlib leaves lies behind the end of its stream. Writing more there would only confuse it.
      const goesOn = engine.bytesWritten === fed;
      fed += chunk.length;
      if (!goesOn) continue;
      writing = new Promise(resolve => {
        letGo = resolve;
        engine.write(chunk, () => resolve());
      });
    }
    engine.end();
  };
  const feeding = feed().catch(error => engine.destroy(error));
  try {
    for await (const plain of engine.iterator({ destroyOnReturn: false })) yield plain;
    await feeding;
    if (engine.errored) throw engine.errored;
  } catch (error) {
    if (!isZlibError(error)) throw error;
    throw new BackupError('damaged', 'Compressed data is damaged or cut short.', {}, { cause: error });
  } finally {
    engine.destroy();
    letGo();
    await feeding;
  }
  if (fed === 0 || (framing === 'gzip' ? contentEnd : fed) > engine.bytesWritten)
    throw new BackupError('damaged', 'Compressed data is followed by something that is not part of it.');
}

function isZlibError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('Z_');
}
