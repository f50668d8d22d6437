/** What a restore needs and can't be read yet, for it lies in cold storage; and asking for its thaw. */

import { displayPath } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import { type ColdObject, canThaw, type Thawing, type ThawOptions } from '../storage/s3-thaw.ts';
import type { Storage } from '../storage/storage.ts';
import type { Host } from './host.ts';
import { planAll, type Wanted, type WantedSet } from './replaying.ts';

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
  request: ThawRequest & Wanted,
  host: Host,
): Promise<void> {
  if (!canThaw(storage)) return;
  const planned = await planAll(sets).catch(async error => {
    if (!(error instanceof BackupError) || error.code !== 'object-cold') throw error;
    // A rule of the bucket took the manifests too, so only a restore of everything knows which volumes it needs.
    const isAll = request.paths.length === 0;
    const names = sets.flatMap(({ set: { manifest, signatures, volumes } }) =>
      [manifest, signatures, ...(isAll ? volumes.values() : [])].flatMap(object => object?.name ?? []),
    );
    await thawObjects(storage, names, isAll ? 'objects' : 'manifests and signatures', request, host);
    return planAll(sets);
  });
  const names = planned.flatMap(({ set, volumes }) =>
    volumes.flatMap(({ number }) => set.volumes.get(number)?.name ?? []),
  );
  await thawObjects(storage, names, 'volumes', request, host);
}

async function thawObjects(
  storage: Thawing,
  names: readonly string[],
  kind: string,
  request: ThawRequest,
  host: Host,
): Promise<void> {
  let cold = names;
  for (let hasAsked = false; ; hasAsked = true) {
    const found: ColdObject[] = [];
    // What was readable stays so: each look costs a request, and a wait has hundreds of looks.
    for await (const object of storage.coldObjects(cold, { signal: host.signal })) found.push(object);
    cold = found.map(({ name }) => name);
    if (cold.length === 0) return;
    const bytes = found.reduce((sum, { size }) => sum + size, 0);
    const what = `${cold.length} of ${names.length} ${kind} (${bytes} bytes) are in cold storage`;
    if (!hasAsked) {
      for (const { name, storageClass, thawing } of found) {
        const message = `Cold: ${displayPath(name)} (${storageClass}${thawing ? ', being thawed' : ''})`;
        host.reporter.report({
          level: 'notice',
          code: 'cold',
          message,
          facts: { object: name, storageClass },
        });
      }
    }
    if (!request.thaw) {
      const idle = found.filter(({ thawing }) => !thawing).length;
      throw new BackupError(
        'object-cold',
        idle === 0
          ? `${what} and are being thawed; run the same restore again in some hours`
          : `${what}; --thaw asks for them, which costs money and takes hours`,
      );
    }
    if (!hasAsked) {
      const { thawTier: tier, thawDays: days } = request;
      const options = { ...(tier && { tier }), ...(days !== undefined && { days }), signal: host.signal };
      const asked = await storage.thaw(cold, options);
      const message =
        asked === 0
          ? `${what}; the thaw of all was asked for before.`
          : `${what}; the thaw of ${asked} was asked for now.`;
      host.reporter.report({ level: 'notice', code: 'thaw-asked', message });
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
