/**
 * Pax extension records: which values of a member need one, and their bytes.
 * @see FORMAT.md, "Tar members"; POSIX pax, "pax Extended Header"
 */

import { bytesOf, pathOf } from '../bytes.ts';
import type { Attributes } from '../entry.ts';

const MAX_ID = 8 ** 7;
const MAX_TIME = 8 ** 11;

type PaxRecord = [keyword: string, value: string];

/** The records of a member in the order that Python's tarfile gives them; undefined if it needs none, as most do. */
export function paxRecords(name: string, attributes: Attributes): Buffer | undefined {
  const { linkname, uname, gname, uid, gid, mtimeSeconds } = attributes;
  const records: PaxRecord[] = [];
  addText(records, 'path', name, 100);
  addText(records, 'linkpath', linkname, 100);
  addText(records, 'uname', uname, 32);
  addText(records, 'gname', gname, 32);
  addNumber(records, 'uid', uid, MAX_ID);
  addNumber(records, 'gid', gid, MAX_ID);
  addNumber(records, 'mtime', mtimeSeconds, MAX_TIME);
  if (records.length === 0) return undefined;
  if (records.some(([, value]) => !isUtf8(value))) records.unshift(['hdrcharset', 'BINARY']);
  return bytesOf(records.map(([keyword, value]) => formatRecord(keyword, value)).join(''));
}

/** `<length> <keyword>=<value>\n`, where the length counts its own digits. */
function formatRecord(keyword: string, value: string): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function addText(records: PaxRecord[], keyword: string, value: string, length: number): void {
  if (value.length > length || !isAscii(value)) records.push([keyword, value]);
}

function addNumber(records: PaxRecord[], keyword: string, value: number, bound: number): void {
  if (value >= bound) records.push([keyword, String(value)]);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

const strict = new TextDecoder('utf-8', { fatal: true });

function isUtf8(value: string): boolean {
  if (isAscii(value)) return true;
  try {
    strict.decode(bytesOf(value));
    return true;
  } catch {
    return false;
  }
}

/** `?` for every character that is not ASCII, and for every byte that is no character. */
export function asciiOf(value: string): string {
  const bytes = bytesOf(value);
  let out = '';
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    out += bytes[at]! < 0x80 ? String.fromCharCode(bytes[at]!) : '?';
    at += length;
  }
  return out;
}

/** Bytes of the UTF-8 character at a place; 1 where there is none. */
function characterLength(bytes: Buffer, at: number): number {
  const lead = bytes[at]!;
  const length = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
  if (length === 1) return 1;
  return isUtf8(pathOf(bytes.subarray(at, at + length))) && at + length <= bytes.length ? length : 1;
}
