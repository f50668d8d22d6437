/** A source must be there, and must not hold its own backup. */

import { realpathSync, statSync } from 'node:fs';
import { bytesOf, displayPath, isWithin, pathOf } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import { reasonOf } from '../storage/durable-file.ts';
import { parseTarget } from '../storage/url.ts';

/** @throws BackupError `source-missing`, `usage` */
export function checkSource(source: string, url: string): void {
  try {
    statSync(bytesOf(source));
  } catch (error) {
    const text = `cannot read the source ${displayPath(source)}: ${reasonOf(error)}`;
    throw new BackupError('source-missing', text, {}, { cause: error });
  }
  const target = parseTarget(url);
  if (target.scheme !== 'file') return;
  const from = real(source);
  const to = real(target.path);
  if (from === undefined || to === undefined) return;
  if (isWithin(to, from)) {
    throw new BackupError(
      'usage',
      `the target ${displayPath(to)} lies in the source ${displayPath(from)}; it would back up itself`,
    );
  }
  if (isWithin(from, to)) {
    throw new BackupError('usage', `the source ${displayPath(from)} lies in the target ${displayPath(to)}`);
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
