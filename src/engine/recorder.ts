/** Told what a run stores, path by path in walk order; the catalog listens. */

import type { CatalogEntry } from '../catalog/versions.ts';
import type { SourceEntry } from '../files/walk.ts';

export interface Recorder {
  /**
   * A new version.
   * @param fingerprint see catalog/fingerprint.ts
   * @param signatureOffset where its record begins in the set's sigtar (files only)
   */
  stored(entry: SourceEntry, fingerprint: string, signatureOffset: number | undefined): void;
  /**
   * Nothing was stored, because nothing has changed.
   * @param known what the chain has, if it was at hand
   * @param fingerprint if it is not what lstat said in the walk
   */
  unchanged(entry: SourceEntry, known: CatalogEntry | undefined, fingerprint?: string): void;
  removed(path: string): void;
}
