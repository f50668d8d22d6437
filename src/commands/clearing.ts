/** `restore --in-place --delete`: what of the folder is not in the backup goes, or is told with `--dry-run`. */

import { statSync } from 'node:fs';
import { bytesOf, displayPath } from '../bytes.ts';
import { type DeleteOptions, deleteOthers } from '../files/delete-others.ts';
import { createPlacedList, type PlacedList } from '../files/placed-list.ts';
import type { Reporter } from '../report.ts';
import { parseTarget } from '../storage/url.ts';
import type { Archive } from './archive.ts';
import { currentRecords } from './current-records.ts';
import type { Host } from './host.ts';
import { createLocator, type WantedSet } from './replaying.ts';
import { placesWithin } from './source-check.ts';

/** Of a restore in place. */
export interface ClearRequest {
  /** Of the archive. */
  readonly url: string;
  /** Of the folder; bytes as a latin1 string, as the next one. */
  readonly target: string;
  readonly archiveDir: string;
  /** Of the archive; everything if empty. */
  readonly paths: readonly string[];
  readonly tempdir: string;
}

export interface Cleared {
  readonly deleted: number;
  /** Of what should have gone. */
  readonly failed: number;
}

/**
 * Removes what is not in the backup; nothing at all if anything that is in it could not be restored.
 * @param aside where folders are that made room in the restore
 */
export function clear(
  request: ClearRequest,
  placed: PlacedList,
  aside: readonly string[],
  isWhole: boolean,
  { reporter }: Host,
): Cleared {
  const target = displayPath(request.target);
  if (!isWhole) {
    const message = `Nothing is deleted in ${target}, because not all of the backup could be restored.`;
    reporter.report({ level: 'warning', code: 'not-deleted', message });
    tellAside(aside, reporter);
    return { deleted: 0, failed: 0 };
  }
  let [deleted, failed, others] = [0, 0, 0];
  let missing: string | undefined;
  walkOthers(request, placed, aside, {
    dryRun: true,
    onDeleted() {
      others++;
    },
    onMissing(path) {
      missing ??= path;
    },
    onProblem() {},
    onMountPoint(path) {
      const message = `Nothing is deleted in ${displayPath(path)}: another file system is mounted there.`;
      reporter.report({ level: 'notice', code: 'not-deleted', message, facts: { path } });
    },
  });
  if (others === 0) return { deleted: 0, failed: 0 };
  if (missing !== undefined) {
    const message = `Nothing is deleted in ${target}, because ${displayPath(missing)} is listed under another name there: what seems superfluous may be what was restored.`;
    reporter.report({ level: 'warning', code: 'not-deleted', message });
    tellAside(aside, reporter);
    return { deleted: 0, failed: others };
  }
  walkOthers(request, placed, aside, {
    onDeleted(path) {
      deleted++;
      const message = `${displayPath(path)} is deleted.`;
      reporter.report({ level: 'info', code: 'deleted', message, facts: { path } });
    },
    onProblem(path, reason) {
      failed++;
      const message = `${displayPath(path)} can't be deleted: ${reason}`;
      reporter.report({ level: 'warning', code: 'not-deleted', message, facts: { path } });
    },
    onMountPoint() {},
  });
  return { deleted, failed };
}

/** Of folders that are not deleted, though files of the backup took their places. */
export function tellAside(aside: readonly string[], reporter: Reporter): void {
  for (const path of aside) {
    const message = `${displayPath(path)} is a folder in whose place there is a file of the backup now.`;
    reporter.report({ level: 'warning', code: 'set-aside', message, facts: { path } });
  }
}

/**
 * What `clear` would delete after a restore in which nothing is lost, by the signatures.
 * @returns paths below the target, some at a time
 */
export async function* plannedDeletions(
  request: ClearRequest,
  sets: readonly WantedSet[],
  archive: Archive,
  host: Host,
): AsyncGenerator<string[], void, undefined> {
  const placed = createPlacedList(request.tempdir);
  const deletions = createPlacedList(request.tempdir);
  try {
    const locate = createLocator(request.paths);
    const wanted = sets.map(({ set }) => set);
    for await (const records of currentRecords(archive, wanted, host.signal)) {
      for (const { path } of records) {
        const place = locate(path);
        if (place !== undefined) placed.add(place);
      }
    }
    walkOthers(request, placed, [], {
      ...{ dryRun: true, onDeleted: path => deletions.add(path) },
      ...{ onProblem() {}, onMountPoint() {} },
    });
    let batch: string[] = [];
    for (const path of deletions.all()) {
      batch.push(path);
      if (batch.length === BATCH) {
        yield batch;
        batch = [];
      }
    }
    yield batch;
  } finally {
    placed.close();
    deletions.close();
  }
}

const BATCH = 1000;

function walkOthers(
  { url, target, paths, archiveDir }: ClearRequest,
  placed: PlacedList,
  aside: readonly string[],
  options: Omit<DeleteOptions, 'within' | 'kept'>,
): void {
  if (!isFolder(target)) return;
  const within = paths.length > 1 ? [...paths, ...aside] : [];
  const archive = parseTarget(url);
  const places = [archiveDir, ...(archive.scheme === 'file' ? [archive.path] : [])];
  const kept = places.flatMap(place => placesWithin(target, place)); // where a link leads there, the link
  deleteOthers(target, placed.all(), { ...options, within, kept });
}

function isFolder(path: string): boolean {
  return statSync(bytesOf(path), { throwIfNoEntry: false })?.isDirectory() === true;
}
