/** Single changes of a source, each of a file that `pick` chooses, so that a sweep meets them before and behind any place. */

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

type Change = (source: string, pick: number) => void;

export const changes = {
  nothing() {},
  edit(source, pick) {
    const file = chosen(source, pick);
    writeFileSync(
      file,
      readFileSync(file).map(byte => byte ^ 0x55),
    );
  },
  grow: (source, pick) => appendFileSync(chosen(source, pick), Buffer.alloc(100_000, 'grown')),
  truncate(source, pick) {
    const file = chosen(source, pick);
    truncateSync(file, Math.floor(statSync(file).size / 2));
  },
  remove: (source, pick) => rmSync(chosen(source, pick)),
  create: (source, pick) =>
    writeFileSync(join(source, `${'0ac!nz'[pick % 6]}-new`), Buffer.alloc(50_000, 'new')),
  rename: (source, pick) => renameSync(chosen(source, pick), join(source, `${'zn!ca0'[pick % 6]}-renamed`)),
  /** Other bytes, and the old time. */
  touchBack(source, pick) {
    const file = chosen(source, pick);
    const { atime, mtime } = statSync(file);
    writeFileSync(
      file,
      readFileSync(file).map(byte => byte ^ 0xaa),
    );
    utimesSync(file, atime, mtime);
  },
  toFolder(source, pick) {
    const file = chosen(source, pick);
    rmSync(file);
    writeFileSync(join(makeFolder(file), 'inside'), 'inside');
  },
} satisfies Record<string, Change>;

function makeFolder(path: string): string {
  mkdirSync(path);
  return path;
}

function chosen(source: string, pick: number): string {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .map(name => join(source, name))
    .filter(path => existsSync(path) && statSync(path).isFile())
    .sort();
  return files[pick % files.length]!;
}
