/**
 * verify: rebuilds everything that the archive holds, in memory. With --compare-data what comes out is compared with a
 * local tree; without, nothing local is looked at, and the last line says so.
 */

import { displayPath } from '../bytes.ts';
import type { TreeSink } from '../engine/replay.ts';
import { exitStatus } from '../errors.ts';
import { createTreeComparer } from '../files/compare.ts';
import { createSelection } from '../files/select.ts';
import type { SelectionRule } from '../files/select-rules.ts';
import { openArchive } from './archive.ts';
import type { CommonOptions, Host } from './host.ts';
import { ownPlaces } from './own-places.ts';
import { replayInto, type Wanted, wantedSets } from './replaying.ts';
import { requireTarget } from './require-target.ts';
import { nothingFound } from './restore.ts';

export interface VerifyRequest extends CommonOptions, Wanted {
  readonly url: string;
  /** Bytes as a latin1 string. */
  readonly directory: string;
  /** What to look at there; everything if there are no rules. */
  readonly selection: readonly SelectionRule[];
  readonly compareData: boolean;
  readonly numericOwner: boolean;
}

/** @returns the exit status: failed if anything is missing in the archive, different if the trees differ */
export async function verify(request: VerifyRequest, host: Host): Promise<number> {
  const archive = await openArchive(request.url, request, host, { checked: true });
  try {
    await requireTarget(archive.storage);
    const sets = wantedSets(archive, await archive.readableCollection(), request, host);
    const comparer = request.compareData
      ? createTreeComparer(request.directory, {
          ...createSelection(request.selection, request.directory),
          except: ownPlaces(archive),
          numericOwner: request.numericOwner,
          within: request.paths.length > 1 ? request.paths : [],
          onProblem({ path, systemCode, during }) {
            const message = `${displayPath(path)} can't be compared: ${systemCode} at ${during}`;
            host.reporter.report({ level: 'warning', code: 'source-unreadable', message });
          },
          onDifference: text =>
            host.reporter.report({
              level: 'notice',
              code: 'difference',
              message: `Difference found: ${text}`,
            }),
        })
      : undefined;
    const sink = comparer ?? nowhere;
    const replayed = await replayInto(sink, sets, archive, request, request.tempdir, host);
    const { entries, lost, isSound } = replayed;
    if (entries === 0 && lost === 0) throw nothingFound(request, archive.storage.description);
    const outcome = comparer?.end() ?? { compared: entries, differences: 0 };
    await host.print(lastLine(outcome, lost, request), () => [
      { type: 'verify', ...outcome, lost, comparedContents: request.compareData },
    ]);
    if (!isSound) return exitStatus.failed;
    return outcome.differences > 0 ? exitStatus.different : exitStatus.done;
  } finally {
    await archive.close();
  }
}

const nowhere: TreeSink = { begin: () => true, data() {}, finish() {}, abandon() {} };

function lastLine(
  { compared, differences }: { compared: number; differences: number },
  lost: number,
  request: VerifyRequest,
): string {
  const files = `${compared} ${compared === 1 ? 'file' : 'files'} compared`;
  const found = `${differences} ${differences === 1 ? 'difference' : 'differences'} found`;
  const missing = lost === 0 ? '' : ` ${lost} lost in the archive.`;
  const how = request.compareData
    ? ''
    : ` Contents of ${displayPath(request.directory)} were not compared (that takes --compare-data).`;
  return `Verify complete: ${files}, ${found}.${missing}${how}\n`;
}
