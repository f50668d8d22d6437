/** A mistyped passphrase must not begin a chain that nobody can read together with what is there already. */

import { Readable } from 'node:stream';
import { BackupError } from '../errors.ts';
import type { Collection } from '../manifest/chains.ts';
import { endOf } from '../manifest/names.ts';
import type { BackupSet } from '../manifest/sets.ts';
import { openEnvelope } from '../volumes/envelope.ts';
import { MESSAGE_HEAD, type Openers, openersOf } from '../volumes/openpgp-preface.ts';
import type { Archive } from './archive.ts';
import type { Host } from './host.ts';

/** What `checkPassphrase` is to open; undefined if nothing at the target is encrypted. */
function newestEncrypted(collection: Collection): BackupSet | undefined {
  const sets = collection.chains.flatMap(chain => chain.sets).filter(set => set.manifest?.encrypted);
  return sets.sort((a, b) => endOf(b.id) - endOf(a.id))[0];
}

/** Asks for the passphrase; twice if there is nothing that it could be tried on. */
export async function askPassphrase(collection: Collection, host: Host): Promise<void> {
  await host.passphrase(newestEncrypted(collection) === undefined);
}

/**
 * Opens the newest encrypted manifest with the passphrase of this run.
 * @returns who opens it
 * @throws BackupError `wrong-passphrase` if it does not open; what else is wrong with it is not our business here
 */
export async function checkPassphrase(
  archive: Archive,
  collection: Collection,
): Promise<Openers | undefined> {
  const newest = newestEncrypted(collection);
  if (!newest) return undefined;
  const name = newest.manifest!.name;
  let head = new Uint8Array();
  async function* stored() {
    for await (const chunk of archive.storage.get(name)) {
      if (head.length < MESSAGE_HEAD) head = Buffer.concat([head, chunk.subarray(0, MESSAGE_HEAD)]);
      yield chunk;
    }
  }
  const openers = () => openersOf(Readable.from([head]));
  try {
    for await (const _ of openEnvelope(stored(), 'gpg', archive.secrets)) break; // it may be long, and says no more
    return await openers();
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'wrong-passphrase') return undefined;
    const found = await openers();
    if (found?.passphrase === false) return found;
    throw new BackupError(
      'wrong-passphrase',
      'the passphrase is not the one of the backup sets at the target; to begin anew with another passphrase use another folder',
      {},
      { cause: error },
    );
  }
}

/** Enough for the packets of a dozen recipients. */
const PREFACE = 8192;

/**
 * Who opens the newest encrypted manifest, as it tells itself: for who has no passphrase to try. Undefined as well for one
 * that can't be read: who needs it will tell.
 */
export async function openersOfNewest(
  { storage }: Archive,
  collection: Collection,
): Promise<Openers | undefined> {
  const newest = newestEncrypted(collection);
  return newest && openersOf(storage.get(newest.manifest!.name, { length: PREFACE }));
}
