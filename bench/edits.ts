/** Changes to a corpus that can be taken back to the byte, so that every program meets the same tree again. */

import {
  closeSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { bytesOf } from '../src/bytes.ts';
import { createRandom } from '../test/support/random.ts';
import { walkTree } from '../test/support/snapshots.ts';
import type { CorpusPlace } from './corpora.ts';

const EDIT_LENGTH = 100;
const PLACES = 10;
const NEW_FILE = 'new since the last backup';

/**
 * Overwrites bytes at up to 10 places in one file of `every`, each with a new time, and makes one new file.
 * @returns what takes all of it back, times included
 */
export function applyEdits(place: CorpusPlace, every: number): () => void {
  const { tree, editedMark } = place;
  writeFileSync(editedMark, '');
  const random = createRandom('edits');
  const rootTimes = statSync(tree);
  const undo: (() => void)[] = [];
  const files = [...walkTree(tree)].filter(entry => entry.stats.isFile());
  for (const [i, { path, stats }] of files.entries()) {
    if (i % every !== 0) continue;
    const size = Number(stats.size);
    const location = Buffer.concat([Buffer.from(`${tree}/`), bytesOf(path)]);
    const places = Math.min(PLACES, Math.ceil(size / 100_000));
    for (let n = 0; n < places; n++) {
      const at = Math.floor((size * (n + 0.5)) / places);
      const length = Math.min(EDIT_LENGTH, size - at);
      undo.push(overwrite(location, at, random.bytes(length)));
    }
    const seconds = Math.floor(Number(stats.mtimeMs) / 1000);
    utimesSync(location, seconds + 100, seconds + 100);
    undo.push(() => utimesSync(location, seconds, seconds));
  }
  writeFileSync(join(tree, NEW_FILE), random.bytes(50_000));
  return () => {
    rmSync(join(tree, NEW_FILE));
    for (const back of undo) back();
    utimesSync(tree, rootTimes.atime, rootTimes.mtime);
    rmSync(editedMark);
  };
}

function overwrite(location: Buffer, at: number, bytes: Buffer): () => void {
  const old = Buffer.alloc(bytes.length);
  exchange(location, fd => {
    readSync(fd, old, 0, old.length, at);
    writeSync(fd, bytes, 0, bytes.length, at);
  });
  return () => exchange(location, fd => writeSync(fd, old, 0, old.length, at));
}

function exchange(location: Buffer, work: (fd: number) => void): void {
  const fd = openSync(location, 'r+');
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}
