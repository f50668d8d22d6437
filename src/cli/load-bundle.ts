/** Starts the program or one of its threads, which are files of their own: a thread's memory holds what it loads. */

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { isMainThread } from 'node:worker_threads';
import { requireSameBuild } from '../engine/own-build.ts';
import { packThreadPlace, startPackThread } from '../engine/pack-thread.ts';
import { launchRestoreThread, restoreThreadPlace } from '../engine/restore-start.ts';
import { messageOf, tooManyFiles } from '../errors.ts';
import { loadCompiled } from './compiled-script.ts';
import type { parts } from './parts.ts';
import { tooOld } from './version.ts';

/** @param folder of the bundle @param words of the command line, as Node gives them */
export function loadBundle(name: string, folder: string, words: readonly string[]): void {
  const obstacle = tooOld(process.versions.node);
  if (obstacle !== undefined) {
    process.stderr.write(obstacle);
    process.exit(1);
  }
  try {
    // Collections are small and many here: to share one among threads costs more than it saves.
    if (isMainThread) setFlagsFromString('--no-parallel-scavenge');
    if (name === 'cli') startThread(words, folder);
    if (!isMainThread) requireSameBuild(words[0]);
    if (!isMainThread) return void loadCompiled(join(folder, `${name}.cjs`));
    const bundle = loadCompiled(join(folder, 'tsbackup.cjs')) as { parts: typeof parts };
    void bundle.parts[name as keyof typeof parts]();
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
