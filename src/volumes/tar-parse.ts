/** One tar header block → value, and the records of a pax extension; strangers' bytes, so every field is checked. */

import { pathOf } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import { BLOCK } from './tar-header.ts';

export interface RawHeader {
  readonly name: string;
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly linkname: string;
  readonly uname: string;
  readonly gname: string;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Values that an extension gives to the next member, or to all. */
export interface Extension {
  path?: string;
  linkpath?: string;
  uname?: string;
  gname?: string;
  uid?: number;
  gid?: number;
  size?: number;
  mtime?: number;
}

export function damagedTar(what: string): BackupError {
  return new BackupError('damaged', `A tar stream ${what}.`);
}

/**
 * @param block 512 bytes
 * @returns undefined for a block of zeros
 * @throws BackupError `damaged` for a wrong checksum or number
 */
export function parseHeader(block: Buffer): RawHeader | undefined {
  if (block[0] === 0 && block[BLOCK - 1] === 0 && block[148] === 0 && block.every(byte => byte === 0))
    return undefined;
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i]!;
  if (number(block, 148, 8) !== sum) throw damagedTar('has a header whose checksum is wrong');
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    flag: String.fromCharCode(block[156]!),
    mode: number(block, 100, 8),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: sizeOf(number(block, 124, 12)),
    mtime: number(block, 136, 12),
    linkname: text(block, 157, 100),
    uname: text(block, 265, 32),
    gname: text(block, 297, 32),
    devMajor: number(block, 329, 8),
    devMinor: number(block, 337, 8),
  };
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return block.toString('latin1', at, end < 0 || end > at + length ? at + length : end);
}

/** Octal digits, or base 256 where the first bit is set (GNU). An empty field is 0. */
function number(block: Buffer, at: number, length: number): number {
  if (block[at]! & 0x80) {
    const negative = block[at] === 0xff;
    let value = negative ? -1 : block[at]! & 0x7f;
    for (let i = at + 1; i < at + length; i++) value = value * 256 + block[i]!;
    if (!Number.isSafeInteger(value)) throw damagedTar('has a number that is far too large');
    return value;
  }
  let value = 0;
  for (let i = at; i < at + length; i++) {
    const byte = block[i]!;
    if (byte >= 0x30 && byte <= 0x37) value = value * 8 + byte - 0x30;
    else if (byte === 0 || (byte === 0x20 && value > 0)) break;
    else if (byte !== 0x20) throw damagedTar('has a number that is none');
  }
  return value;
}

function sizeOf(value: number): number {
  if (value < 0) throw damagedTar('has a member of negative size');
  return value;
}

/** @throws BackupError `damaged` */
export function parsePaxRecords(bytes: Buffer): Extension {
  const extension: Extension = {};
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] === 0) break;
    const space = bytes.indexOf(0x20, at);
    const length = space > at && space - at < 8 ? Number(bytes.toString('latin1', at, space)) : Number.NaN;
    const end = at + length;
    if (!(length > space - at + 1) || end > bytes.length || bytes[end - 1] !== 0x0a) {
      throw damagedTar('has a pax record that is broken');
    }
    const equals = bytes.indexOf(0x3d, space);
    if (equals < 0 || equals >= end) throw damagedTar('has a pax record without a value');
    setValue(extension, bytes.toString('latin1', space + 1, equals), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
  return extension;
}

function setValue(extension: Extension, keyword: string, value: Buffer): void {
  switch (keyword) {
    case 'path':
    case 'linkpath':
    case 'uname':
    case 'gname':
      extension[keyword] = pathOf(value);
      return;
    case 'uid':
    case 'gid':
    case 'size':
    case 'mtime': {
      const parsed = Math.floor(Number(value.toString('latin1')));
      if (!Number.isSafeInteger(parsed)) throw damagedTar('has a pax number that is none');
      extension[keyword] = keyword === 'size' ? sizeOf(parsed) : parsed;
    }
  }
}
