/** Faults of duplicity's when a backup is interrupted and resumed, each of which was seen: they must not be ours. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createTestArchive } from '../support/archive.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';

const volumeSize = 100_000;
const LARGE = 4_000_000;

/** A source whose backup was interrupted in the middle of `large`, behind `before` and ahead of `zzz`. */
async function interruptedInLarge(t: TestContext) {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  const random = createRandom('regressions');
  writeFileSync(join(source, 'before'), random.bytes(700_000));
  writeFileSync(join(source, 'large'), random.bytes(LARGE));
  writeFileSync(join(source, 'zzz'), random.bytes(100));
  utimesSync(source, 1_600_000_000, 1_600_000_000);
  const archive = createTestArchive(base);
  archive.host.interruptAfter(4);
  await assert.rejects(archive.backup(source, { volumeSize }));
  archive.host.interruptAfter(undefined);
  const restored = async (name: string) => {
    assert.equal(await archive.restore(join(base, name)), 0);
    return join(base, name);
  };
  return { source, archive, random, restored };
}

test('A: a file that changes between the interruption and the next run is never a splice of both versions', async t => {
  const { source, archive, random, restored } = await interruptedInLarge(t);
  const second = random.bytes(LARGE);
  writeFileSync(join(source, 'large'), second);
  assert.equal(await archive.backup(source, { volumeSize }), 0);
  assert.ok(readFileSync(join(await restored('resumed'), 'large')).equals(second));

  const third = Buffer.from(second);
  third.fill(1, 1_000_000, 1_000_100);
  third.fill(1, 3_000_000, 3_000_100);
  writeFileSync(join(source, 'large'), third);
  archive.host.set(1_700_001_000);
  assert.equal(await archive.backup(source, { volumeSize }), 0);
  assert.ok(readFileSync(join(await restored('later'), 'large')).equals(third), 'a delta fits its basis');
});

test('C: a file created between the interruption and the next run is stored before it is listed', async t => {
  const { source, archive, restored } = await interruptedInLarge(t);
  writeFileSync(join(source, 'a new one'), 'behind the place of the interruption');
  writeFileSync(join(source, 'z new one'), 'ahead of it');
  utimesSync(source, 1_600_000_000, 1_600_000_000); // else the folder has changed too, unless it is the same second
  assert.equal(await archive.backup(source, { volumeSize }), 0);
  const resumed = snapshotTree(await restored('resumed')).map(({ path }) => path);
  assert.deepEqual(resumed, ['', 'before', 'large', 'z new one', 'zzz']);
  archive.host.set(1_700_001_000);
  archive.host.clear();
  assert.equal(await archive.backup(source, { volumeSize }), 0);
  assert.match(archive.host.output(), /^NewFiles 1$/m);
  assertSameTree(snapshotTree(await restored('later')), snapshotTree(source));
});
