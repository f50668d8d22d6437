import { type BigIntStats, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import type { Entry, EntryType } from '../entry.ts';
export interface SourceEntry extends Entry {
  readonly size: number;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}
export interface WalkProblem {
  readonly path: string;
  readonly systemCode: string;
  readonly vanished: boolean;
  readonly message: string;
}
export type WalkItem = { readonly entry: SourceEntry } | { readonly problem: WalkProblem };
function typeOf(s: BigIntStats): EntryType | undefined {
  return s.isFile()
    ? 'file'
    : s.isDirectory()
      ? 'directory'
      : s.isSymbolicLink()
        ? 'symlink'
        : s.isFIFO()
          ? 'fifo'
          : s.isCharacterDevice()
            ? 'chardev'
            : s.isBlockDevice()
              ? 'blockdev'
              : undefined;
}

import type { Ids } from './ids.ts';
export function* walk(root: string, { ids }: { ids: Ids }): Generator<WalkItem[]> {
  const out: WalkItem[] = [];
  function* visit(path: string): Generator<WalkItem[]> {
    const full = path === '' ? root : `${root}/${path}`;
    const s =
      path === '' ? statSync(bytesOf(full), { bigint: true }) : lstatSync(bytesOf(full), { bigint: true });
    const type = typeOf(s);
    if (!type) return;
    const sec = Number(s.mtimeNs / 1_000_000_000n);
    out.push({
      entry: {
        path,
        type,
        mode: Number(s.mode & 0o7777n),
        uid: Number(s.uid),
        gid: Number(s.gid),
        uname: ids.userName(Number(s.uid)),
        gname: ids.groupName(Number(s.gid)),
        mtimeSeconds: Math.max(0, sec),
        linkname: type === 'symlink' ? readlinkSync(bytesOf(full), 'latin1') : '',
        devMajor: 0,
        devMinor: 0,
        size: Number(s.size),
        dev: s.dev,
        ino: s.ino,
        mtimeNs: s.mtimeNs,
        ctimeNs: s.ctimeNs,
      },
    });
    if (out.length > 200) yield out.splice(0);
    if (type === 'directory')
      for (const name of readdirSync(bytesOf(full), 'latin1').sort())
        yield* visit(path === '' ? name : `${path}/${name}`);
  }
  yield* visit('');
  yield out;
}
