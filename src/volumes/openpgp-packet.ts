/**
 * OpenPGP packet framing (RFC 9580 §4): headers old and new, bodies of fixed, partial and indeterminate length.
 * Reading pulls from a chunk stream with bounded memory; writing cuts a body of unknown length into parts of 64 KiB.
 */

import type { Allocate } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import type { Chunks } from '../streams.ts';

/** Packet type ids (RFC 9580 §5). */
export const tags = {
  publicKeySession: 1,
  signature: 2,
  passphraseSession: 3,
  onePassSignature: 4,
  compressed: 8,
  encryptedWithoutIntegrity: 9,
  marker: 10,
  literal: 11,
  encrypted: 18,
  aead: 20,
  padding: 21,
} as const;

export interface PacketHeader {
  readonly tag: number;
  /** Bytes of the body, or of its first part; Infinity when it reaches to the end of what encloses it. */
  readonly length: number;
  /** Whether another part follows the first. */
  readonly partial: boolean;
}

export function damaged(what: string): BackupError {
  return new BackupError('damaged', `The OpenPGP message is damaged: ${what}.`);
}

/** Reads a chunk stream by bytes and spans; never holds more than the current chunk. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** @param source lent chunks are fine */
  constructor(source: Chunks) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** How many bytes are at hand without waiting. */
  get available(): number {
    return this.#chunk.length - this.#at;
  }

  /** Makes at least one byte available; false at the end of the stream. Ends what `take` lent. */
  async fill(): Promise<boolean> {
    while (this.available === 0) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      this.#chunk = next.value;
      this.#at = 0;
    }
    return true;
  }

  /** Up to `most` of the bytes at hand, lent until the next `fill`. */
  take(most: number): Uint8Array {
    const span = this.#chunk.subarray(this.#at, this.#at + Math.min(most, this.available));
    this.#at += span.length;
    return span;
  }

  /** @throws BackupError `damaged` at the end of the stream */
  async byte(): Promise<number> {
    if (this.available === 0 && !(await this.fill())) throw damaged('it is cut short');
    return this.#chunk[this.#at++]!;
  }

  /**
   * Exactly `length` bytes, given; the caller bounds `length`.
   * @throws BackupError `damaged` when the stream ends before
   */
  async read(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length; ) {
      if (!(await this.fill())) throw damaged('it is cut short');
      const span = this.take(length - filled);
      bytes.set(span, filled);
      filled += span.length;
    }
    return bytes;
  }

  /** Lets go of the stream before its end. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/**
 * The next packet's header, or undefined at the end of the stream.
 * @throws BackupError `damaged`
 */
export async function readPacketHeader(source: ByteSource): Promise<PacketHeader | undefined> {
  if (!(await source.fill())) return undefined;
  const first = await source.byte();
  if ((first & 0x80) === 0) throw damaged('a packet does not begin where one should');
  if (first & 0x40) return { tag: first & 0x3f, ...(await readLength(source)) };
  const tag = (first >> 2) & 0x0f;
  const lengthType = first & 3;
  if (lengthType === 3) return { tag, length: Number.POSITIVE_INFINITY, partial: false };
  const length = (await source.read(1 << lengthType)).readUIntBE(0, 1 << lengthType);
  return { tag, length, partial: false };
}

/** A length of the new format (RFC 9580 §4.2.1). */
async function readLength(source: ByteSource): Promise<{ length: number; partial: boolean }> {
  const first = await source.byte();
  if (first < 192) return { length: first, partial: false };
  if (first < 224) return { length: ((first - 192) << 8) + (await source.byte()) + 192, partial: false };
  if (first < 255) return { length: 2 ** (first & 0x1f), partial: true };
  return { length: (await source.read(4)).readUInt32BE(), partial: false };
}

/**
 * The body behind a header, its parts joined; one chunk out for every chunk in.
 * @returns lent chunks
 * @throws BackupError `damaged` when the stream ends before the body
 */
