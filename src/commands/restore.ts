/** restore: a state of the archive, or a part of it, into a folder. */

import { setTimeout as sleep } from 'node:timers/promises';
import { displayPath, pathFields } from '../bytes.ts';
import type { RestoreThread, TreeWriting } from '../engine/restore-thread.ts';
import { writeHere } from '../engine/write-here.ts';
import { BackupError, exitStatus } from '../errors.ts';
import { createPlacedList } from '../files/placed-list.ts';
import { checkTarget } from '../files/target.ts';
import type { WriteProblem } from '../files/write.ts';
import { type Archive, openArchive } from './archive.ts';
import { clear, plannedDeletions, tellAside } from './clearing.ts';
import type { CommonOptions, Host } from './host.ts';
import {
  noticing,
  type PlannedSet,
  planAll,
  replayInto,
  type Wanted,
  type WantedSet,
  wantedSets,
} from './replaying.ts';
import { requireTarget } from './require-target.ts';
import { createRestoreProblems } from './restore-problems.ts';
import { checkCleared } from './source-check.ts';
import { type ThawRequest, thawVolumes } from './thaw.ts';

export interface RestoreRequest extends CommonOptions, Wanted, ThawRequest {
  readonly url: string;
  /** Bytes as a latin1 string. */
  readonly target: string;
  /** Into a folder that is not empty; files of the same name are replaced. */
  readonly force: boolean;
  /** What is there already and is the same stays; no need for an empty folder. */
  readonly inPlace: boolean;
  /** Together with that: what is not in the backup goes, if nothing was lost. */
  readonly deleteOthers: boolean;
  readonly dryRun: boolean;
  readonly numericOwner: boolean;
  readonly ownership: boolean;
}

/**
 * @param thread given; made here if need be
 * @returns the exit status: failed if anything of what was asked for is missing
 */
export async function restore(request: RestoreRequest, host: Host, thread?: RestoreThread): Promise<number> {
  const { reporter } = host;
  const archive = await openArchive(request.url, request, host, { checked: true, thread });
  try {
    if (request.deleteOthers) checkCleared(request.target, request.url);
    await requireTarget(archive.storage);
    if (!request.dryRun) checkTarget(request.target, { force: request.force || request.inPlace });
    const sets = wantedSets(archive, await archive.readableCollection(), request, host);
    if (request.dryRun) {
      const volumes = requiredVolumes(await planAll(sets));
      const text = [
        'Required volumes to restore:',
        ...volumes.map(name => `\t${displayPath(name)}`),
        '',
      ].join('\n');
      await host.print(text, () => [{ type: 'plan', volumes }]);
      if (request.deleteOthers) await printDeletions(request, sets, archive, host);
      return exitStatus.done;
    }
    await thawVolumes(archive.storage, sets, request, host);
    const problems = createRestoreProblems(request.paths, host);
    const writer = openWriter(request, archive, problems.tell);
    const placed = request.deleteOthers ? createPlacedList(request.tempdir) : undefined;
    let isAsideKnown = false;
    try {
      const { entries, lost, isSound } = await replayInto(
        placed ? noticing(writer, path => placed.add(path)) : writer,
        sets,
        archive,
        request,
        request.tempdir,
        host,
      );
      if (entries === 0 && lost === 0) throw nothingFound(request, archive.storage.description);
      reporter.report({
        level: 'info',
        code: 'restored',
        message: `Restored ${entries} entries to ${displayPath(request.target)}.`,
      });
      const { written, kept, aside } = await writer.close(); // folders get their times before anything is deleted in them
      let isWhole = isSound && problems.missing() === 0;
      if (request.inPlace) {
        const nothing = { deleted: 0, failed: 0 };
        isAsideKnown = true;
        const { deleted, failed } = placed ? clear(request, placed, aside, isWhole, host) : nothing;
        isWhole &&= failed === 0;
        const message = `${written} files and links were written, ${kept} were the same already, ${deleted} were deleted.`;
        const facts = { written, kept, deleted };
        reporter.report({ level: 'notice', code: 'restored-in-place', message, facts });
      }
      return isWhole ? exitStatus.done : exitStatus.failed;
    } finally {
      const end = writer.close().catch(() => undefined); // when all went well it was closed before
      const left = await Promise.race([end, sleep(PATIENCE_MS, undefined, { ref: false })]);
      if (left && !isAsideKnown) tellAside(left.aside, reporter);
      problems.end();
      placed?.close();
    }
  } finally {
    await archive.close();
  }
}

async function printDeletions(
  request: RestoreRequest,
  sets: readonly WantedSet[],
  archive: Archive,
  host: Host,
): Promise<void> {
  await host.print('Not in the backup, to be deleted:\n', () => []);
  for await (const paths of plannedDeletions(request, sets, archive, host)) {
    await host.print(paths.map(path => `\t${displayPath(path)}\n`).join(''), () =>
      paths.map(path => ({ type: 'deletion', ...pathFields(path) })),
    );
  }
}

/** How long a thread may take to leave a restore that has failed; it may hang at a target that is gone. */
const PATIENCE_MS = 10_000;

/** Writes on the second thread if there is one and it has begun, else right here. */
function openWriter(
  request: RestoreRequest,
  { thread }: Archive,
  onProblem: (problem: WriteProblem) => void,
): TreeWriting {
  const { target, numericOwner, ownership, inPlace, deleteOthers } = request;
  const options = { numericOwner, ownership, inPlace, setsAside: deleteOthers };
  let writing: TreeWriting | undefined;
  const open = () =>
    thread?.isStarted() ? thread.write(target, options, onProblem) : writeHere(target, options, onProblem);
  return {
    begin(entry) {
      writing ??= open(); // not before the first volume is proved, on the thread if it is large
      return writing.begin(entry);
    },
    data: bytes => writing?.data(bytes),
    finish: () => writing?.finish(),
    abandon: () => writing?.abandon(),
    close: async () => (await writing?.close()) ?? { written: 0, kept: 0, aside: [] },
  };
}

export function nothingFound({ paths }: Wanted, place: string): BackupError {
  if (paths.length === 0) return new BackupError('nothing-to-restore', `the backup is empty at ${place}`);
  const names = paths.map(displayPath).join(', ');
  // As on a Mac, where a name that is typed looks like the one that is stored, and is another.
  const isTwofold = names.normalize('NFC') !== names.normalize('NFD');
  const copy = isTwofold ? '; accents can be written in two ways: copy the name from there' : '';
  const message = `no ${names} in the backup at ${place}; list-current-files shows what there is, collection-status --file-changed when it was there${copy}`;
  return new BackupError('nothing-to-restore', message);
}

function requiredVolumes(planned: readonly PlannedSet[]): string[] {
  return planned.flatMap(({ set, volumes }) =>
    volumes.map(({ number }) =>
      displayPath(set.volumes.get(number)?.name ?? `volume ${number}, which is missing at the target`),
    ),
  );
}
