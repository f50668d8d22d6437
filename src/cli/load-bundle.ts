/**
 * Starts a part of the bundle with the code that V8 has compiled of it before: to compile it takes longer than most runs
 * do. The compiled code is a file beside the bundle, for one version of V8; a run that finds none that fits leaves what
 * it has compiled to the next one, if it may.
 */

import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { isMainThread } from 'node:worker_threads';
import { packThreadPlace, startPackThread } from '../engine/pack-thread.ts';
import { launchRestoreThread, restoreThreadPlace } from '../engine/restore-start.ts';
import { messageOf, tooManyFiles } from '../errors.ts';
import type { parts } from './parts.ts';

/** @param folder of the bundle @param words of the command line, as Node gives them */
export function loadBundle(name: keyof typeof parts, folder: string, words: readonly string[]): void {
  const bundle = join(folder, 'tsbackup.cjs');
  const compiled = `${bundle}.${process.arch}-${process.versions.v8}`;
  try {
    if (name === 'cli') startThread(words, folder);
    const source = readFileSync(bundle, 'latin1'); // ASCII, a function of the three that it is called with
    const cachedData = readCompiled(compiled);
    const script = new Script(source, { filename: bundle, ...(cachedData && { cachedData }) });
    const module = {} as { exports: { parts: typeof parts } };
    script.runInThisContext()(module, createRequire(bundle), bundle);
    if (isMainThread && (!cachedData || script.cachedDataRejected)) {
      process.once('exit', () => keep(script, compiled));
    }
    void module.exports.parts[name]();
  } catch (error) {
    if (!isMainThread) throw error; // the main thread tells it
    process.stderr.write(`Error: ${messageOf(tooManyFiles(error) ?? error)}\n`);
    process.exit(1);
  }
}

/**
 * The thread that the words are clearly going to want: an action comes first, or a path and a URL. For others it is
 * started when the command line has been read; one that has nothing to do is ended with the program.
 */
function startThread(words: readonly string[], folder: string): void {
  const [first = '', second = ''] = words;
  const [isPath, isUrl] = [/^[./~]/, /^\w+:\/\//];
  const isBackup = /^(?:full|incremental)$/.test(first) || (isPath.test(first) && isUrl.test(second));
  const isRestore = first === 'restore' || (isUrl.test(first) && isPath.test(second));
  const isPart = words.some(word => /^--(?:path|file)-to-restore/.test(word)); // may do without
  if ((!isBackup && !isRestore) || availableParallelism() < 2) return;
  if (isBackup) packThreadPlace.leave(startPackThread(join(folder, 'pack-worker.js')));
  else if (!isPart) restoreThreadPlace.leave(launchRestoreThread(join(folder, 'restore-worker.js')));
}

function readCompiled(compiled: string): Buffer | undefined {
  try {
    return readFileSync(compiled);
  } catch {
    return undefined;
  }
}

function keep(script: Script, compiled: string): void {
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
