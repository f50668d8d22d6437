/** ASCII armor (RFC 9580 §6): base64 between header and footer lines, with an optional CRC-24. Read only. */

import { BackupError } from '../errors.ts';
import type { Chunks } from '../streams.ts';

const BEGIN = '-----BEGIN PGP MESSAGE-----';
const END = '-----END PGP MESSAGE-----';
/** Lines are 64 or 76 characters as a rule; a stranger's must not fill the memory. */
const MAX_LINE = 64 * 1024;

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const sextets = new Int8Array(256).fill(-1);
for (let i = 0; i < alphabet.length; i++) sextets[alphabet.charCodeAt(i)] = i;

const crcTable = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  let crc = i << 16;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x800000 ? 0x1864cfb : 0);
  crcTable[i] = crc & 0xffffff;
}

/** CRC-24 as OpenPGP has it (RFC 9580 §6.1.1), continued from `crc`. */
export function crc24(bytes: Uint8Array, crc = 0xb704ce): number {
  for (let i = 0; i < bytes.length; i++)
    crc = ((crc << 8) ^ crcTable[((crc >> 16) ^ bytes[i]!) & 0xff]!) & 0xffffff;
  return crc;
}

/**
 * The binary message, whether or not the stream is armored: a binary one begins with a byte above 127.
 * @param source lent chunks are fine
 * @returns lent chunks
 * @throws BackupError `damaged` for broken or unfinished armor, `unsupported` for what gpgsm has sealed
 */
export async function* dearmor(source: Chunks): AsyncGenerator<Uint8Array, void, undefined> {
  let armor: ReturnType<typeof createDearmorer> | undefined;
  let binary = false;
  for await (const chunk of source) {
    if (chunk.length === 0) continue;
    if (!armor && !binary) {
      if (isCms(chunk)) throw sealedByGpgsm();
      if (chunk[0]! > 0x7f) binary = true;
      else armor = createDearmorer();
    }
    yield armor ? armor.push(chunk) : chunk;
  }
  if (armor) yield armor.end();
}

/** "Enveloped data", as an ASN.1 object identifier: what a CMS message (S/MIME, PKCS #7) begins with, after two lengths. */
const ENVELOPED_DATA = Buffer.from('06092a864886f70d010703', 'hex');

function isCms(head: Uint8Array): boolean {
  return head[0] === 0x30 && Buffer.from(head.subarray(0, 32)).includes(ENVELOPED_DATA);
}

function sealedByGpgsm(): BackupError {
  return new BackupError(
    'unsupported',
    'The archive is sealed by gpgsm (S/MIME); duplicity 3.1 restores it, with --use-gpgsm.',
  );
}

/** The machine behind `dearmor`: line by line, strict about every character. */
export function createDearmorer() {
  let place: 'before' | 'headers' | 'body' | 'after' = 'before';
  let unfinished = ''; // the line whose end has not come yet
  let bits = 0;
  let bitCount = 0;
  let padding = 0;
  let crc = crc24(new Uint8Array(0));
  let claimed: number | undefined;

  /** Decodes base64 digits to `out` from `at`; a quantum may continue on the next line. */
  const decode = (text: string, out: Uint8Array, at: number): number => {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      const sextet = sextets[code]!;
      if (code === 0x3d) {
        if (++padding > 2) throw damagedArmor();
        continue;
      }
      if (sextet < 0 || padding > 0) throw damagedArmor();
      bits = ((bits << 6) | sextet) & 0xffffff;
      bitCount += 6;
      if (bitCount >= 8) {
        bitCount -= 8;
        out[at++] = bits >> bitCount;
      }
    }
    return at;
  };
  /** After the last digit: padding fits, and the bits that are left over are zero. */
  const endQuantum = (): void => {
    if (bitCount !== padding * 2 || (bits & ((1 << bitCount) - 1)) !== 0) throw damagedArmor();
    bits = bitCount = padding = 0;
  };
  const takeLine = (line: string, out: Uint8Array, at: number): number => {
    if (place === 'body') {
      if (line === END) {
        if (claimed === undefined) endQuantum();
        place = 'after';
      } else if (claimed !== undefined) {
        throw damagedArmor();
      } else if (line.length === 5 && line.startsWith('=')) {
        endQuantum();
        const sum = new Uint8Array(3);
        if (decode(line.slice(1), sum, 0) !== 3) throw damagedArmor();
        claimed = (sum[0]! << 16) | (sum[1]! << 8) | sum[2]!;
      } else {
        return decode(line, out, at);
      }
    } else if (place === 'headers') {
      if (line === '') place = 'body';
      else if (!/^[\x21-\x7e]+: /.test(`${line} `)) throw damagedArmor();
    } else if (place === 'before' && line === BEGIN) {
      place = 'headers';
    } else if (line !== '') {
      throw damagedArmor();
    }
    return at;
  };

  return {
    /** @param chunk lent @returns what it decodes to, given */
    push(chunk: Uint8Array): Uint8Array {
      const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
      const lines = (unfinished + text).split('\n');
      unfinished = lines.pop()!;
      if (unfinished.length > MAX_LINE) throw damagedArmor();
      const out = Buffer.allocUnsafe(text.length + MAX_LINE);
      let at = 0;
      for (const line of lines) at = takeLine(line.trimEnd(), out, at);
      const decoded = out.subarray(0, at);
      crc = crc24(decoded, crc);
      return decoded;
    },
    /** @throws BackupError `damaged` when the footer is missing or the checksum differs */
    end(): Uint8Array {
      const rest = this.push(Uint8Array.of(0x0a));
      if (place !== 'after' || (claimed !== undefined && claimed !== crc)) throw damagedArmor();
      return rest;
    },
  };
}

function damagedArmor(): BackupError {
  return new BackupError('damaged', 'The armor (text form) of the OpenPGP message is damaged.');
}
