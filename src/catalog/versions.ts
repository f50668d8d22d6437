/** What a catalog holds: versions of paths, and where their signatures are. */

import type { Attributes } from '../entry.ts';

/** A path's version in the chain, as `current` has it. */
export interface CatalogEntry extends Attributes {
  readonly path: string;
  /** Directories: the number that its content has as parent; else undefined. */
  readonly folder: number | undefined;
  readonly size: number | undefined;
  readonly stat: string | undefined;
  /** Files: where the signature is; undefined if the version has none. */
  readonly signature: SignaturePlace | undefined;
}

/** A catalog begins with the full set of its chain. */
export const FULL_SET = 1;

/** A member of a set's sigtar: `offset` in its tar bytes. */
export interface SignaturePlace {
  /** The number of the set: FULL_SET, or a later one. */
  readonly set: number;
  readonly offset: number;
}

/** What a run stores of one path. */
export interface NewVersion extends Attributes {
  readonly path: string;
  readonly size?: number | undefined;
}

/** An independent piece of a cached sigtar: where it begins in the tar bytes, and its bytes in the gzip file. */
export interface Piece {
  readonly plainOffset: number;
  readonly gzipOffset: number;
  readonly gzipEnd: number;
}

/** A path in walk order, itself included or only what comes behind it. */
export interface TreePlace {
  readonly path: string;
  readonly inclusive: boolean;
}
