/**
 * Signature packets of version 4 over binary documents, and the one-pass packets that announce them (RFC 9580 §5.2,
 * §5.4). Other kinds are told apart, but never count as a signature of the content.
 */

import { Fields, hexOf } from './openpgp-fields.ts';
import { damaged, encodePacket, tags } from './openpgp-packet.ts';

/** Type id of a signature over a document's bytes as they are. */
export const BINARY_DOCUMENT = 0;

/** Longest body that we look into. */
export const SIGNATURE_MAX = 64 * 1024;
export const ONE_PASS_LENGTH = 13;

export interface OnePass {
  readonly type: number;
  /** OpenPGP ids. */
  readonly hash: number;
  readonly algorithm: number;
  /** Of the key that signs: 16 upper-case hex digits. */
  readonly keyId: string;
}

/** The packet that goes in front of the content. */
export function encodeOnePass({ type, hash, algorithm, keyId }: OnePass): Uint8Array {
  const last = 1; // no other one-pass packet follows
  const head = Uint8Array.of(3, type, hash, algorithm);
  return encodePacket(tags.onePassSignature, head, Buffer.from(keyId, 'hex'), Uint8Array.of(last));
}

/** @returns undefined for a version that we do not know @throws BackupError `damaged` */
export function decodeOnePass(body: Uint8Array): OnePass | undefined {
  const fields = new Fields(body);
  if (fields.uint(1) !== 3) return undefined;
  const [type, hash, algorithm] = [fields.uint(1), fields.uint(1), fields.uint(1)];
  return { type, hash, algorithm, keyId: hexOf(fields.bytes(8)) };
}

const subpackets = { created: 2, expires: 3, issuer: 16, signer: 28, fingerprint: 33 } as const;
const harmless: ReadonlySet<number> = new Set([
  subpackets.created,
  subpackets.expires, // a backup does not grow false with age
  subpackets.issuer,
  subpackets.signer,
  subpackets.fingerprint,
]);

/** The part of a signature packet that is signed together with the content. */
export function encodeHashedPart(
  { type, hash, algorithm }: OnePass,
  fingerprint: string,
  createdSeconds: number,
): Uint8Array {
  const created = Buffer.alloc(4);
  created.writeUInt32BE(createdSeconds % 2 ** 32);
  const area = Buffer.concat([
    subpacket(subpackets.fingerprint, Uint8Array.of(4), Buffer.from(fingerprint, 'hex')),
    subpacket(subpackets.created, created),
  ]);
  return Buffer.concat([Uint8Array.of(4, type, algorithm, hash, 0, area.length), area]);
}

/** What is hashed behind the content: the hashed part, and how long it is. */
export function trailerOf(hashedPart: Uint8Array): Uint8Array {
  const end = Buffer.from('04ff00000000', 'hex');
  end.writeUInt32BE(hashedPart.length, 2);
  return Buffer.concat([hashedPart, end]);
}

/**
 * The packet that goes behind the content.
 * @param digest of content and trailer
 * @param numbers as the kind of key makes them
 */
export function encodeSignature(
  hashedPart: Uint8Array,
  keyId: string,
  digest: Uint8Array,
  numbers: Uint8Array,
): Uint8Array {
  const area = subpacket(subpackets.issuer, Buffer.from(keyId, 'hex'));
  const unhashed = Buffer.concat([Uint8Array.of(0, area.length), area]);
  return encodePacket(tags.signature, hashedPart, unhashed, digest.subarray(0, 2), numbers);
}

export interface Signature extends OnePass {
  readonly createdSeconds: number;
  readonly trailer: Uint8Array;
  readonly numbers: Uint8Array;
  /** Whether it says something that must be understood and that we do not. */
  readonly strange: boolean;
}

/**
 * @param body lent as long as the result is used
 * @returns undefined for a version that we do not know
 * @throws BackupError `damaged`
 */
export function decodeSignature(body: Uint8Array): Signature | undefined {
  const fields = new Fields(body);
  if (fields.uint(1) !== 4) return undefined;
  const [type, algorithm, hash] = [fields.uint(1), fields.uint(1), fields.uint(1)];
  const hashed = fields.bytes(fields.uint(2));
  const unhashed = fields.bytes(fields.uint(2));
  fields.bytes(2); // the digest's first bytes: only a hint
  let keyId = '';
  let createdSeconds = 0;
  let strange = false;
  for (const { kind, critical, content } of subpacketsIn(hashed)) {
    if (kind === subpackets.created) createdSeconds = new Fields(content).uint(4);
    else if (kind === subpackets.fingerprint) keyId = issuerOf(content) ?? keyId;
    else if (kind === subpackets.issuer) keyId ||= hexOf(content);
    if (critical && !harmless.has(kind)) strange = true;
  }
  for (const { kind, content } of subpacketsIn(unhashed))
    if (kind === subpackets.issuer) keyId ||= hexOf(content);
  const hashedPart = body.subarray(0, 6 + hashed.length);
  const numbers = fields.rest();
  return { type, algorithm, hash, keyId, createdSeconds, trailer: trailerOf(hashedPart), numbers, strange };
}

/** The key id in a fingerprint of version 4; others sign with packets that we do not read. */
function issuerOf(content: Uint8Array): string | undefined {
  return content[0] === 4 && content.length === 21 ? hexOf(content.subarray(13)) : undefined;
}

function subpacket(kind: number, ...content: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(content);
  return Buffer.concat([Uint8Array.of(body.length + 1, kind), body]); // all of ours are short
}

interface Subpacket {
  readonly kind: number;
  readonly critical: boolean;
  readonly content: Uint8Array;
}

/** @see RFC 9580 §5.2.3.7 */
function* subpacketsIn(area: Uint8Array): Generator<Subpacket, void, void> {
  const fields = new Fields(area);
  while (fields.left > 0) {
    const first = fields.uint(1);
    const length =
      first < 192 ? first : first < 255 ? ((first - 192) << 8) + fields.uint(1) + 192 : fields.uint(4);
    if (length === 0) throw damaged('a signature holds an empty part');
    const body = fields.bytes(length);
    yield { kind: body[0]! & 0x7f, critical: body[0]! >= 0x80, content: body.subarray(1) };
  }
}
