import { BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

const MOST_READS = 3;

/**
 * Reads up to twice more what came damaged over a network: only what is damaged each time is damaged at the target.
 * @throws what `read` throws
 */
export async function readAgain<T>(storage: Storage, read: () => Promise<T>): Promise<T> {
  for (let reads = 1; ; reads++) {
    try {
      return await read();
    } catch (error) {
      const mayBeTheWay = error instanceof BackupError && /^(volume-)?damaged$/.test(error.code);
      if (storage.localPath || !mayBeTheWay || reads === MOST_READS) throw error;
    }
  }
}
