/** Which volumes of a set a restore of some paths must read. */

import { comparePaths, isWithin } from '../bytes.ts';
import type { Manifest, VolumeEntry } from './manifest.ts';

/**
 * Volumes that may hold something of the given paths or below them, ascending.
 * @param paths '' asks for everything
 * @see FORMAT.md, "Restoring a part"
 */
export function volumesFor(manifest: Manifest, paths: string | readonly string[]): VolumeEntry[] {
  const wanted = typeof paths === 'string' ? [paths] : paths;
  return manifest.volumes.filter((volume, index) => {
    // A resumed volume's start may be one entry late, so it counts from where the volume before ended.
    const start = volume.resumed ? (manifest.volumes[index - 1]?.end.path ?? '') : volume.start.path;
    return wanted.some(
      path =>
        (isWithin(start, path) || comparePaths(start, path) <= 0) && comparePaths(path, volume.end.path) <= 0,
    );
  });
}
