/** Fields of a packet's body (RFC 9580 §3): numbers, byte runs, and MPIs (multiprecision integers, §3.2). */

import { damaged } from './openpgp-packet.ts';

/** Reads the fields of a body in order; none may reach beyond its end. */
export class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  /** @param bytes lent as long as what was read from them is used */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many bytes have not been read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** @throws BackupError `damaged` when fewer are left */
  bytes(length: number): Buffer {
    if (length > this.left) throw damaged('a packet is shorter than it must be');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A big-endian number of 1 to 4 bytes. */
  uint(length: 1 | 2 | 4): number {
    return this.bytes(length).readUIntBE(0, length);
  }

  /** The bytes of an integer, with no zero byte in front if it was well made. */
  mpi(): Buffer {
    return this.bytes((this.uint(2) + 7) >> 3);
  }

  rest(): Buffer {
    return this.bytes(this.left);
  }
}

/** @param value big-endian; zeros in front are taken off */
export function encodeMpi(value: Uint8Array): Uint8Array {
  const bytes = withoutLeadingZeros(value);
  const out = Buffer.alloc(2 + bytes.length);
  if (bytes.length > 0) out.writeUInt16BE(bytes.length * 8 - (Math.clz32(bytes[0]!) - 24));
  out.set(bytes, 2);
  return out;
}

export function withoutLeadingZeros(value: Uint8Array): Uint8Array {
  let from = 0;
  while (from < value.length && value[from] === 0) from++;
  return value.subarray(from);
}

/** A big-endian number with zeros in front, `length` bytes long; a longer one stays as it is. */
export function padTo(value: Uint8Array, length: number): Uint8Array {
  const bytes = withoutLeadingZeros(value);
  return bytes.length >= length ? bytes : Buffer.concat([Buffer.alloc(length - bytes.length), bytes]);
}

/** Upper-case hex, as people know key ids. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex').toUpperCase();
}
