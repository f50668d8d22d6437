/**
 * Making and checking the numbers of a signature (RFC 9580 §5.2.3) while the signed bytes stream by. Where the scheme
 * takes a digest we hash; where node:crypto only takes the bytes themselves (DSA and ECDSA) they go there as well.
 */

import {
  constants,
  createHash,
  createSign,
  createVerify,
  type Hash,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import { BackupError } from '../errors.ts';
import { der } from './der.ts';
import { encodeMpi, Fields, padTo } from './openpgp-fields.ts';
import { type SigningMaterial, signingAlgorithms } from './openpgp-key-material.ts';
import { hashNames } from './openpgp-s2k.ts';

/** What stands in front of a digest that RSA signs: the hash's name in DER (RFC 8017 §9.2). */
const digestIdentifiers: Readonly<Record<number, string>> = {
  2: '2b0e03021a',
  8: '608648016503040201',
  9: '608648016503040202',
  10: '608648016503040203',
  11: '608648016503040204',
  12: '608648016503040208',
  14: '60864801650304020a',
};

/** @throws BackupError `unsupported` for hashes that we do not know, or that are broken (MD5) */
export function createDigest(hash: number): Hash {
  const name = hashNames[hash];
  try {
    if (name !== undefined && digestIdentifiers[hash] !== undefined) return createHash(name);
  } catch {} // this system's crypto has no such hash
  throw new BackupError('unsupported', `A signature's hash (OpenPGP hash ${hash}) is not trusted here.`);
}

interface Sink {
  /** @param bytes lent */
  update(bytes: Uint8Array): void;
}

export interface SignatureMaker extends Sink {
  /** Ends it. The digest, and the signature's numbers as the packet ends with them. */
  sign(): { readonly digest: Uint8Array; readonly numbers: Uint8Array };
}

/** @throws BackupError `unsupported` for an unknown hash */
export function createSignatureMaker({ algorithm, key }: SigningMaterial, hash: number): SignatureMaker {
  const digesting = createDigest(hash);
  const twin = takesBytes(algorithm) ? createSign(hashNames[hash]!) : undefined;
  return {
    update(bytes) {
      digesting.update(bytes);
      twin?.update(bytes);
    },
    sign() {
      const digest = digesting.digest();
      if (twin) {
        const joined = twin.sign({ key, dsaEncoding: 'ieee-p1363' });
        return { digest, numbers: encodeHalves(joined) };
      }
      if (isRsa(algorithm)) {
        const padded = { key, padding: constants.RSA_PKCS1_PADDING };
        return { digest, numbers: encodeMpi(privateEncrypt(padded, digestInfo(hash, digest))) };
      }
      const joined = signBytes(null, digest, key);
      return { digest, numbers: algorithm === signingAlgorithms.eddsaLegacy ? encodeHalves(joined) : joined };
    },
  };
}

export interface SignatureChecker extends Sink {
  /** Ends it. Whether the numbers are a signature of what was pushed. @throws BackupError `damaged` */
  check(numbers: Uint8Array): boolean;
}

/** @throws BackupError `unsupported` for an unknown hash */
export function createSignatureChecker({ algorithm, key }: SigningMaterial, hash: number): SignatureChecker {
  if (takesBytes(algorithm)) {
    createDigest(hash);
    const verifying = createVerify(hashNames[hash]!);
    return {
      update: bytes => verifying.update(bytes),
      check(numbers) {
        const fields = new Fields(numbers);
        return verifying.verify(key, der.sequence(der.integer(fields.mpi()), der.integer(fields.mpi())));
      },
    };
  }
  const digesting = createDigest(hash);
  return {
    update: bytes => digesting.update(bytes),
    check(numbers) {
      const digest = digesting.digest();
      const fields = new Fields(numbers);
      if (isRsa(algorithm)) return rsaHolds(key, fields.mpi(), digestInfo(hash, digest));
      const joined =
        algorithm === signingAlgorithms.eddsaLegacy
          ? Buffer.concat([padTo(fields.mpi(), 32), padTo(fields.mpi(), 32)])
          : fields.rest();
      return verifyBytes(null, digest, key, joined);
    },
  };
}

function takesBytes(algorithm: number): boolean {
  return algorithm === signingAlgorithms.dsa || algorithm === signingAlgorithms.ecdsa;
}

function isRsa(algorithm: number): boolean {
  return algorithm === signingAlgorithms.rsa || algorithm === signingAlgorithms.rsaSignOnly;
}

function digestInfo(hash: number, digest: Uint8Array): Buffer {
  const name = der.sequence(der.identifier(digestIdentifiers[hash]!), der.nothing());
  return Buffer.from(der.sequence(name, der.octetString(digest)));
}

/** The whole recovered message must be the expected one, so nothing can hide in the padding. */
function rsaHolds(key: KeyObject, number: Uint8Array, expected: Buffer): boolean {
  const length = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  try {
    const recovered = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, padTo(number, length));
    return recovered.equals(expected);
  } catch {
    return false; // larger than the modulus, or no such padding inside
  }
}

function encodeHalves(joined: Uint8Array): Uint8Array {
  const half = joined.length / 2;
  return Buffer.concat([encodeMpi(joined.subarray(0, half)), encodeMpi(joined.subarray(half))]);
}
