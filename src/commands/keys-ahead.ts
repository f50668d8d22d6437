/** The session keys of a set's objects, each derived from the passphrase before it is asked for. */

import type { SealingKey } from '../volumes/openpgp-session.ts';

export type MakeKey = () => Promise<SealingKey>;

export interface KeysAhead {
  /** From now on there is one more place where keys are made, one at a time; without any, who asks for one waits. */
  makeWith(make: MakeKey): void;
  /** What each set needs is wanted: keys for a volume, the signatures and the manifest. */
  begin(): void;
  /** The key of the next volume. */
  ofVolume(): Promise<SealingKey>;
  /** The key of the signatures or the manifest. */
  ofMetadata(): Promise<SealingKey>;
  /** Nobody waits for a key any more: none is made. */
  stop(): void;
}

const OBJECTS_OF_A_SET = 3;

/**
 * As many keys as objects: the first is wanted soonest. A volume takes one, and from the second on another is made while
 * it is filled, so that nothing waits for the signatures' and the manifest's at the end.
 */
export function createKeysAhead(): KeysAhead {
  const keys: Promise<SealingKey>[] = [];
  const free: MakeKey[] = [];
  const waiting: ((make: MakeKey) => void)[] = [];
  let isStopped = false;

  const place = (): Promise<MakeKey> => {
    const make = free.shift();
    return make ? Promise.resolve(make) : new Promise(resolve => waiting.push(resolve));
  };
  const vacate = (make: MakeKey) => {
    const next = waiting.shift();
    if (next) next(make);
    else free.push(make);
  };
  const makeOne = async () => {
    const make = await place();
    try {
      if (isStopped) throw new Error('The run has ended.');
      return await make();
    } finally {
      vacate(make);
    }
  };
  const add = () => {
    const key = makeOne();
    key.catch(() => {}); // it is reported when its turn comes
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
    makeWith: vacate,
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
