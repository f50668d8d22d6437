/** gzip framing (RFC 1952) of raw deflate segments, and reading of any gzip. */

import type { Chunks } from '../streams.ts';
import { inflate } from './inflate.ts';

/**
 * The header that duplicity writes: no name, no extra flags, system "unknown".
 * @param mtimeSeconds since 1970, kept modulo 2^32
 * @see FORMAT.md, "gzip"
 */
export function gzipHeader(mtimeSeconds: number): Uint8Array {
  const header = Buffer.from('1f8b0800' + '00000000' + '00ff', 'hex');
  header.writeUInt32LE(mtimeSeconds % 2 ** 32, 4);
  return header;
}

/** What follows the deflate stream: CRC-32 and length modulo 2^32 of the plain bytes. */
export function gzipTrailer(crc: number, length: number): Uint8Array {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(length % 2 ** 32, 4);
  return trailer;
}

/**
 * Plain bytes of a gzip file of one or more members; zero bytes may follow the last.
 * @param source lent chunks are fine
 * @param piece bytes that come out at once; default: as many as are fastest
 * @returns given chunks; only when the stream ends well, what came is known to be whole
 * @throws BackupError `damaged` on a wrong checksum, truncation or anything else that is not gzip
 */
export function gunzip(source: Chunks, piece?: number): AsyncGenerator<Uint8Array, void, undefined> {
  return inflate(copies(source), 'gzip', { piece });
}

/** Lent chunks made given, which costs far less than waiting for zlib before the next read. */
async function* copies(source: Chunks): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) yield Uint8Array.from(chunk);
}
