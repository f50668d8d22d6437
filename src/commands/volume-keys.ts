/** The keys of volumes, derived before they are opened: while their bytes are being proved, and on both processors. */

import type { RestoreThread } from '../engine/restore-thread.ts';
import type { StoredObject } from '../manifest/sets.ts';
import type { Storage } from '../storage/storage.ts';
import { deriveAhead, MESSAGE_HEAD } from '../volumes/openpgp-preface.ts';
import type { DeriveKey } from '../volumes/openpgp-s2k.ts';
import type { Secrets } from '../volumes/openpgp-session.ts';

/** Nothing here fails: who opens a volume hears of what is wrong. */
export interface VolumeKeys {
  /** Begins to derive a volume's key. @param isNext whether one that is open already comes first */
  begin(volume: StoredObject, isNext: boolean): void;
  /** Begins to derive the keys of volumes that will be opened in this order, where there is a second processor. */
  expect(volumes: readonly StoredObject[]): void;
  /** No more keys are begun. */
  stop(): void;
}

/** @param storage only where it is local is the head of a volume worth a reading of its own */
export function createVolumeKeys(
  storage: Storage,
  thread: RestoreThread | undefined,
  secrets: Secrets,
  signal: AbortSignal,
): VolumeKeys {
  /** Of which the keys are still to be derived. */
  const expected: StoredObject[] = [];
  const begun = new Map<string, Promise<void>>();
  /** Once for each volume, which is expected before it is opened. @param by default: this thread */
  const derive = async ({ name, encrypted }: StoredObject, by?: DeriveKey) => {
    if (!storage.localPath || !encrypted) return;
    const head = () => storage.get(name, { length: MESSAGE_HEAD, signal });
    const done = begun.get(name) ?? deriveAhead(head(), { ...secrets, deriveKey: by });
    begun.set(name, done);
    await done;
  };
  const deriveAll = async (by?: DeriveKey) => {
    while (expected.length > 0) await derive(expected.shift()!, by);
  };
  return {
    begin(volume, isNext) {
      void derive(volume, isNext ? thread?.deriveKey : undefined);
    },
    expect([first, ...others]) {
      if (!thread || !first) return;
      expected.push(...others);
      // By then the thread has begun to prove the first volume, which is to come before any key.
      void derive(first).then(() => Promise.all([deriveAll(), deriveAll(thread.deriveKey)]));
    },
    stop() {
      expected.length = 0;
    },
  };
}
