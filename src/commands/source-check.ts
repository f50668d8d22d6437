/** A source must not hold its own backup, nor the other way round. */

import { realpathSync, statSync } from 'node:fs';
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
      `the target ${displayPath(to)} lies in the source ${displayPath(from)}; it would back up itself; leave it out with --exclude`,
    );
  }
  if (isWithin(from, to)) {
    throw new BackupError('usage', `the source ${displayPath(from)} lies in the target ${displayPath(to)}`);
  }
}

/**
 * A folder that is cleared of what is not in the backup must not hold the backup.
 * @throws BackupError `usage`
 */
export function checkCleared(folder: string, url: string): void {
  const target = parseTarget(url);
  if (target.scheme !== 'file') return;
  if (placeWithin(folder, target.path) === undefined) return;
  const [cleared, archive] = [folder, target.path].map(displayPath);
  throw new BackupError('usage', `the archive ${archive} lies in ${cleared}, where it would be deleted`);
}

/** Where a place lies below a folder, as a path; undefined if it does not. */
export function placeWithin(folder: string, place: string): string | undefined {
  const [outer, inner] = [real(folder), real(place)];
  if (outer === undefined || inner === undefined || !isWithin(inner, outer)) return undefined;
  return inner.slice(outer.length + 1);
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
  const found = statSync(bytesOf(path), { bigint: true, throwIfNoEntry: false });
  return found ? found.dev : deviceOf(path.slice(0, path.lastIndexOf('/')) || '/');
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
