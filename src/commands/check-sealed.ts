/**
 * What a check can prove where the private key is elsewhere: that all objects are at the target, and that the volumes
 * have the checksums of the manifests in the archive cache. Nothing at the target is opened.
 */

import { BackupError, isKeyAbsent } from '../errors.ts';
import type { Chain } from '../manifest/chains.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { type BackupSet, describeSet, volumeGaps } from '../manifest/sets.ts';
import type { Archive } from './archive.ts';
import { type CheckedSet, type CheckRun, type CheckUnit, checkedSet, isFault } from './check-sets.ts';
import { reportLostVolume } from './replaying.ts';
import { readVolumes } from './set-volumes.ts';

/** Whether the manifest of a set is for a key that is not here. */
export async function isSealed(archive: Archive, { manifest }: BackupSet): Promise<boolean> {
  if (!manifest?.encrypted) return false;
  try {
    for await (const _ of archive.openAtTarget(manifest, 'manifest')) break;
    return false;
  } catch (error) {
    return isKeyAbsent(error); // anything else is found again, and told, by the check itself
  }
}

export async function openSealedSets(chain: Chain, run: CheckRun): Promise<CheckedSet[]> {
  const sets: CheckedSet[] = [];
  for (const set of chain.sets) {
    const name = describeSet(set.id);
    for (const what of ['manifest', 'signatures'] as const) {
      const object = set[what];
      if (object && object.size > 0) continue;
      const state = object ? 'empty' : 'not at the target';
      run.fault(`${what}-missing`, `the ${what} of the ${name}: ${state}`);
    }
    const gaps = volumeGaps(set);
    const { manifest, isWhole } = await readSealed(set, run);
    if (manifest.volumes.length === 0 && gaps.length > 0) {
      run.fault('volume-missing', `the ${name} lacks volumes: ${gaps.slice(0, 5).join(', ')}`);
    }
    const { signatures: _, ...rest } = set; // no manifest has their checksum
    sets.push(checkedSet(rest, manifest, isWhole));
  }
  return sets;
}

async function readSealed(
  set: BackupSet,
  { archive, host, fault }: CheckRun,
): Promise<{ readonly manifest: Manifest; readonly isWhole: boolean }> {
  try {
    const { manifest, isWhole } = await readVolumes(archive, set, host);
    if (!isWhole)
      fault('set-unknown', `nobody knows whether all volumes of the ${describeSet(set.id)} are there`);
    return { manifest, isWhole };
  } catch (error) {
    if (!(error instanceof BackupError) || !isKeyAbsent(error)) throw error;
    const message = `the archive cache has no manifest of the ${describeSet(set.id)}, so that nothing can be proved of its volumes without the private key`;
    host.reporter.report({ level: 'warning', code: 'check-sealed', message });
    return { manifest: { volumes: [], ending: 'cut' }, isWhole: false };
  }
}

/** Reads the chosen volumes as they are stored; all that are not at the target are told. */
export async function proveSealed(
  { set, volumes }: CheckedSet,
  chosen: ReadonlySet<CheckUnit>,
  run: CheckRun,
): Promise<void> {
  for (const { entry, unit } of volumes) {
    if (unit && !chosen.has(unit)) continue;
    run.host.signal.throwIfAborted();
    try {
      const isProved = await run.archive.proveStored(set, entry, run.progress.counted);
      if (unit && isProved) run.prove(unit);
    } catch (error) {
      if (!isFault(error)) throw error;
      if (unit) run.disprove(unit);
      run.count();
      reportLostVolume(entry, error, run.host);
    }
  }
}
