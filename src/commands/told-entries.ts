/** What a backup stores, path by path, for who wants to hear of it: `A` as it is, `M` as a delta, `D` as deleted. */

import { displayPath } from '../bytes.ts';
import type { PackBatch } from '../engine/batch.ts';
import type { Reporter } from '../report.ts';
import { createDifftarReader, type DifftarKind } from '../volumes/difftar.ts';

const events: Readonly<Record<DifftarKind, readonly [letter: string, code: string]>> = {
  snapshot: ['A', 'entry-new'],
  diff: ['M', 'entry-changed'],
  deleted: ['D', 'entry-deleted'],
};

/** The same batches; their members are told before each. */
export async function* tellingEntries(
  batches: AsyncIterable<PackBatch>,
  reporter: Reporter,
): AsyncGenerator<PackBatch, void, undefined> {
  const reader = createDifftarReader({
    begin({ path, kind, continuation }) {
      if (continuation) return; // it was told by the run that this one continues
      const [letter, code] = events[kind];
      reporter.report({ level: 'info', code, message: `${letter} ${displayPath(path)}`, facts: { path } });
    },
    data() {},
    finish() {},
  });
  reader.startVolume();
  for await (const batch of batches) {
    reader.push(batch.difftar);
    yield batch;
  }
}
