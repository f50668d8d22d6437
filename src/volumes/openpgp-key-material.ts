/**
 * Public and private keys for signatures: OpenPGP's parameters (RFC 9580 §5.5.5) as node:crypto has them. Everything
 * goes by way of DER, because that is the only form of node:crypto's that knows all curves and DSA.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { BackupError } from '../errors.ts';
import { der } from './der.ts';
import { Fields, padTo } from './openpgp-fields.ts';

/** Public-key algorithm ids (RFC 9580 §9.1) of keys that sign. */
export const signingAlgorithms = {
  rsa: 1,
  rsaSignOnly: 3,
  dsa: 17,
  ecdsa: 19,
  eddsaLegacy: 22,
  ed25519: 27,
  ed448: 28,
} as const;

const identifiers = {
  rsa: '2a864886f70d010101',
  dsa: '2a8648ce380401',
  ec: '2a8648ce3d0201',
  ed25519: '2b6570',
  ed448: '2b6571',
} as const;

/** The curve's name in keys of the older form: 1.3.6.1.4.1.11591.15.1. */
const ED25519_LEGACY = '2b06010401da470f01';

/** A key of any purpose that makes or checks signatures; `key` is private where its owner made it so. */
export interface SigningMaterial {
  /** OpenPGP's id. */
  readonly algorithm: number;
  readonly key: KeyObject;
}

/** What the body of a public key packet says, sorted for DER. */
interface Parameters {
  readonly algorithm: number;
  /** AlgorithmIdentifier. */
  readonly identifier: Uint8Array;
  /** Content of the BIT STRING in SubjectPublicKeyInfo. */
  readonly point: Uint8Array;
  /** RSA's modulus and exponent. */
  readonly rsa?: { readonly n: Uint8Array; readonly e: Uint8Array };
}

/**
 * The key in the body of a version 4 (or later) public key packet (RFC 9580 §5.5.2).
 * @throws BackupError `unsupported` for a key of another kind; `damaged`
 */
export function decodePublicKey(body: Uint8Array): SigningMaterial {
  const { algorithm, identifier, point } = decodeParameters(body);
  const key = der.sequence(identifier, der.bitString(point));
  return {
    algorithm,
    key: asKey(() => createPublicKey({ key: Buffer.from(key), format: 'der', type: 'spki' })),
  };
}

/**
 * The private twin.
 * @param body of the public key packet
 * @param secret numbers by their names in RFC 9580 §5.5.5: d, p, q, u for RSA; x for DSA; d for ECDSA; seed for EdDSA
 * @throws BackupError as decodePublicKey
 */
export function createPrivateMaterial(
  body: Uint8Array,
  secret: Readonly<Record<string, Uint8Array>>,
): SigningMaterial {
  const { algorithm, identifier, point, rsa } = decodeParameters(body);
  const field = (name: string): Uint8Array => {
    const value = secret[name];
    if (!value) throw unknownKey(algorithm);
    return value;
  };
  const inner = (): Uint8Array => {
    if (rsa) return rsaPrivateKey(rsa, field);
    if (algorithm === signingAlgorithms.dsa) return der.integer(field('x'));
    if (algorithm === signingAlgorithms.ecdsa) {
      const d = padTo(field('d'), (point.length - 1) / 2);
      return der.sequence(der.integer(Uint8Array.of(1)), der.octetString(d));
    }
    return der.octetString(field('seed'));
  };
  const zero = der.integer(new Uint8Array(0));
  const key = der.sequence(zero, identifier, der.octetString(inner()));
  return {
    algorithm,
    key: asKey(() => createPrivateKey({ key: Buffer.from(key), format: 'der', type: 'pkcs8' })),
  };
}

function decodeParameters(body: Uint8Array): Parameters {
  const fields = new Fields(body);
  const version = fields.uint(1);
  fields.bytes(4); // when it was created
  const algorithm = fields.uint(1);
  if (version > 4) fields.bytes(4); // length of what follows
  switch (algorithm) {
    case signingAlgorithms.rsa:
    case signingAlgorithms.rsaSignOnly: {
      const n = fields.mpi();
      const e = fields.mpi();
      const point = der.sequence(der.integer(n), der.integer(e));
      const identifier = der.sequence(der.identifier(identifiers.rsa), der.nothing());
      return { algorithm, identifier, point, rsa: { n, e } };
    }
    case signingAlgorithms.dsa: {
      const [p, q, g, y] = [fields.mpi(), fields.mpi(), fields.mpi(), fields.mpi()];
      const domain = der.sequence(der.integer(p), der.integer(q), der.integer(g));
      return {
        algorithm,
        identifier: der.sequence(der.identifier(identifiers.dsa), domain),
        point: der.integer(y),
      };
    }
    case signingAlgorithms.ecdsa: {
      const curve = fields.bytes(fields.uint(1));
      const identifier = der.sequence(der.identifier(identifiers.ec), der.identifier(curve));
      return { algorithm, identifier, point: fields.mpi() };
    }
    case signingAlgorithms.eddsaLegacy: {
      const curve = fields.bytes(fields.uint(1)).toString('hex');
      if (curve !== ED25519_LEGACY) throw unknownKey(algorithm);
      const identifier = der.sequence(der.identifier(identifiers.ed25519));
      return { algorithm, identifier, point: fields.mpi().subarray(1) }; // 0x40 stands in front
    }
    case signingAlgorithms.ed25519:
    case signingAlgorithms.ed448: {
      const long = algorithm === signingAlgorithms.ed448;
      const identifier = der.sequence(der.identifier(long ? identifiers.ed448 : identifiers.ed25519));
      return { algorithm, identifier, point: fields.bytes(long ? 57 : 32) };
    }
    default:
      throw unknownKey(algorithm);
  }
}

/** RSAPrivateKey (RFC 8017 §A.1.2). OpenPGP's `u` is the inverse of p, so its p is the second prime here. */
function rsaPrivateKey(
  { n, e }: { readonly n: Uint8Array; readonly e: Uint8Array },
  field: (name: string) => Uint8Array,
): Uint8Array {
  const [d, p, q, u] = [field('d'), field('p'), field('q'), field('u')];
  const exponent = (prime: Uint8Array) => fromBigInt(toBigInt(d) % (toBigInt(prime) - 1n));
  const numbers = [new Uint8Array(0), n, e, d, q, p, exponent(q), exponent(p), u];
  return der.sequence(...numbers.map(der.integer));
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function fromBigInt(value: bigint): Uint8Array {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length & 1), '0'), 'hex');
}

function asKey(make: () => KeyObject): KeyObject {
  try {
    return make();
  } catch (cause) {
    throw new BackupError('unsupported', 'A key has numbers that this system refuses.', {}, { cause });
  }
}

function unknownKey(algorithm: number): BackupError {
  return new BackupError(
    'unsupported',
    `Signatures of this kind of key (OpenPGP algorithm ${algorithm}) are not known here.`,
  );
}
