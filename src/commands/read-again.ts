import { BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * Reads once more what came damaged over a network: only what is damaged both times is damaged at the target.
 * @throws what `read` throws
 */
export async function readAgain<T>(storage: Storage, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const mayBeTheWay = error instanceof BackupError && /^(volume-)?damaged$/.test(error.code);
    if (storage.localPath || !mayBeTheWay) throw error;
    return read();
  }
}
