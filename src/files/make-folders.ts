/** Folders down to a place. Node's own way to make them calls a file system that is read-only "no such file". */

import { mkdirSync, statSync } from 'node:fs';
import { bytesOf } from '../bytes.ts';
import { systemCode } from '../errors.ts';

/** @param path latin1 @throws a system error, that of the folder that can't be made */
export function makeFolders(path: string): void {
  const failure = make(path);
  if (failure === undefined) return;
  const parent = path.replace(/[^/]+\/*$/, '').replace(/(.)\/+$/, '$1') || '.';
  if (systemCode(failure) !== 'ENOENT' || parent === path) throw failure;
  makeFolders(parent);
  const second = make(path);
  if (second !== undefined) throw second;
}

/** @returns why there is none */
function make(path: string): unknown {
  try {
    mkdirSync(bytesOf(path));
    return undefined;
  } catch (error) {
    return statSync(bytesOf(path), { throwIfNoEntry: false })?.isDirectory() ? undefined : error;
  }
}
