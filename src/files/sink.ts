/** What takes the entries of a backup one by one, in walk order: the restore writer and the comparer of verify. */

import type { Entry } from '../entry.ts';

export interface EntrySink {
  /**
   * Starts an entry.
   * @returns whether `data` and `finish` matter: false when the entry was refused (and that was reported), or when
   *   nothing of its content is wanted any more. Calling them all the same is harmless.
   */
  begin(entry: Entry): boolean;
  /** The next bytes of the regular file begun; lent. */
  data(bytes: Uint8Array): void;
  /** The entry is whole. */
  finish(): void;
  /** The rest of the entry can't be had. */
  abandon(): void;
  /** Leaves everything; a file not finished counts as abandoned. To be called in any case. */
  close(): void;
}
