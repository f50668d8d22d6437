/**
 * Any tree, interrupted at any volume, changed in any way meanwhile, as often as you like: the set that comes about
 * holds one real version of every file, and the next incremental sees all that has changed. Both programs agree.
 */

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTestArchive, type TestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { mutateTree } from '../support/mutations.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, type SnapshotEntry, snapshotTree } from '../support/snapshots.ts';
import { type Scope, tempDir } from '../support/temp-dir.ts';
import { haveTool } from '../support/tools.ts';
import { makeTree } from '../support/trees.ts';
import { assertRealVersions } from '../support/versions.ts';

const runs = Number(process.env.TSBACKUP_RESUMES ?? (process.env.CI === 'true' ? 40 : 20));
const firstSeed = Number(process.env.TSBACKUP_FIRST_SEED ?? 1);

test(`${runs} interrupted backups are continued`, { concurrency: 2 }, async t => {
  const counts = { continued: 0, removed: 0 };
  const checks: Promise<void>[] = [];
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    checks.push(t.test(`seed ${seed}`, scope => checkResume(scope as Scope, seed, counts)));
  }
  await Promise.all(checks);
  t.diagnostic(`${counts.continued} runs continued a set, ${counts.removed} had to begin anew`);
  assert.ok(counts.continued > runs / 2);
});

async function checkResume(t: Scope, seed: number, counts: { continued: number; removed: number }) {
  const random = createRandom(`resume ${seed}`);
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  makeTree(source, seed, { entries: 25, large: true });
  const passphrase = random.chance(0.2) ? { passphrase: 'pä ss' } : {};
  const archive = createTestArchive(base, { ...passphrase, cores: random.pick([1, 2]) });
  const volumeSize = 'passphrase' in passphrase ? 400_000 : 100_000; // duplicity starts a gpg for each volume
  let time = 1_600_000_000;
  const backUp = async (mode: 'full' | 'incremental' | 'auto') => {
    time += 1000;
    archive.host.set(time);
    return archive.backup(source, { mode, volumeSize });
  };
  const sets = random.int(3); // that were completed before
  for (let i = 0; i < sets; i++) {
    assert.equal(await backUp('auto'), 0);
    mutateTree(source, seed * 1000 + i, { changes: 15 });
  }

  const versions: SnapshotEntry[][] = [];
  let setTime = time;
  for (let attempt = 1; ; attempt++) {
    versions.push(snapshotTree(source));
    archive.host.interruptAfter(random.pick([1, 2, 4, 8, 16]));
    archive.host.clear();
    const isComplete = await backUp(random.pick(['full', 'auto'])).then(
      () => true,
      () => false,
    );
    const codes = archive.host.reports.map(({ code }) => code);
    const isRemoved = codes.includes('interrupted-set-removed');
    if (isRemoved) counts.removed++;
    else if (codes.includes('continuing')) counts.continued++;
    if (isRemoved || !codes.includes('continuing')) setTime = time;
    if (isComplete) break;
    if (random.chance(0.7))
      mutateTree(source, seed * 1000 + 100 + attempt, { changes: random.between(1, 6) });
    if (random.chance(0.2)) archive.host.interruptAfter(undefined);
  }
  archive.host.interruptAfter(undefined);
  await check(t, archive, { ...passphrase, time: setTime, at: join(base, 'resumed') }, tree => {
    assertRealVersions(tree, versions);
  });
  assert.equal(await backUp('incremental'), 0);
  const now = snapshotTree(source);
  await check(t, archive, { ...passphrase, time, at: join(base, 'next') }, tree => assertSameTree(tree, now));
  archive.host.clear();
  assert.equal(await backUp('incremental'), 0);
  assert.match(archive.host.output(), /^DeltaEntries 0$/m);
}

/** Restores the state of a time, by both programs. */
async function check(
  t: Scope,
  archive: TestArchive,
  { at, time, passphrase }: { at: string; time: number; passphrase?: string },
  isRight: (tree: SnapshotEntry[]) => void,
): Promise<void> {
  assert.equal(await archive.restore(at, { time: String(time) }), 0, JSON.stringify(archive.host.reports));
  const ours = snapshotTree(at);
  isRight(ours);
  if (!haveTool('duplicity')) return;
  const theirs = `${at} by duplicity`;
  const args = ['-t', String(time)];
  await createDuplicity(t).restore(archive.url, theirs, {
    ...(passphrase !== undefined && { passphrase }),
    args,
  });
  assertSameTree(snapshotTree(theirs), ours);
}
