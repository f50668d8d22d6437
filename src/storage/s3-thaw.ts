/**
 * Objects in cold storage (Glacier, Deep Archive, the archive tiers of Intelligent-Tiering) can't be read before a copy
 * has been thawed, which takes minutes to days. Asking twice is no error, so a restore that is run again just goes on.
 */

import { BackupError } from '../errors.ts';
import { mapOrdered } from '../streams.ts';
import { keyOf } from './s3-keys.ts';
import type { S3Session } from './s3-session.ts';
import { checkName, type Storage } from './storage.ts';

export interface ColdObject {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Name of the class, as the service has it. */
  readonly storageClass: string;
  /** Whether its thaw was asked for and is not finished. */
  readonly thawing: boolean;
}

export interface ThawOptions {
  /** Faster costs more; Expedited is not for Deep Archive. Default Standard. */
  readonly tier?: 'Standard' | 'Bulk' | 'Expedited';
  /** For how many days the thawed copy is kept; default 7. */
  readonly days?: number;
  readonly signal?: AbortSignal;
}

/** What storages can do that may hold objects too cold to read. */
export interface Thawing {
  /** Those of the named objects that can't be read now, in the order of the names; absent ones are left out. */
  coldObjects(names: Iterable<string>, options?: { signal?: AbortSignal }): AsyncIterable<ColdObject>;
  /** Asks for the thaw of cold objects. @returns how many were newly asked for */
  thaw(names: Iterable<string>, options?: ThawOptions): Promise<number>;
}

/** Whether a storage may hold cold objects. */
export function canThaw<S extends Storage>(storage: S): storage is S & Thawing {
  return 'coldObjects' in storage && 'thaw' in storage;
}

const AT_ONCE = 8;
const DEFAULT_DAYS = 7;

export function createThawing(session: S3Session): Thawing {
  const { sdk, bucket } = session;
  const objectOf = (name: string) => ({ Bucket: bucket, Key: session.prefix + keyOf(name) });

  async function lookAt(name: string, signal?: AbortSignal): Promise<ColdObject | undefined> {
    checkName(name);
    try {
      const head = await session.request(
        { doing: 'look at', object: name },
        (client, options) => client.send(new sdk.HeadObjectCommand(objectOf(name)), options),
        { signal },
      );
      const { StorageClass, ArchiveStatus, Restore, ContentLength: size = 0 } = head;
      const storageClass = ArchiveStatus ?? StorageClass ?? 'STANDARD';
      const cold =
        ArchiveStatus !== undefined || StorageClass === 'GLACIER' || StorageClass === 'DEEP_ARCHIVE';
      const thawed = /ongoing-request="false"/.test(Restore ?? '');
      if (!cold || thawed) return undefined;
      return { name, size, storageClass, thawing: /ongoing-request="true"/.test(Restore ?? '') };
    } catch (error) {
      if (error instanceof BackupError && error.code === 'object-missing') return undefined;
      throw error;
    }
  }

  return {
    async *coldObjects(names, { signal } = {}) {
      for await (const found of mapOrdered(each(names), AT_ONCE, name => lookAt(name, signal))) {
        if (found) yield found;
      }
    },

    async thaw(names, { tier = 'Standard', days = DEFAULT_DAYS, signal } = {}) {
      let asked = 0;
      const thawOne = async (name: string): Promise<boolean> => {
        const found = await lookAt(name, signal);
        if (found === undefined || found.thawing) return false;
        // In Intelligent-Tiering the object itself moves, for good: the service refuses a number of days.
        const moves = /ACCESS/.test(found.storageClass);
        const RestoreRequest = { GlacierJobParameters: { Tier: tier }, ...(moves ? {} : { Days: days }) };
        try {
          await session.request(
            { doing: 'thaw', object: name },
            (client, options) =>
              client.send(new sdk.RestoreObjectCommand({ ...objectOf(name), RestoreRequest }), options),
            { signal },
          );
          return true;
        } catch (error) {
          if (error instanceof BackupError && error.facts['reason'] === 'RestoreAlreadyInProgress')
            return false;
          throw error;
        }
      };
      for await (const isNew of mapOrdered(each(names), AT_ONCE, thawOne)) if (isNew) asked++;
      return asked;
    },
  };
}

async function* each<T>(items: Iterable<T>): AsyncGenerator<T, void, undefined> {
  yield* items;
}
