/**
 * The first look at a source: wakes the network drive or automatic mount that it may lie on, waits while that is away,
 * and tells what stands there. In promises, so that a drive that hangs does not hang signals.
 */

import { realpath, stat, statfs } from 'node:fs/promises';
import { bytesOf, displayPath, pathOf } from '../bytes.ts';
import { BackupError, messageOf } from '../errors.ts';
import type { Report } from '../report.ts';
import { fileSystemOf } from './file-system.ts';
import { findIsEmptyFolder } from './folder-content.ts';
import { stayedAway, waitingFor } from './patience.ts';
import { isAway, systemName } from './problem.ts';

/** What a source is, as far as its root tells. */
export interface SourceRoot {
  readonly device: bigint;
  readonly isFolder: boolean;
  /** A folder in which nothing is. */
  readonly isEmpty: boolean;
  /** Of another device than the folder that it lies in. */
  readonly isMountPoint: boolean;
  /** The number that statfs(2) gives for the type of the file system. */
  readonly fileSystem: number;
  /** On a network or in another process, where a call may take for ever. */
  readonly mayHang: boolean;
}

/** NFS, SMB (three numbers), FUSE, 9P, Ceph, AFS, Lustre, VirtualBox. */
const remote: ReadonlySet<number> = new Set([
  ...[0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546, 0x01021997],
  ...[0x00c36400, 0x5346414f, 0x0bd00bd0, 0x786f4256],
]);

export interface WakeOptions {
  readonly retryForMs: number;
  /** Throws when the run is to end. */
  sleep(ms: number): Promise<void>;
  /** Milliseconds. */
  now(): number;
  report(report: Report): void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/**
 * @param root latin1 path; a link stands for what it leads to
 * @throws {BackupError} `source-missing`; `source-unavailable` when it can't be read, or stays away; `usage` for a socket
 */
export async function wakeSource(root: string, options: WakeOptions): Promise<SourceRoot> {
  const begun = options.now();
  let wasAway = false;
  for (let delay = FIRST_PAUSE_MS; ; delay = Math.min(2 * delay, LONGEST_PAUSE_MS)) {
    try {
      const found = await look(root);
      if (wasAway) options.report({ level: 'notice', code: 'source-back', message: 'The source answers.' });
      return found;
    } catch (error) {
      if (!isAway(error)) throw explained(root, error);
      const left = begun + options.retryForMs - options.now();
      if (left <= 0) throw stayedAway(root, error, options.retryForMs);
      if (!wasAway) options.report(waitingFor(error, options.retryForMs));
      wasAway = true;
      await options.sleep(Math.min(delay, left));
    }
  }
}

async function look(root: string): Promise<SourceRoot> {
  const path = bytesOf(root);
  const listed = await isEmpty(path); // what is mounted when it is looked at is there from here on
  const stats = await stat(path, { bigint: true });
  if (stats.isSocket()) {
    throw new BackupError(
      'usage',
      `the source ${displayPath(root)} is a socket, of which nothing can be kept`,
    );
  }
  const fileSystem = fileSystemOf(await statfs(path, { bigint: true }));
  const isFolder = stats.isDirectory();
  return {
    device: stats.dev,
    isFolder,
    isEmpty: listed === true,
    isMountPoint: isFolder && (await stat(await above(path), { bigint: true })).dev !== stats.dev,
    fileSystem,
    mayHang: remote.has(fileSystem),
  };
}

/** @returns undefined for what is no folder */
async function isEmpty(path: Buffer): Promise<boolean | undefined> {
  try {
    return await findIsEmptyFolder(path);
  } catch (error) {
    if (systemName(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function above(path: Buffer): Promise<Buffer> {
  const place = pathOf(await realpath(path, 'buffer'));
  return bytesOf(place.slice(0, place.lastIndexOf('/')) || '/');
}

function explained(root: string, error: unknown): BackupError {
  const name = systemName(error);
  if (name === undefined) throw error;
  const path = displayPath(root);
  const facts = { path, systemCode: name };
  return name === 'ENOENT' || name === 'ENOTDIR'
    ? new BackupError(
        'source-missing',
        `cannot read the source ${path}: ${messageOf(error).split(', ')[0]}`,
        facts,
        { cause: error },
      )
    : new BackupError('source-unavailable', `Can't read ${path}: ${name}.`, facts, { cause: error });
}
