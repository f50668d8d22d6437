/**
 * String-to-key: passphrase → symmetric key (RFC 9580 §3.7). Iterated and salted is what gpg writes by default; simple
 * and salted are read only.
 */

import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BackupError } from '../errors.ts';
import { damaged } from './openpgp-packet.ts';

export interface S2k {
  /** OpenPGP hash id (RFC 9580 §9.5). */
  readonly hash: number;
  /** 8 bytes; empty for simple S2K. */
  readonly salt: Uint8Array;
  /** Bytes to hash; 0 means salt and passphrase once. */
  readonly count: number;
}

export const hashIds = { sha1: 2, sha256: 8, sha384: 9, sha512: 10 } as const;

/** Names that node:crypto has for OpenPGP's hash ids. */
export const hashNames: Readonly<Record<number, string>> = {
  1: 'md5',
  2: 'sha1',
  3: 'ripemd160',
  8: 'sha256',
  9: 'sha384',
  10: 'sha512',
  11: 'sha224',
  12: 'sha3-256',
  14: 'sha3-512',
};

/** The octet count of gpg's default, 65011712, in its coded form. */
const CODED_COUNT_MAX = 0xff;

/** The lowest one-byte form of at least `count` octets, or the highest there is; as gpg rounds. */
export function encodeCount(count: number): number {
  for (let coded = 0; coded < CODED_COUNT_MAX; coded++) if (decodeCount(coded) >= count) return coded;
  return CODED_COUNT_MAX;
}

/** The octet count behind its one-byte form: 4 bits of mantissa, 4 of exponent. */
export function decodeCount(coded: number): number {
  return (16 + (coded & 15)) << ((coded >> 4) + 6);
}

/**
 * The specifier at the start of `bytes`.
 * @returns it and its length in bytes
 * @throws BackupError `damaged` when cut short; `unsupported` for other kinds, such as Argon2
 */
export function decodeS2k(bytes: Uint8Array): { s2k: S2k; length: number } {
  const kind = bytes[0];
  const length = kind === 0 ? 2 : kind === 1 ? 10 : kind === 3 ? 11 : 0;
  if (length === 0)
    throw new BackupError('unsupported', 'The passphrase is hashed in a way that we do not know.');
  if (bytes.length < length) throw damaged('a packet is shorter than it must be');
  return {
    s2k: {
      hash: bytes[1]!,
      salt: Uint8Array.from(bytes.subarray(2, Math.min(length, 10))),
      count: kind === 3 ? decodeCount(bytes[10]!) : 0,
    },
    length,
  };
}

const SLICE = 1024 * 1024; // about half a millisecond of hashing
const PATTERN = 64 * 1024;

/**
 * A key of `keyLength` bytes.
 * @param passphrase lent
 * @throws BackupError `unsupported` when this system lacks the hash
 */
export function deriveKey(passphrase: Uint8Array, s2k: S2k, keyLength: number): Uint8Array {
  const steps = deriving(passphrase, s2k, keyLength);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** As deriveKey, but not at once: where and when is its own affair. */
export type DeriveKey = (passphrase: Uint8Array, s2k: S2k, keyLength: number) => Promise<Uint8Array>;

/** Lets other work have its turn after every MiB. */
export const deriveKeyInTurns: DeriveKey = async (passphrase, s2k, keyLength) => {
  const steps = deriving(passphrase, s2k, keyLength);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await nextTurn();
  }
};

/**
 * deriveKey with a pause offered after every MiB: as many hashes as the key needs, the n-th led by n zero bytes.
 * @yields how many bytes were hashed since the last pause
 */
export function* deriving(
  passphrase: Uint8Array,
  s2k: S2k,
  keyLength: number,
): Generator<number, Uint8Array, void> {
  const unit = Buffer.concat([s2k.salt, passphrase]);
  const total = Math.max(s2k.count, unit.length);
  const pattern = Buffer.alloc(
    unit.length * Math.max(1, Math.ceil(PATTERN / Math.max(1, unit.length))),
    unit,
  );
  const key = Buffer.alloc(keyLength);
  for (let filled = 0, zeros = 0; filled < keyLength; zeros++) {
    const hash = newHash(s2k.hash).update(Buffer.alloc(zeros));
    for (let done = 0, paused = 0; done < total; done += pattern.length) {
      hash.update(pattern.subarray(0, total - done));
      if (done - paused < SLICE) continue;
      yield done - paused;
      paused = done;
    }
    filled += hash.digest().copy(key, filled);
  }
  return key;
}

function newHash(id: number): Hash {
  const name = hashNames[id];
  try {
    if (name !== undefined) return createHash(name);
  } catch {} // this system's crypto has no such hash
  throw new BackupError('unsupported', `The passphrase hash (OpenPGP hash ${id}) is not known here.`);
}
