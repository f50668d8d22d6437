/** A source whose content fills volumes of 1 MiB in a known way, because nothing of it can be compressed. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRandom } from '../support/random.ts';
import { setMtime } from '../support/trees.ts';

/** Volume 1 ends, and volume 2 begins, inside `b`; volume 2 ends inside `e`, volume 3 inside `f`. */
const files = { a: 300_000, b: 1_500_000, 'd/c': 10, e: 900_000, f: 900_000, 'z/last': 1000 };

export function makeSource(dir: string, seed = 1): void {
  const random = createRandom(seed);
  for (const [path, size] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), random.bytes(size));
    setMtime(join(dir, path), 1_600_000_000);
  }
}
