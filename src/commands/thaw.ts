/** Volumes in cold storage: which of those that a restore needs can't be read yet, and asking for their thaw. */

import { BackupError } from '../errors.ts';
import { canThaw, type ThawOptions } from '../storage/s3-thaw.ts';
import type { Storage } from '../storage/storage.ts';
import type { Host } from './host.ts';
import { planAll, type WantedSet } from './replaying.ts';

export interface ThawRequest {
  /** Asks the service to thaw what is cold. */
  readonly thaw: boolean;
  readonly thawTier?: ThawOptions['tier'] | undefined;
  readonly thawDays?: number | undefined;
  /** Waits until all is thawed, instead of telling when to come back. */
  readonly thawWait: boolean;
}

const POLL_MS = 5 * 60 * 1000;

/**
 * Makes sure that all volumes of the sets that are needed can be read.
 * @throws BackupError `object-cold` while some can't; the restore is to be run again later
 */
export async function thawVolumes(
  storage: Storage,
  sets: readonly WantedSet[],
  request: ThawRequest,
  host: Host,
): Promise<void> {
  if (!canThaw(storage)) return;
  const names = (await planAll(sets)).flatMap(({ set, volumes }) =>
    volumes.flatMap(({ number }) => set.volumes.get(number)?.name ?? []),
  );
  for (let hasAsked = false; ; hasAsked = true) {
    const cold: string[] = [];
    let bytes = 0;
    for await (const { name, size } of storage.coldObjects(names, { signal: host.signal })) {
      cold.push(name);
      bytes += size;
    }
    if (cold.length === 0) return;
    const what = `${cold.length} of ${names.length} volumes (${bytes} bytes) are in cold storage`;
    if (!request.thaw) {
      throw new BackupError(
        'object-cold',
        `${what}; --thaw asks for them, which costs money and takes hours`,
      );
    }
    if (!hasAsked) {
      const { thawTier: tier, thawDays: days } = request;
      const options = { ...(tier && { tier }), ...(days !== undefined && { days }), signal: host.signal };
      const asked = await storage.thaw(cold, options);
      const message = `${what}; the thaw of ${asked} was asked for now.`;
      host.reporter.report({ level: 'notice', code: 'thaw-asked', message });
      for (const name of cold)
        host.reporter.report({ level: 'info', code: 'cold', message: `Cold: ${name}` });
    }
    if (!request.thawWait) {
      throw new BackupError(
        'object-cold',
        `${what} and are being thawed; run the same restore again in some hours`,
      );
    }
    await host.sleep(POLL_MS);
  }
}
