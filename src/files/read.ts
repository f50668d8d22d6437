import { closeSync, openSync, readSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import type { SourceEntry } from './walk.ts';
export class SourceProblem extends Error {
  readonly vanished = false;
}
export interface SourceFile {
  readInto(target: Uint8Array, offset: number, length: number): number;
  hasChanged(): boolean;
  close(): void;
}
export function openSource(root: string, entry: SourceEntry): SourceFile {
  const fd = openSync(bytesOf(entry.path === '' ? root : `${root}/${entry.path}`), 'r');
  return {
    readInto(t, o, l) {
      let n = 0;
      while (n < l) {
        const r = readSync(fd, t, o + n, l - n, null);
        if (r === 0) break;
        n += r;
      }
      return n;
    },
    hasChanged: () => false,
    close: () => closeSync(fd),
  };
}
