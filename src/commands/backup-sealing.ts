/** How the objects of a set are wrapped: for whom, by whom, with which key and on which thread. */

import { type PackBatch, SLAB_SIZE } from '../engine/batch.ts';
import type { KeysOfSet } from '../engine/journal.ts';
import type { Recipients } from '../keys/recipients.ts';
import { endOf, type SetId } from '../manifest/names.ts';
import type { EnvelopeForm, EnvelopeOptions, OpenSealer } from '../volumes/envelope.ts';
import { isIncompressible } from '../volumes/incompressible.ts';
import { namesOfKeys, type Openers, openersOfKey } from '../volumes/openpgp-preface.ts';
import type { DeriveKey } from '../volumes/openpgp-s2k.ts';
import { HIDDEN_KEY_ID, prepareSessionKey, type SealingKey } from '../volumes/openpgp-session.ts';
import type { Signer } from '../volumes/openpgp-signed.ts';
import { type Archive, formOf } from './archive.ts';
import type { BackupRequest } from './backup-setting.ts';
import type { Host } from './host.ts';
import { createKeysAhead } from './keys-ahead.ts';

export function wantedForm({ encrypt, compress }: BackupRequest): EnvelopeForm {
  return formOf({ encrypted: encrypt, compressed: compress });
}

/** Whom objects are for, unless for who knows the passphrase; and who signs them. */
export interface Sealing {
  readonly recipients: Recipients | undefined;
  readonly signer: Signer | undefined;
}

/**
 * Warns when nobody who opens `before` opens what is sealed now: a restore then takes two secrets, one of which its owner
 * may believe out of use.
 */
export async function warnOfOtherOpeners(
  before: Openers | undefined,
  { recipients }: Sealing,
  host: Host,
): Promise<void> {
  if (!before) return;
  const now = recipients ? await openersOfKey(await recipients.prepareSessionKey(host.random)) : ofPassphrase;
  if (!now || (before.passphrase && now.passphrase)) return;
  const mayBe = (id: string, other: string) =>
    id === other || id === HIDDEN_KEY_ID || other === HIDDEN_KEY_ID;
  if (before.keyIds.some(id => now.keyIds.some(other => mayBe(id, other)))) return;
  const message = `What is there of this chain was sealed for ${namesOf(before)}, and what comes is sealed for ${namesOf(now)}: to restore it takes both. A full backup begins a chain of its own.`;
  host.reporter.report({ level: 'warning', code: 'other-secret', message });
}

const ofPassphrase: Openers = { passphrase: true, keyIds: [] };

function namesOf({ passphrase, keyIds }: Openers): string {
  return passphrase ? 'a passphrase' : namesOfKeys(keyIds);
}

/** Looked up before anything is stored. */
export async function sealingOf(
  { encrypt, keys: choice }: BackupRequest,
  { keys }: Archive,
): Promise<Sealing> {
  if (!encrypt || !choice) return { recipients: undefined, signer: undefined };
  const ring = await keys();
  return { recipients: await ring.recipients(), signer: await ring.signer() };
}

/** What a run that continues the set must have, too: no single key would open it all else. */
export function keysOfSet({ recipients, signer }: Sealing): KeysOfSet {
  return { recipients: recipients?.fingerprints ?? [], signer: signer?.fingerprint };
}

/** How the objects of a set are wrapped, each with a session key of its own. */
export interface Envelopes {
  ofVolume(openSealer?: OpenSealer): Promise<EnvelopeOptions>;
  /** Signatures or manifest. */
  ofMetadata(): Promise<EnvelopeOptions>;
  /** A place where keys are derived; nothing is sealed with the passphrase without one. */
  deriveWith(deriveKey?: DeriveKey): void;
  /** No more keys are made. */
  close(): void;
}

export function createEnvelopes(
  request: BackupRequest,
  form: EnvelopeForm,
  set: SetId,
  host: Host,
  { recipients, signer }: Sealing,
  hasTime: () => boolean,
): Envelopes {
  const mtimeSeconds = endOf(set);
  const deflate = { level: request.level, hasTime, dictionary: false };
  const secrets = { passphrase: () => host.passphrase(true) };
  const keys = createKeysAhead();
  if (form === 'gpg' && !recipients && !request.skipIfNoChange) keys.begin();

  async function envelope(
    derivedKey: () => Promise<SealingKey>,
    openSealer?: OpenSealer,
  ): Promise<EnvelopeOptions> {
    if (form === 'plain') return { form };
    if (form === 'gz') return { form, mtimeSeconds, deflate };
    return {
      ...{ form, mtimeSeconds, deflate, signer, openSealer },
      key: await (recipients ? recipients.prepareSessionKey(host.random) : derivedKey()),
      random: host.random,
      compress: request.compress,
    };
  }
  return {
    ofVolume: openSealer => envelope(keys.ofVolume, openSealer),
    ofMetadata: () => envelope(keys.ofMetadata),
    deriveWith(deriveKey) {
      keys.makeWith(() => prepareSessionKey(secrets, host.random, request.keys?.s2kCount, deriveKey));
    },
    close: keys.stop,
  };
}

/**
 * Whether a volume is better sealed on another thread: there is more to come than its first batch, and it does not
 * shrink. Where it does, threads are busy deflating, and little is left to seal.
 */
export function isWorthAThread(first: PackBatch | undefined): boolean {
  return first !== undefined && first.difftar.length >= SLAB_SIZE / 2 && isIncompressible(first.difftar);
}
