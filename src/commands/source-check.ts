/** A source must not hold its own backup, nor the other way round. */

import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { bytesOf, displayPath, isWithin, pathOf } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import type { Selection } from '../files/select.ts';
import { parseTarget } from '../storage/url.ts';

/**
 * @param selection of what is taken of the source
 * @throws BackupError `usage`
 */
export function checkSource(source: string, url: string, selection: Selection): void {
  const target = parseTarget(url);
  if (target.scheme !== 'file') return;
  const from = real(source);
  const to = real(target.path);
  if (from === undefined || to === undefined) return;
  if (isWithin(to, from) && !isLeftOut(to.slice(from.length + 1), from, selection)) {
    throw new BackupError(
      'usage',
      `the target ${displayPath(to)} lies in the source ${shown(from)}; it would back up itself; leave it out with --exclude`,
    );
  }
  if (isWithin(from, to)) {
    throw new BackupError('usage', `the source ${displayPath(from)} lies in the target ${shown(to)}`);
  }
}

/** The root is '' here, as nothing ends with a slash. */
function shown(folder: string): string {
  return displayPath(folder || '/');
}

/**
 * A folder that is cleared of what is not in the backup must not hold the backup.
 * @throws BackupError `usage`
 */
export function checkCleared(folder: string, url: string): void {
  const target = parseTarget(url);
  if (target.scheme !== 'file') return;
  const [cleared, archive] = [real(folder), real(target.path)];
  if (cleared === undefined || archive === undefined || !isWithin(archive, cleared)) return;
  const message = `the archive ${displayPath(archive)} lies in ${displayPath(cleared)}, where it would be deleted`;
  throw new BackupError('usage', message);
}

/** Whether two URLs lead to one archive, however they are written. */
export function isSamePlace(url: string, other: string): boolean {
  const [one, two] = [parseTarget(url), parseTarget(other)];
  if (one.scheme === 'file' && two.scheme === 'file') {
    const path = real(one.path);
    return path !== undefined && path === real(two.path);
  }
  const nameOf = ({ notice, ...target }: typeof one) => JSON.stringify(target);
  return nameOf(one) === nameOf(two);
}

/** Where a place lies below a folder, as paths: with links followed, and as it is written. */
export function placesWithin(folder: string, place: string): string[] {
  const ways = [[real(folder), real(place)] as const, [written(folder), written(place)] as const];
  const found = ways.flatMap(([outer, inner]) =>
    outer === undefined || inner === undefined || !isWithin(inner, outer)
      ? []
      : inner.slice(outer.length + 1),
  );
  return [...new Set(found)];
}

function written(path: string): string {
  const absolute = resolve(path);
  return absolute === '/' ? '' : absolute;
}

/** Whether a selection leaves a folder out, or one that it lies in. @param path from the root; '' is the root itself */
function isLeftOut(path: string, root: string, selection: Selection): boolean {
  const candidate = (below: string) => ({
    path: below,
    type: 'directory' as const,
    mtimeSeconds: 0,
    dev: deviceOf(below === '' ? root || '/' : `${root}/${below}`),
  });
  selection.enter(candidate(''), []);
  const parts = path === '' ? [] : path.split('/');
  return parts.some(
    (_, index) => selection.select(candidate(parts.slice(0, index + 1).join('/'))) === 'skip',
  );
}

/** Of what is not there yet: that of where it will be. */
function deviceOf(path: string): bigint {
  try {
    return statSync(bytesOf(path), { bigint: true }).dev;
  } catch (error) {
    if (path === '/') throw error;
    return deviceOf(path.slice(0, path.lastIndexOf('/')) || '/');
  }
}

/** Without links; of a path that does not exist yet, its first parent that does, with the rest. */
function real(path: string): string | undefined {
  const trimmed = path.replace(/(.)\/+$/, '$1');
  try {
    const found = pathOf(realpathSync(bytesOf(trimmed), 'buffer'));
    return found === '/' ? '' : found;
  } catch {
    const slash = trimmed.lastIndexOf('/');
    const parent = slash < 0 ? '.' : trimmed.slice(0, slash) || '/';
    if (parent === trimmed) return undefined;
    const above = real(parent);
    return above === undefined ? undefined : `${above}/${trimmed.slice(slash + 1)}`;
  }
}
