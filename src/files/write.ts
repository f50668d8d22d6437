import { chmodSync, closeSync, mkdirSync, openSync, symlinkSync, utimesSync, writeSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import type { Entry } from '../entry.ts';
export function checkTarget(_t: string, _o: { force: boolean }) {}
export function createTreeWriter(
  target: string,
  _options: {
    numericOwner: boolean;
    ownership: boolean;
    onProblem(p: { path: string; message: string }): void;
  },
) {
  let fd = -1;
  let cur: Entry;
  const dirs: Entry[] = [];
  const at = (e: Entry) => bytesOf(e.path === '' ? target : `${target}/${e.path}`);
  return {
    begin(e: Entry) {
      cur = e;
      if (e.type === 'directory') {
        mkdirSync(at(e), { recursive: true });
        dirs.push(e);
      } else if (e.type === 'symlink') symlinkSync(bytesOf(e.linkname), at(e));
      else fd = openSync(at(e), 'w');
    },
    data(b: Uint8Array) {
      writeSync(fd, b);
    },
    finish() {
      if (fd >= 0) {
        closeSync(fd);
        fd = -1;
        chmodSync(at(cur), cur.mode);
        utimesSync(at(cur), cur.mtimeSeconds, cur.mtimeSeconds);
      }
    },
    abandon() {
      if (fd >= 0) closeSync(fd);
      fd = -1;
    },
    end() {
      for (const e of dirs.reverse()) {
        chmodSync(at(e), e.mode);
        utimesSync(at(e), e.mtimeSeconds, e.mtimeSeconds);
      }
    },
    close() {},
  };
}
