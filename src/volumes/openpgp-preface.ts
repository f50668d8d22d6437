/**
 * What stands in front of encrypted data: for whom it is, and with what its key is found (RFC 9580 §10.3). Read to open a
 * message, and to learn of one without opening it.
 */

import { Readable } from 'node:stream';
import { BackupError } from '../errors.ts';
import type { Chunks } from '../streams.ts';
import { dearmor } from './armor.ts';
import {
  ByteSource,
  damaged,
  encodePacketHeader,
  type PacketHeader,
  readPacketBody,
  readPacketHeader,
  readSmallBody,
  tags,
} from './openpgp-packet.ts';
import {
  decodePassphrasePacket,
  decodeRecipientPacket,
  HIDDEN_KEY_ID,
  newerEncryption,
  PASSPHRASE_PACKET_MAX,
  type PassphrasePacket,
  RECIPIENT_PACKET_MAX,
  type RecipientPacket,
  recoverSessionKey,
  type SealingKey,
  type Secrets,
} from './openpgp-session.ts';

/** More than anybody writes; each one costs a key derivation. */
const MAX_PASSPHRASE_PACKETS = 16;
const MAX_RECIPIENTS = 256;

export interface Preface {
  readonly header: PacketHeader;
  readonly candidates: readonly PassphrasePacket[];
  readonly recipients: readonly RecipientPacket[];
}

/** Session key packets, up to the header of the encrypted data. */
export async function readUpToEncrypted(message: ByteSource): Promise<Preface> {
  const candidates: PassphrasePacket[] = [];
  const recipients: RecipientPacket[] = [];
  let obstacle: BackupError | undefined;
  const unlessUnsupported = (decode: () => void) => {
    try {
      decode();
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      obstacle = error;
    }
  };
  for (;;) {
    const header = await readPacketHeader(message);
    switch (header?.tag) {
      case tags.passphraseSession: {
        const body = await readSmallBody(message, header, PASSPHRASE_PACKET_MAX);
        unlessUnsupported(() => candidates.push(decodePassphrasePacket(body)));
        if (candidates.length > MAX_PASSPHRASE_PACKETS) throw damaged('it holds too many session keys');
        break;
      }
      case tags.publicKeySession: {
        const body = await readSmallBody(message, header, RECIPIENT_PACKET_MAX);
        unlessUnsupported(() => recipients.push(decodeRecipientPacket(body)));
        if (recipients.length > MAX_RECIPIENTS) throw damaged('it holds too many session keys');
        break;
      }
      case tags.marker:
      case tags.padding:
        await skip(message, header);
        break;
      case tags.encrypted:
        if (candidates.length + recipients.length === 0) throw obstacle ?? damaged('it holds no session key');
        return { header, candidates, recipients };
      case tags.encryptedWithoutIntegrity:
        throw new BackupError(
          'unsupported',
          'The archive has no integrity protection, so it can not be trusted.',
        );
      case tags.aead:
        throw newerEncryption();
      case undefined:
        throw damaged('it is empty or cut short');
      default:
        throw damaged('it is not encrypted, or begins with a packet that does not belong there');
    }
  }
}

export function isUnsupported(error: unknown): error is BackupError {
  return error instanceof BackupError && error.code === 'unsupported';
}

export async function skip(source: ByteSource, header: PacketHeader): Promise<void> {
  for await (const _ of readPacketBody(source, header));
}

/** Bytes in which a message with one passphrase tells how its key is derived. */
export const MESSAGE_HEAD = 512;

/**
 * Derives the key of a message that will be opened with the same secrets, which keep it. Never fails: whatever is wrong,
 * opening the message tells.
 * @param head the first MESSAGE_HEAD bytes, or more; nothing of them is believed
 */
export async function deriveAhead(head: Chunks, secrets: Secrets): Promise<void> {
  const message = new ByteSource(dearmor(head));
  try {
    const { candidates } = await readUpToEncrypted(message);
    if (candidates.length === 1) await recoverSessionKey(candidates[0]!, secrets);
  } catch {
  } finally {
    await message.close();
  }
}

/** Who opens a message, as it tells itself. */
export interface Openers {
  readonly passphrase: boolean;
  /** Of the public keys; HIDDEN_KEY_ID for each that it does not name. */
  readonly keyIds: readonly string[];
}

/**
 * Never fails: undefined for what is no message.
 * @param head the first MESSAGE_HEAD bytes, or more where there are public keys
 */
export async function openersOf(head: Chunks): Promise<Openers | undefined> {
  const message = new ByteSource(dearmor(head));
  try {
    const { candidates, recipients } = await readUpToEncrypted(message);
    return { passphrase: candidates.length > 0, keyIds: recipients.map(({ keyId }) => keyId) };
  } catch {
    return undefined;
  } finally {
    await message.close();
  }
}

/** The same of a key for new messages. */
export function openersOfKey({ packets }: SealingKey): Promise<Openers | undefined> {
  return openersOf(Readable.from([Buffer.concat([packets, encodePacketHeader(tags.encrypted, 0)])]));
}

/** Keys in words. @param keyIds HIDDEN_KEY_ID for those that are not named */
export function namesOfKeys(keyIds: readonly string[]): string {
  const names = keyIds.map(keyId => (keyId === HIDDEN_KEY_ID ? 'a hidden key' : `key 0x${keyId}`));
  return [...new Set(names)].join(', ');
}

/** For whom a message is, in words. */
export function namesOf(recipients: readonly RecipientPacket[]): string {
  return `which is encrypted to ${namesOfKeys(recipients.map(({ keyId }) => keyId))}`;
}
