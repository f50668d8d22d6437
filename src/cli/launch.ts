#!/usr/bin/env node
/**
 * Starts the part of the bundle that this file is named after, with the code that V8 has compiled of it before: to
 * compile it takes longer than most runs do. The compiled code is a file beside the bundle, for one version of V8; a
 * run that finds none that fits leaves what it has compiled to the next one, if it may.
 */

import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { Script } from 'node:vm';
import { isMainThread } from 'node:worker_threads';
import { messageOf, tooManyFiles } from '../errors.ts';
import type { parts } from './parts.ts';

declare const __filename: string; // it is bundled as CommonJS, which starts sooner
declare const __dirname: string;

const bundle = join(__dirname, 'tsbackup.cjs');
const compiled = `${bundle}.${process.arch}-${process.versions.v8}`;
const name = basename(__filename, '.js') as keyof typeof parts;

try {
  const source = readFileSync(bundle, 'latin1'); // ASCII, a function of the three that it is called with
  const cachedData = readCompiled();
  const script = new Script(source, { filename: bundle, ...(cachedData && { cachedData }) });
  const module = {} as { exports: { parts: typeof parts } };
  script.runInThisContext()(module, createRequire(bundle), bundle);
  if (isMainThread && (!cachedData || script.cachedDataRejected)) process.once('exit', () => keep(script));
  void module.exports.parts[name]();
} catch (error) {
  if (!isMainThread) throw error; // the main thread tells it
  process.stderr.write(`Error: ${messageOf(tooManyFiles(error) ?? error)}\n`);
  process.exit(1);
}

function readCompiled(): Buffer | undefined {
  try {
    return readFileSync(compiled);
  } catch {
    return undefined;
  }
}

function keep(script: Script): void {
  const temporary = `${compiled}.${process.pid}`;
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
