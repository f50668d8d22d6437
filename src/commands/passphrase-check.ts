/** A mistyped passphrase must not begin a chain that nobody can read together with what is there already. */

import { Readable } from 'node:stream';
import { BackupError } from '../errors.ts';
import type { Collection } from '../manifest/chains.ts';
import { endOf } from '../manifest/names.ts';
import type { BackupSet } from '../manifest/sets.ts';
import { openEnvelope } from '../volumes/envelope.ts';
import { keySaltOf, MESSAGE_HEAD } from '../volumes/openpgp-open.ts';
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
 * @returns the salt of its key, if it is one of ours; see `prepareSessionKey`
 * @throws BackupError `wrong-passphrase` if it does not open; what else is wrong with it is not our business here
 */
export async function checkPassphrase(
  archive: Archive,
  collection: Collection,
): Promise<Uint8Array | undefined> {
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
  try {
    for await (const _ of openEnvelope(stored(), 'gpg', archive.secrets)) break; // it may be long, and says no more
    return await keySaltOf(Readable.from([head]));
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'wrong-passphrase') return undefined;
    throw new BackupError(
      'wrong-passphrase',
      'the passphrase is not the one of the backup sets at the target; to begin anew with another passphrase use another folder',
      {},
      { cause: error },
    );
  }
}