export async function* readPacketBody(
  source: ByteSource,
  header: PacketHeader,
): AsyncGenerator<Uint8Array, void, undefined> {
  let { length: left, partial } = header;
  let spans: Uint8Array[] = [];
  for (;;) {
    while (left > 0) {
      if (source.available === 0) {
        if (spans.length > 0) yield joined(spans);
        spans = [];
        if (!(await source.fill())) {
          if (left === Number.POSITIVE_INFINITY) return;
          throw damaged('it is cut short');
        }
      }
      const span = source.take(left);
      left -= span.length;
      if (span.length < LARGE) spans.push(span);
      else {
        if (spans.length > 0) yield joined(spans);
        spans = [];
        yield span;
      }
    }
    if (!partial) break;
    if (source.available < 5 && spans.length > 0) {
      yield joined(spans); // the next length may reach into the next chunk, which would end what is lent
      spans = [];
    }
    ({ length: left, partial } = await readLength(source));
  }
  if (spans.length > 0) yield joined(spans);
}

/** To join spans that are so long would cost more than it saves. */
const LARGE = 32 * 1024;

function joined(spans: Uint8Array[]): Uint8Array {
  return spans.length === 1 ? spans[0]! : Buffer.concat(spans);
}

/**
 * The whole body of a packet that is known to be small, given.
 * @throws BackupError `damaged` when it is longer than `most` bytes, or cut short
 */
export async function readSmallBody(source: ByteSource, header: PacketHeader, most: number): Promise<Buffer> {
  if (header.partial || header.length > most) throw damaged('a packet is longer than it can be');
  return source.read(header.length);
}

/** Header of a new-format packet whose length is known. */
export function encodePacketHeader(tag: number, length: number): Uint8Array {
  return Buffer.concat([Uint8Array.of(0xc0 | tag), encodeLength(length)]);
}

/** A whole packet of the new format. */
export function encodePacket(tag: number, ...body: readonly Uint8Array[]): Uint8Array {
  const length = body.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([encodePacketHeader(tag, length), ...body]);
}

function encodeLength(length: number): Uint8Array {
  if (length < 192) return Uint8Array.of(length);
  if (length < 8384) return Uint8Array.of(((length - 192) >> 8) + 192, (length - 192) & 0xff);
  const bytes = Buffer.alloc(5, 0xff);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

const PART_BITS = 16;
const PART = 1 << PART_BITS;
const PART_MARK = 224 + PART_BITS;

/** A packet whose length is not known at its start, in parts of 64 KiB; the bytes do not depend on how it was pushed. */
export interface PartialPacket {
  /**
   * @param bytes lent, copied
   * @param through what becomes of spans of them, of 64 KiB at most, on their way; keeps their length
   * @returns parts that are full, given; often empty
   */
  push(bytes: Uint8Array, through?: (span: Uint8Array) => Uint8Array): Uint8Array;
  /** @returns the rest of the packet, given */
  end(): Uint8Array;
}

/** @param allocate where full parts are written */
export function createPartialPacket(tag: number, allocate: Allocate = Buffer.allocUnsafeSlow): PartialPacket {
  const slab = Buffer.allocUnsafeSlow(PART);
  let held = 0;
  let begun = false;
  const tagByte = Uint8Array.of(0xc0 | tag);
  return {
    push(bytes, through = span => span) {
      let parts = Math.floor((held + bytes.length) / PART);
      if (parts === 0) {
        slab.set(through(bytes), held);
        held += bytes.length;
        return new Uint8Array(0);
      }
      const out = allocate((begun ? 0 : 1) + parts * (1 + PART));
      let to = 0;
      let from = 0;
      if (!begun) out[to++] = tagByte[0]!;
      begun = true;
      for (; parts > 0; parts--) {
        out[to++] = PART_MARK;
        out.set(slab.subarray(0, held), to);
        out.set(through(bytes.subarray(from, from + PART - held)), to + held);
        from += PART - held;
        to += PART;
        held = 0;
      }
      slab.set(through(bytes.subarray(from)));
      held = bytes.length - from;
      return out;
    },
    end() {
      return Buffer.concat([begun ? new Uint8Array(0) : tagByte, encodeLength(held), slab.subarray(0, held)]);
    },
  };
}
