/** What the user, the watchdog and the progress display hear while a tree is packed. */

import { displayPath } from '../bytes.ts';
import type { PackBatch, Passed } from '../engine/batch.ts';
import { bytesPassed } from '../engine/bytes-passed.ts';
import type { Packing } from '../engine/packing.ts';
import type { Setting } from './backup-setting.ts';
import type { Host } from './host.ts';
import { tellingEntries } from './told-entries.ts';
import { watchEach } from './watchdog.ts';

export interface BackupProgress {
  batch(batch: PackBatch): void;
  passed(passed: Passed): void;
}

/** The packer is ahead of its batches within a large delta, and what is told never goes back. */
export function createBackupProgress({ host, bytesTotal }: Setting): BackupProgress {
  let bytesDone = 0;
  let entriesDone = 0;
  const tell = (bytes: number, path: string | undefined) => {
    bytesDone = Math.max(bytesDone, bytes);
    host.reporter.progress({
      ...{ stage: 'backup', bytesDone, entriesDone },
      ...(bytesTotal !== undefined && { bytesTotal }),
      ...(path !== undefined && { path: displayPath(path) }),
    });
  };
  return {
    batch(batch) {
      entriesDone = batch.counts.sourceFiles;
      tell(bytesPassed(batch), batch.last?.path);
    },
    passed: ({ bytes, path }) => tell(bytes, path),
  };
}

/** The packer's batches, when everybody has heard of them. @throws the reason of the host's signal */
export async function* toldBatches(
  packing: Packing,
  { host, packer, request }: Setting,
  progress: BackupProgress,
): AsyncGenerator<PackBatch, void, undefined> {
  const watched = watchEach(host.watchdog, 'reading the source', packing.batches, packer.beats);
  for await (const batch of request.tellEntries ? tellingEntries(watched, host.reporter) : watched) {
    host.signal.throwIfAborted();
    warn(batch, host);
    progress.batch(batch);
    yield batch;
  }
}

function warn(batch: PackBatch, { reporter }: Host): void {
  for (const { code, message, path } of batch.warnings) {
    reporter.report({ level: 'warning', code, message, facts: { path } });
  }
}
