/** What the collation of a walk with the chain's state decides for one path. */

import type { CatalogEntry, SignaturePlace } from '../catalog/versions.ts';
import type { SourceProblem } from '../files/problem.ts';
import type { SourceEntry } from '../files/walk.ts';

/** A regular file stored as a delta against the signature of its last version. */
export interface ChangedItem {
  readonly kind: 'changed';
  readonly entry: SourceEntry;
  readonly signature: SignaturePlace;
  /** False where only reading tells whether anything has changed: then nothing is stored if it has not. */
  readonly mustStore: boolean;
}

/** Anything stored as it is: not in the chain, of another type than there, or a changed thing that is no file. */
export interface SnapshotItem {
  readonly kind: 'new' | 'replaced';
  readonly entry: SourceEntry;
}

export interface DeletedItem {
  readonly kind: 'deleted';
  readonly path: string;
  readonly wasFile: boolean;
}

/** Seen, and as in the chain: nothing is stored. */
export interface UnchangedItem {
  readonly kind: 'unchanged';
  readonly entry: SourceEntry;
  readonly known: CatalogEntry;
}

/** A path that could not be examined. */
export interface ProblemItem {
  readonly kind: 'problem';
  /** There is a previous version, which stays as it is. */
  readonly isKnown: boolean;
  readonly problem: SourceProblem;
}

export type PlanItem = ChangedItem | SnapshotItem | DeletedItem | UnchangedItem | ProblemItem;
