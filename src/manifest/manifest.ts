/**
 * A manifest names the volumes of a backup set, the first and last path in each, and its checksum. Putting it at the
 * target is what commits the set. Text in lines, all of it byte strings:
 *
 *     Hostname vm
 *     Localdir src
 *     Volume 1:
 *         StartingPath   .␣␣
 *         EndingPath     f1536000 9
 *         Hash SHA1 4d1fa05b0c338da1ed6182fbcedee2bc2d3dff85
 *         Checksum SHA256 …
 *     Filelist 1
 *         new      f1023999
 *
 * Volumes are appended while the run goes on, so the list of changed files comes last.
 * @see FORMAT.md, "Manifest"
 */

import assert from 'node:assert/strict';
import { bytesOf } from '../bytes.ts';
import { quote } from './quoting.ts';

/** A place in the set's stream of entries: a path and, inside a file that is stored in parts, the part's number. */
export interface Position {
  readonly path: string;
  /** Absent for a thing's last part and for things in one piece. */
  readonly block?: number;
}

export interface VolumeEntry {
  /** Counts from 1. */
  readonly number: number;
  readonly start: Position;
  readonly end: Position;
  /** Of the volume as it is stored, 40 lower-case hex digits. Without any sum the volume cannot be proved. */
  readonly sha1?: string;
  /** Old archives only, 32 lower-case hex digits. */
  readonly md5?: string;
  /** Written again by a run that was resumed: `start` may then be one entry late. */
  readonly resumed?: true;
}

export interface Manifest {
  readonly hostname?: string;
  readonly localdir?: string;
  /** By number, each once. */
  readonly volumes: readonly VolumeEntry[];
  /** Files of which the set has only the beginning, because the rest could not be read; absent if there are none. */
  readonly incomplete?: readonly string[];
  /** It names its own checksum, which is right: no bit of it has changed since it was written. */
  readonly isProved?: true;
  /**
   * How the text ends: `filelist` with all the files it counts, as every writer of today ends it; `volume` without
   * such a list, as old writers end it or a text that lost its end between two volumes; `cut` inside a list or a line.
   */
  readonly ending: 'filelist' | 'volume' | 'cut';
}

export type Change = 'new' | 'changed' | 'deleted';

/** The first lines. `localdir` as `canonicalLocaldir` gives it. */
export function formatHeader(source: { readonly hostname?: string; readonly localdir?: string }): Buffer {
  assert(!/[\r\n]/.test(source.hostname ?? ''), 'a host name is one line');
  const hostname = source.hostname === undefined ? '' : `Hostname ${source.hostname}\n`;
  const localdir = source.localdir === undefined ? '' : `Localdir ${quote(source.localdir)}\n`;
  return bytesOf(hostname + localdir);
}

/** A volume's lines; volumes are written in ascending order. */
export function formatVolume(volume: {
  readonly number: number;
  readonly start: Position;
  readonly end: Position;
  readonly sha1: string;
}): Buffer {
  assert(/^[\da-f]{40}$/.test(volume.sha1), 'a SHA-1 is 40 lower-case hex digits');
  return bytesOf(
    `Volume ${volume.number}:\n` +
      `    StartingPath   ${formatPosition(volume.start)}\n` +
      `    EndingPath     ${formatPosition(volume.end)}\n` +
      `    Hash SHA1 ${volume.sha1}\n`,
  );
}

/**
 * A line in a volume's block that only we write, and other readers pass over: a file of which only the beginning could
 * be read, although it is in the set. Who restores it must hear of that.
 */
export function formatIncomplete(path: string): Buffer {
  return bytesOf(`    Incomplete     ${quote(path)}\n`);
}

/**
 * The last line of the last volume's block, which only we write too: SHA-256 over all other bytes of the text. Not at its end,
 * where readers of the list of changed files take it for one of them.
 */
export function formatChecksum(sha256: string): Buffer {
  assert(/^[\da-f]{64}$/.test(sha256), 'a SHA-256 is 64 lower-case hex digits');
  return bytesOf(`    Checksum SHA256 ${sha256}\n`);
}

/** The line before the list of changed files; `count` lines of `formatChange` must follow. */
export function formatFilelistHeader(count: number): Buffer {
  return bytesOf(`Filelist ${count}\n`);
}

/** One regular file that the set stores whole, stores as delta, or has no more; in the order of the tree. */
export function formatChange(change: Change, path: string): Buffer {
  return bytesOf(`    ${change.padEnd(7)}  ${formatPath(path)}\n`);
}

// Where there is no block number its place is taken by a blank, so that such a line ends in two of them.
function formatPosition({ path, block }: Position): string {
  return `${formatPath(path)} ${block ?? ' '}`;
}

function formatPath(path: string): string {
  return path === '' ? '.' : quote(path);
}
