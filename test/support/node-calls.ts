/** Calls of node:fs that a test makes answer otherwise, in its own process. */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { Scope } from './temp-dir.ts';

export type Call = (...given: unknown[]) => unknown;

/** Replaces calls of node:fs in this process until the test ends. */
export function replaceCalls(t: Scope, names: readonly string[], by: (original: Call) => Call): void {
  const functions = fs as unknown as Record<string, Call>;
  const originals = names.map(name => functions[name]!);
  names.forEach((name, index) => {
    functions[name] = by(originals[index]!);
  });
  syncBuiltinESMExports();
  t.after(() => {
    names.forEach((name, index) => {
      functions[name] = originals[index]!;
    });
    syncBuiltinESMExports();
  });
}

/** A file with a bad sector, of which nothing from some place on can be read. */
export interface BadFile {
  /** Bytes that can be read; undefined: all is well. */
  goodLength: number | undefined;
}

/** Lets reads of the file `path` fail with EIO. It is read by this process alone, without a thread of its own. */
export function makeBad(t: Scope, path: string): BadFile {
  const bad: BadFile = { goodLength: undefined };
  const opened = new Set<unknown>();
  replaceCalls(t, ['openSync'], original => (...given) => {
    const fd = original(...given);
    if (String(given[0]) === path) opened.add(fd);
    else opened.delete(fd);
    return fd;
  });
  replaceCalls(t, ['readSync'], original => (...given) => {
    const [fd, target, offset, length, position] = given as [unknown, unknown, unknown, number, number];
    if (bad.goodLength === undefined || !opened.has(fd)) return original(...given);
    const good = Math.min(length, bad.goodLength - position);
    if (good > 0 || length === 0) return original(fd, target, offset, good, position);
    throw Object.assign(new Error('EIO: made by a test'), { code: 'EIO', syscall: 'read' });
  });
  return bad;
}
