/**
 * What somebody else may be slow to write: files that may be pipes, the output of commands. Nothing here holds the main
 * thread, so that a signal ends a run that waits.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, createReadStream, fstatSync, open, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { addAbortSignal, type Readable } from 'node:stream';
import { isatty, ReadStream } from 'node:tty';
import { promisify } from 'node:util';
import { BackupError } from '../errors.ts';

const COMMAND_TIMEOUT_MS = 60_000;

/** More than this is no secret with some lines of notes, but a slip: a device, a disk image, a command without an end. */
const MOST_OF_A_SECRET = 1 << 20;

/**
 * All of a file.
 * @param file a path, or a descriptor: standard input, which stays open
 * @param signal ends the waiting; its reason is thrown
 */
export async function readInput(file: string | number, signal?: AbortSignal): Promise<Buffer> {
  return collect(await opened(file, signal), signal);
}

/** All of a file that holds a secret. @throws Error for one that is too long to be that */
export async function readSecretInput(file: string, signal?: AbortSignal): Promise<Buffer> {
  return collect(await opened(file, signal), signal, MOST_OF_A_SECRET);
}

async function opened(file: string | number, signal: AbortSignal | undefined): Promise<Readable> {
  signal?.throwIfAborted();
  // A pipe that nobody writes to would hold a thread of the pool in open(), and the process with it.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const fd = typeof file === 'number' ? file : await promisify(open)(file, flags);
  return streamOf(fd, fd !== file);
}

function streamOf(fd: number, autoClose: boolean): Readable {
  const stats = fstatSync(fd);
  if (isatty(fd)) return new ReadStream(fd);
  if (stats.isFIFO() || stats.isSocket()) return new Socket({ fd, readable: true, writable: false });
  return createReadStream('', { fd, autoClose });
}

/**
 * What a shell command prints that gives a secret.
 * @param signal ends the command, with what it has started; its reason is thrown
 * @throws BackupError `usage` when it fails, takes longer than a minute, or prints too much
 */
export async function outputOf(command: string, origin: string, signal?: AbortSignal): Promise<Buffer> {
  signal?.throwIfAborted();
  // A group of its own ends as a whole, but could not ask on a terminal, whose Ctrl-C reaches all of ours anyway.
  const detached = !hasTerminal();
  const child = spawn('/bin/sh', ['-c', command], { detached, stdio: ['ignore', 'pipe', 'ignore'] });
  const late = AbortSignal.timeout(COMMAND_TIMEOUT_MS);
  const limit = signal ? AbortSignal.any([signal, late]) : late;
  const exit = once(child, 'exit', { signal: limit });
  exit.catch(() => {}); // it is told when its turn comes
  try {
    const output = await collect(child.stdout, limit, MOST_OF_A_SECRET);
    const [status, killed] = await exit;
    // The command's own output may hold the secret, so the message says only how it ended.
    if (status !== 0) throw new BackupError('usage', `${origin} ended with status ${status ?? killed}`);
    return output;
  } catch (error) {
    endAll();
    signal?.throwIfAborted();
    if (late.aborted) throw new BackupError('usage', `${origin} took longer than 60 seconds`);
    if (error instanceof TooLong) throw new BackupError('usage', `${origin}: ${error.message}`);
    throw error;
  }

  function endAll(): void {
    try {
      process.kill(detached ? -child.pid! : child.pid!, 'SIGTERM');
    } catch {} // it has ended
  }
}

class TooLong extends Error {}

async function collect(stream: Readable, signal: AbortSignal | undefined, most = Infinity): Promise<Buffer> {
  if (signal) addAbortSignal(signal, stream);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > most) throw new TooLong(`more than ${most} bytes, which is no secret`);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
