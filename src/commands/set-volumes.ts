/**
 * The volumes of a set as its manifest names them. Where the manifest is lost or damaged, or has lost its end, the listing
 * of the target stands in for it, unless the archive cache has a copy: a few bytes of text must not cost a whole backup.
 */

import { BackupError, clauseOf } from '../errors.ts';
import type { Manifest, VolumeEntry } from '../manifest/manifest.ts';
import { type BackupSet, describeSet, goesBeyond, volumeGaps } from '../manifest/sets.ts';
import type { Archive } from './archive.ts';
import type { Host } from './host.ts';

export interface SetVolumes {
  readonly manifest: Manifest;
  /** False where something is wrong with the manifest. */
  readonly isSound: boolean;
  /** False where the manifest does not tell all of the set: there may be more volumes than anybody knows. */
  readonly isWhole: boolean;
}

const faults: ReadonlySet<string> = new Set(['damaged', 'object-missing']);

/** Sorts after every name of a file. */
const BEYOND = '\xff'.repeat(256);

/** @throws BackupError of the target, or `wrong-passphrase` */
export async function readVolumes(archive: Archive, set: BackupSet, host: Host): Promise<SetVolumes> {
  const report = (code: string, message: string) => host.reporter.report({ level: 'error', code, message });
  const name = () => `the manifest of the ${describeSet(set.id)}`;
  try {
    const manifest = await archive.manifestOf(set);
    const last = manifest.volumes.at(-1)!.number;
    if (manifest.ending === 'filelist' || (manifest.ending === 'volume' && !goesBeyond(set, last))) {
      const isSound = set.manifest !== undefined;
      if (!isSound)
        report('manifest-lost', `${name()} is not at the target; its copy in the archive cache is used`);
      return { manifest, isSound, isWhole: true };
    }
    report('manifest-cut', `${name()} has lost its end; volumes after number ${last} are read without it`);
    return { manifest: completed(manifest, set), isSound: false, isWhole: false };
  } catch (error) {
    if (!(error instanceof BackupError) || !faults.has(error.code)) throw error;
    const what = set.manifest ? `can't be used: ${clauseOf(error)}` : 'is not at the target';
    report(
      set.manifest ? 'manifest-damaged' : 'manifest-lost',
      `${name()} ${what}; its volumes are read without it`,
    );
    return { manifest: completed({ volumes: [], ending: 'cut' }, set), isSound: false, isWhole: false };
  }
}

/** With the volumes that only the listing has. */
function completed(manifest: Manifest, set: BackupSet): Manifest {
  const known = manifest.volumes.at(-1)?.number ?? 0;
  const numbers = [...volumeGaps(set), ...set.volumes.keys()].filter(number => number > known);
  const guessed = numbers
    .sort((a, b) => a - b)
    .map((number): VolumeEntry => ({ number, start: { path: '' }, end: { path: BEYOND } }));
  return { ...manifest, volumes: [...manifest.volumes, ...guessed] };
}

/** Whether nothing is known of a volume but that it is there. */
export function isGuessed(volume: VolumeEntry): boolean {
  return volume.end.path === BEYOND;
}
