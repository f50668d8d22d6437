/**
 * Signed content (RFC 9580 §10.3): a one-pass packet that says what to hash, the literal packet, the signature. Because
 * the signature comes behind it, the literal packet must tell its own end: it comes in parts of known length, framed
 * before it is deflated. So segments of a signed message are its own and can't be shared with gzip.
 */

import { BackupError } from '../errors.ts';
import { createSignatureChecker, type SignatureChecker, type SignatureMaker } from './openpgp-digest.ts';
import type { SigningMaterial } from './openpgp-key-material.ts';
import { createPartialPacket, tags } from './openpgp-packet.ts';
import {
  BINARY_DOCUMENT,
  decodeOnePass,
  decodeSignature,
  encodeHashedPart,
  encodeOnePass,
  encodeSignature,
  type OnePass,
  trailerOf,
} from './openpgp-signature.ts';

/** A private key, wherever it lives, that signs one message after the other. */
export interface Signer {
  /** OpenPGP ids. */
  readonly algorithm: number;
  readonly hash: number;
  /** Of the key or subkey that signs: 16 and 40 upper-case hex digits. */
  readonly keyId: string;
  readonly fingerprint: string;
  /** The time that a signature of now gets, since 1970. */
  nowSeconds(): number;
  begin(): MessageSignature;
}

/** One signature in the making. */
export interface MessageSignature {
  /** @param bytes lent */
  update(bytes: Uint8Array): void;
  sign(): ReturnType<SignatureMaker['sign']> | Promise<ReturnType<SignatureMaker['sign']>>;
}

/** Called in this order: start, push any number of times, end. What comes out is given, and often empty. */
export interface SignedContent {
  start(): Uint8Array;
  /** @param bytes of the content; lent */
  push(bytes: Uint8Array): Uint8Array;
  /** @throws BackupError of the signer */
  end(): Promise<Uint8Array>;
}

/** @param head of the literal packet's body, up to its data */
export function createSignedContent(signer: Signer, head: Uint8Array): SignedContent {
  const literal = createPartialPacket(tags.literal);
  const signature = signer.begin();
  const announced: OnePass = {
    type: BINARY_DOCUMENT,
    hash: signer.hash,
    algorithm: signer.algorithm,
    keyId: signer.keyId,
  };
  return {
    start: () => Buffer.concat([encodeOnePass(announced), literal.push(head)]),
    push(bytes) {
      signature.update(bytes);
      return literal.push(bytes);
    },
    async end() {
      const hashedPart = encodeHashedPart(announced, signer.fingerprint, signer.nowSeconds());
      signature.update(trailerOf(hashedPart));
      const { digest, numbers } = await signature.sign();
      return Buffer.concat([literal.end(), encodeSignature(hashedPart, signer.keyId, digest, numbers)]);
    },
  };
}

/** A public key or subkey whose signatures count. */
export interface VerifyingKey {
  readonly material: SigningMaterial;
  /** Signatures made before or from then on do not count, since 1970; Infinity for a key that does not expire. */
  readonly fromSeconds: number;
  readonly untilSeconds: number;
}

/** By whom a message must be signed. */
export interface Verifier {
  /** The key in words for people. */
  readonly description: string;
  /** Its keys that may sign by their ids, 16 upper-case hex digits. */
  readonly keys: ReadonlyMap<string, VerifyingKey>;
}

/** Follows a message that must be signed while it is read. */
export interface SignatureWatch {
  /** @param body of the packet; lent */
  onePass(body: Uint8Array): void;
  /** @param bytes of the content; lent */
  data(bytes: Uint8Array): void;
  /** @param body of the packet; lent */
  signature(body: Uint8Array): void;
  /** Ends well if one signature counts. @throws BackupError `wrong-signature` */
  verdict(): void;
}

/** Each costs a hash over all data. */
const MAX_CHECKS = 4;

export function createSignatureWatch({ description, keys }: Verifier): SignatureWatch {
  const checks: { readonly announced: OnePass; readonly checker: SignatureChecker }[] = [];
  const signers = new Set<string>();
  let objection: string | undefined;
  let valid = false;
  return {
    onePass(body) {
      const announced = decodeOnePass(body);
      const key = announced && keys.get(announced.keyId);
      if (announced) signers.add(announced.keyId);
      if (!key || announced.type !== BINARY_DOCUMENT || key.material.algorithm !== announced.algorithm)
        return;
      if (checks.length === MAX_CHECKS) return;
      checks.push({ announced, checker: createSignatureChecker(key.material, announced.hash) });
    },
    data(bytes) {
      for (const { checker } of checks) checker.update(bytes);
    },
    signature(body) {
      const signature = decodeSignature(body);
      if (!signature) return;
      const { keyId, hash, algorithm, type, createdSeconds } = signature;
      const index = checks.findIndex(
        ({ announced: a }) =>
          a.keyId === keyId && a.hash === hash && a.algorithm === algorithm && a.type === type,
      );
      const key = keys.get(keyId);
      if (index < 0 || !key) return;
      const [{ checker }] = checks.splice(index, 1) as [(typeof checks)[0]];
      checker.update(signature.trailer);
      if (!checker.check(signature.numbers)) objection = 'its signature does not fit its content';
      else if (signature.strange) objection = 'its signature has conditions that are not known here';
      else if (createdSeconds < key.fromSeconds) objection = 'it was signed before the key was made';
      else if (createdSeconds >= key.untilSeconds) objection = 'it was signed after the key had expired';
      else valid = true;
    },
    verdict() {
      if (valid) return;
      const others = [...signers].filter(id => !keys.has(id)).map(id => `0x${id}`);
      const what =
        objection ??
        (others.length > 0 ? `it is signed by ${others.join(', ')}` : 'it has no signature that counts');
      throw new BackupError('wrong-signature', `The archive must be signed by ${description}, but ${what}.`);
    },
  };
}
