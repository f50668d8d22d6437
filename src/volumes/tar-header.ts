/**
 * One tar member header ⟷ bytes, written as Python's tarfile writes its default dialect, pax, to the byte: a ustar
 * block, and before it an extension member where a value does not fit or is not ASCII.
 * @see FORMAT.md, "Tar members"; POSIX pax, "ustar Interchange Format"
 */

import type { Attributes, EntryType } from '../entry.ts';
import { asciiOf, paxRecords } from './pax.ts';

export const BLOCK = 512;

/** Longest name that fits; the system takes no more than 4095 bytes at once, but trees can be deeper. */
export const MAX_NAME_LENGTH = 16 * 1024;

/** A longest name, a link target (at most 4095 bytes), owner names (at most 255 each), and the rest. */
export const MAX_HEADER_LENGTH = 3 * BLOCK + MAX_NAME_LENGTH + 8 * 1024;

const typeFlags: Readonly<Record<EntryType, number>> = {
  file: 0x30,
  symlink: 0x32,
  chardev: 0x33,
  blockdev: 0x34,
  directory: 0x35,
  fifo: 0x36,
};
const EXTENSION_FLAG = 0x78;

const MAX_ID = 8 ** 7;
const MAX_TIME = 8 ** 11;

/**
 * Writes a member's header, with the extension before it if it needs one.
 * @param target has MAX_HEADER_LENGTH bytes from `offset` on
 * @param name bytes as a latin1 string, with prefix and, for directories, the slash at the end
 * @param size bytes of data; below 8 GiB
 * @returns bytes written, a multiple of 512; they do not depend on `size`, which patchMemberSize may set later
 */
export function encodeMemberHeader(
  target: Buffer,
  offset: number,
  attributes: Attributes,
  name: string,
  size: number,
): number {
  const records = paxRecords(name, attributes);
  let at = offset;
  if (records) {
    encodeBlock(target, at, extension, '././@PaxHeader', records.length, EXTENSION_FLAG);
    at += BLOCK;
    target.set(records, at);
    target.fill(0, at + records.length, at + padded(records.length));
    at += padded(records.length);
  }
  encodeBlock(target, at, attributes, name, size, typeFlags[attributes.type]);
  return at + BLOCK - offset;
}

/** Sets the size in a header's last block, which begins at `offset`. */
export function patchMemberSize(target: Buffer, offset: number, size: number): void {
  putOctal(target, offset + 124, 11, size);
  putChecksum(target, offset);
}

/** Bytes with the padding to whole blocks. */
export function padded(size: number): number {
  return size + (-size & (BLOCK - 1));
}

const extension: Attributes = {
  ...{ type: 'file', mode: 0, uid: 0, gid: 0, uname: '', gname: '', mtimeSeconds: 0 },
  ...{ linkname: '', devMajor: 0, devMinor: 0 },
};

function encodeBlock(
  target: Buffer,
  at: number,
  attributes: Attributes,
  name: string,
  size: number,
  flag: number,
): void {
  const { type, mode, uid, gid, mtimeSeconds } = attributes;
  target.fill(0, at, at + BLOCK);
  putText(target, at, 100, name);
  putOctal(target, at + 100, 7, mode);
  putOctal(target, at + 108, 7, uid < MAX_ID ? uid : 0);
  putOctal(target, at + 116, 7, gid < MAX_ID ? gid : 0);
  putOctal(target, at + 124, 11, size);
  putOctal(target, at + 136, 11, mtimeSeconds < MAX_TIME ? mtimeSeconds : 0);
  target[at + 156] = flag;
  putText(target, at + 157, 100, attributes.linkname);
  putText(target, at + 257, 8, 'ustar\x0000');
  putText(target, at + 265, 32, attributes.uname);
  putText(target, at + 297, 32, attributes.gname);
  if (type === 'chardev' || type === 'blockdev') {
    putOctal(target, at + 329, 7, attributes.devMajor);
    putOctal(target, at + 337, 7, attributes.devMinor);
  }
  putChecksum(target, at);
}

/** ASCII bytes as they are, `?` for every other character, cut to the field; the pax record has the real bytes. */
function putText(target: Buffer, at: number, length: number, text: string): void {
  const end = Math.min(length, text.length);
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) {
      target.write(asciiOf(text).slice(0, length), at, length, 'latin1');
      return;
    }
    target[at + i] = code;
  }
}

/** Zero-padded octal digits; a NUL stands behind them already. */
function putOctal(target: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const high = Math.floor(rest / 8);
    target[i] = 0x30 + rest - high * 8;
    rest = high;
  }
}

/** Sums up what may not be zero: a quarter of the block. */
function putChecksum(target: Buffer, at: number): void {
  target.fill(0x20, at + 148, at + 156);
  let sum = sumOf(target, at + 100, at + 157) + sumOf(target, at + 257, at + 265);
  sum += sumOfText(target, at, 100) + sumOfText(target, at + 157, 100); // name, link name
  sum += sumOfText(target, at + 265, 32) + sumOfText(target, at + 297, 32); // owners
  if (target[at + 329] !== 0) sum += sumOf(target, at + 329, at + 345);
  putOctal(target, at + 148, 6, sum);
  target[at + 154] = 0;
}

function sumOf(target: Buffer, from: number, end: number): number {
  let sum = 0;
  for (let i = from; i < end; i++) sum += target[i]!;
  return sum;
}

/** What stands behind a NUL is zero. */
function sumOfText(target: Buffer, from: number, length: number): number {
  let sum = 0;
  for (let i = from; i < from + length && target[i] !== 0; i++) sum += target[i]!;
  return sum;
}
