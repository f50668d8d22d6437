/**
 * Runs files of the bundle with the code that V8 has compiled of them before: to compile it takes longer than most runs
 * do. The compiled code is a file beside each, for one version of V8; a run that finds none that fits leaves what it has
 * compiled to the next one, if it may.
 */

import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { threadId } from 'node:worker_threads';
import { optimizeAsUsual } from '../engine/optimize-less.ts';

type Require = (id: string) => unknown;

/** Those of this thread that ran already, by path. */
const loaded = new Map<string, unknown>();

/**
 * @param file ASCII, a function of `module`, `require` and the file's path, as the build makes it; may in turn require
 *   others beside it
 * @returns what it exports
 */
export function loadCompiled(file: string): unknown {
  if (loaded.has(file)) return loaded.get(file);
  const source = readFileSync(file, 'latin1');
  const compiled = `${file}.${process.arch}-${process.versions.v8}`;
  const cachedData = readCompiled(compiled);
  const script = new Script(source, { filename: file, ...(cachedData && { cachedData }) });
  if (!cachedData || script.cachedDataRejected) {
    process.once('exit', () => {
      optimizeAsUsual(); // what is kept fits the flags that were set then
      keep(script, compiled);
    });
  }
  const module: { exports: unknown } = { exports: {} };
  const requireOther = createRequire(file);
  const require: Require = id =>
    /^\.\/[^/]+\.cjs$/.test(id) ? loadCompiled(join(dirname(file), id)) : requireOther(id);
  script.runInThisContext()(module, require, file);
  loaded.set(file, module.exports);
  return module.exports;
}

function readCompiled(compiled: string): Buffer | undefined {
  try {
    return readFileSync(compiled);
  } catch {
    return undefined;
  }
}

function keep(script: Script, compiled: string): void {
  const temporary = `${compiled}.${process.pid}-${threadId}`;
  try {
    const fd = openSync(temporary, 'wx'); // first, as most who may not would only have waited for the rest
    try {
      writeFileSync(fd, script.createCachedData());
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, compiled);
  } catch {
    rmSync(temporary, { force: true });
  }
}
