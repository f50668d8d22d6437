import { BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

/** Commands that only read must not take an unmounted disk for an empty archive. @throws `target-unreachable` */
export async function requireTarget(storage: Storage): Promise<void> {
  if (await storage.exists()) return;
  throw new BackupError(
    'target-unreachable',
    `the target ${storage.description} does not exist; is its disk mounted, and the URL spelled right?`,
    { isAbsent: 1 },
  );
}
