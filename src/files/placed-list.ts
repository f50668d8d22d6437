/** The paths of a restore in walk order, in a temporary file without a name: a list of any length in little memory. */

import { closeSync, mkdtempSync, openSync, readSync, rmdirSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface PlacedList {
  /** @param path latin1 */
  add(path: string): void;
  /** From the first to the last; nothing may be added any more. */
  all(): Generator<string, void, undefined>;
  close(): void;
}

const CHUNK = 64 * 1024;

export function createPlacedList(tempdir: string): PlacedList {
  const folder = mkdtempSync(join(tempdir, 'tsbackup-'));
  const file = join(folder, 'placed');
  const fd = openSync(file, 'wx+', 0o600);
  unlinkSync(file); // it lives as long as it is open
  rmdirSync(folder);
  let waiting: string[] = [];
  let size = 0;

  function flush(): void {
    const bytes = Buffer.from(waiting.join(''), 'latin1');
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    waiting = [];
    size = 0;
  }

  return {
    add(path) {
      waiting.push(path, '\0');
      size += path.length + 1;
      if (size >= CHUNK) flush();
    },
    *all() {
      flush();
      const slab = Buffer.allocUnsafe(CHUNK);
      let rest = '';
      for (let at = 0; ; ) {
        const count = readSync(fd, slab, 0, CHUNK, at);
        if (count === 0) return;
        at += count;
        const paths = (rest + slab.toString('latin1', 0, count)).split('\0');
        rest = paths.pop()!;
        yield* paths;
      }
    },
    close: () => closeSync(fd),
  };
}
