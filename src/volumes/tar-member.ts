/** A tar member to be written, without its data. */

import type { Attributes } from '../entry.ts';

export interface Member extends Attributes {
  /** Bytes as a latin1 string, with prefix and, for directories, the slash at the end. */
  readonly name: string;
  /** Bytes of data; below 8 GiB. */
  readonly size: number;
}
