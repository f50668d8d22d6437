import { BackupError } from '../errors.ts';
import type { Collection } from '../manifest/chains.ts';
import { describeSet } from '../manifest/sets.ts';
import type { Storage } from '../storage/storage.ts';

/** Commands that only read must not take an unmounted disk, or no bucket, for an empty archive. @throws `target-unreachable` */
export async function requireTarget(storage: Storage): Promise<void> {
  if (await storage.exists()) return;
  const remedy = storage.localPath
    ? 'is its disk mounted, and the URL spelled right?'
    : 'there is no such bucket. Check the URL and --s3-endpoint-url';
  throw new BackupError('target-unreachable', `the target ${storage.description} does not exist; ${remedy}`, {
    isAbsent: 1,
  });
}

/** Says that there is nothing to read, and what there is instead. */
export function noBackup({ description }: Storage, { incomplete, orphaned }: Collection): BackupError {
  const unfinished = incomplete.at(-1);
  const orphan = orphaned.at(-1);
  let rest = '';
  if (unfinished)
    rest = `, only the ${describeSet(unfinished.id)}, which was not finished or has lost its manifest`;
  else if (orphan) rest = `, only the ${describeSet(orphan.id)}, and the full one that it builds on is gone`;
  return new BackupError('nothing-to-restore', `there is no backup at ${description}${rest}`);
}
