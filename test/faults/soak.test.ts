/** Many simulated days of one archive: changes, interruptions, failures, prunes. What a process holds stays as it was. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { remove } from '../../src/commands/remove.ts';
import { createTestArchive } from '../support/archive.ts';
import { isThorough } from '../support/faults.ts';
import { collectGarbage } from '../support/garbage.ts';
import { mutateTree } from '../support/mutations.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { removeTree, tempDir } from '../support/temp-dir.ts';
import { makeTree } from '../support/trees.ts';

const DAYS = isThorough ? 200 : 50;
const DAY = 86_400;
const WARM_UP = 20;

test(`${DAYS} days leave no trace in the process, and little in the cache`, async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  makeTree(source, 5, { entries: 30, large: true });
  const random = createRandom('soak');
  const archive = createTestArchive(base, { passphrase: 'every day', cores: 2 });
  const { host, common, url } = archive;
  let interrupted = 0;
  let atFirst = { heap: 0, files: 0 };
  for (let day = 0; day < DAYS; day++) {
    const now = 1_600_000_000 + day * DAY;
    host.set(now);
    host.clear();
    mutateTree(source, day, { changes: 4 });
    host.interruptAfter(random.chance(0.2) ? 1 : undefined);
    const mode = day % 15 === 0 ? 'full' : 'auto';
    try {
      assert.equal(await archive.backup(source, { mode, volumeSize: 300_000 }), 0);
    } catch (error) {
      if (!host.signal.aborted) throw error;
      interrupted++;
      mutateTree(source, 10_000 + day, { changes: 2 });
      host.interruptAfter(undefined);
      host.set(now + 60);
      assert.equal(await archive.backup(source, { volumeSize: 300_000 }), 0);
      host.set(now + 120);
      assert.equal(await archive.backup(source, { volumeSize: 300_000 }), 0);
    }
    host.interruptAfter(undefined);
    if (day % 10 === 9) {
      const prune = {
        ...common,
        action: 'remove-older-than',
        url,
        limit: '30D',
        force: true,
        dryRun: false,
      } as const;
      assert.equal(await remove(prune, host), 0);
      const out = join(base, 'out');
      assert.equal(await archive.restore(out), 0);
      assertSameTree(snapshotTree(out), snapshotTree(source));
      removeTree(out);
    }
    if (day === WARM_UP) atFirst = held();
  }
  const inTheEnd = held();
  t.diagnostic(`${interrupted} of ${DAYS} runs were interrupted; ${JSON.stringify({ atFirst, inTheEnd })}`);
  assert.ok(interrupted > DAYS / 20);
  assert.ok(inTheEnd.files <= atFirst.files, 'open files');
  assert.ok(inTheEnd.heap < atFirst.heap + 3 * 2 ** 20, 'memory');
  const [cache = ''] = readdirSync(common.archiveDir);
  const left = readdirSync(join(common.archiveDir, cache));
  // Three chains may be there at a time: of each the catalog, and two files a set.
  assert.ok(left.length < 3 + 2 * 3 * (15 * 2) + 10, left.join('\n'));
  assert.deepEqual(readdirSync(join(common.archiveDir, cache, 'tsbackup-partial')), []);
});

/** What this process holds. */
function held(): { heap: number; files: number } {
  collectGarbage();
  return { heap: process.memoryUsage().heapUsed, files: readdirSync('/proc/self/fd').length };
}
