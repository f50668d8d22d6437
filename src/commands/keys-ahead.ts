/** The session keys of a set's objects, each derived from the passphrase before it is asked for. */

import type { SealingKey } from '../volumes/openpgp-session.ts';

export interface KeysAhead {
  /** Begins to derive what each set needs: keys for a volume, the signatures and the manifest. */
  begin(): void;
  /** The key of the next volume. */
  ofVolume(): Promise<SealingKey>;
  /** The key of the signatures or the manifest. */
  ofMetadata(): Promise<SealingKey>;
  /** Nobody waits for a key any more: none is derived. */
  stop(): void;
}

const OBJECTS_OF_A_SET = 3;

/**
 * As many keys as objects, one at a time: the first is wanted soonest. A volume takes one, and from the second on another
 * is derived while it is filled, so that nothing waits for the signatures' and the manifest's at the end.
 */
export function createKeysAhead(derive: () => Promise<SealingKey>): KeysAhead {
  const keys: Promise<SealingKey>[] = [];
  let last: Promise<unknown> = Promise.resolve();
  let isStopped = false;

  const add = () => {
    const key = last.then(() => {
      if (isStopped) throw new Error('The run has ended.');
      return derive();
    });
    last = key.catch(() => {}); // it is reported when its turn comes
    keys.push(key);
  };
  const begin = () => {
    while (keys.length < OBJECTS_OF_A_SET) add();
  };
  const take = () => {
    if (keys.length === 0) add();
    return keys.shift()!;
  };
  return {
    begin,
    ofMetadata: take,
    ofVolume() {
      begin();
      return take();
    },
    stop() {
      isStopped = true;
    },
  };
}
