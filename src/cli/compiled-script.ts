/**
 * Runs files of the bundle with the code that V8 has compiled of them before: to compile it takes longer than most runs
 * do. The compiled code is a file beside each, for one version of V8; a run that finds none that fits leaves what it has
 * compiled to the next one, if it may. V8 does not look whether that code is what it wrote: after a power cut or on a worn
 * disk it would crash, or do something else than the program. Nor does it look at more of the source than its length: code of
 * another version would be run. So a checksum of both stands at the end of the file.
 */

import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { threadId } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { optimizeAsUsual } from '../engine/optimize-less.ts';
import { requireOwnBuild } from '../engine/own-build.ts';
import { growYoungAsUsual } from '../engine/tidy.ts';

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
  requireOwnBuild(source);
  const sum = crc32(source);
  const compiled = `${file}.${process.arch}-${process.versions.v8}`;
  const cachedData = readCompiled(compiled, sum);
  const script = new Script(source, { filename: file, ...(cachedData && { cachedData }) });
  if (!cachedData || script.cachedDataRejected) {
    process.once('exit', () => {
      optimizeAsUsual(); // what is kept fits the flags that were set then
      growYoungAsUsual();
      keep(script, compiled, sum);
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

const SUM_LENGTH = 4;

/** @param sum of the source @returns undefined where there is none, or it is not what was written, or of another source */
function readCompiled(compiled: string, sum: number): Buffer | undefined {
  try {
    const bytes = readFileSync(compiled);
    const code = bytes.subarray(0, -SUM_LENGTH);
    return crc32(code, sum) === bytes.readUInt32BE(code.length) ? code : undefined;
  } catch {
    return undefined;
  }
}

function keep(script: Script, compiled: string, sumOfSource: number): void {
  const temporary = `${compiled}.${process.pid}-${threadId}`;
  try {
    const fd = openSync(temporary, 'wx'); // first, as most who may not would only have waited for the rest
    try {
      const code = script.createCachedData();
      const sum = Buffer.alloc(SUM_LENGTH);
      sum.writeUInt32BE(crc32(code, sumOfSource));
      writeFileSync(fd, Buffer.concat([code, sum]));
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, compiled);
  } catch {
    rmSync(temporary, { force: true });
  }
}
