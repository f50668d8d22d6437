/**
 * Any tree, any sequence of changes, each backed up by a program drawn at random (ours or the real duplicity), any
 * volume size, encrypted or not: at every set's time both programs restore what was there.
 */

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { mutateTree } from '../support/mutations.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, type SnapshotEntry, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';
import { makeTree } from '../support/trees.ts';

const histories = Number(process.env.TSBACKUP_HISTORIES ?? (process.env.CI === 'true' ? 100 : 20));
const firstSeed = Number(process.env.TSBACKUP_FIRST_SEED ?? 1);

test(`${histories} histories restore equal at every time, by both programs`, { concurrency: 2 }, async t => {
  if (!needTool(t, 'duplicity', 'gpg')) return;
  const runs: Promise<void>[] = [];
  for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
    runs.push(t.test(`history ${seed}`, scope => checkHistory(scope as Scope, seed)));
  }
  await Promise.all(runs);
});

type Scope = Parameters<typeof tempDir>[0] & { diagnostic(message: string): void };

async function checkHistory(t: Scope, seed: number): Promise<void> {
  const random = createRandom(seed);
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  makeTree(source, seed, { entries: 25, large: random.chance(0.3) });
  const encrypted = random.chance(0.3);
  const passphrase = encrypted ? { passphrase: 'pä ss' } : {};
  const archive = createTestArchive(base, passphrase);
  const duplicity = createDuplicity(t);
  const volsize = random.pick([1, 1, 2, 200]);
  const states: { time: number; tree: SnapshotEntry[]; by: string }[] = [];
  const told = () => states.map(({ by }) => by).join(' → ');

  const sets = random.between(2, 6);
  for (let i = 0; i < sets; i++) {
    if (i > 0) mutateTree(source, seed * 1000 + i, { changes: 8 });
    const time = 1_600_000_000 + i * 1000;
    const isFull = i === 0 || random.chance(0.1);
    if (random.chance(0.5)) {
      archive.host.set(time);
      const status = await archive.backup(source, {
        mode: isFull ? 'full' : 'incremental',
        volumeSize: volsize * 1024 * 1024,
      });
      assert.equal(status, 0, `our backup after ${told()}: ${JSON.stringify(archive.host.reports)}`);
      states.push({ time, tree: snapshotTree(source), by: isFull ? 'our full' : 'ours' });
    } else {
      const args = ['--current-time', String(time), '--volsize', String(volsize), '--allow-source-mismatch'];
      const options = { ...passphrase, args };
      await (isFull ? duplicity.full : duplicity.incremental)(source, archive.url, options);
      states.push({ time, tree: snapshotTree(source), by: isFull ? "duplicity's full" : "duplicity's" });
    }
  }
  for (const [index, { time, tree }] of states.entries()) {
    const what = `state ${index + 1} of ${told()}`;
    try {
      const ours = join(base, `ours ${index}`);
      assert.equal(
        await archive.restore(ours, { time: String(time) }),
        0,
        JSON.stringify(archive.host.reports),
      );
      assertSameTree(snapshotTree(ours), tree);
      const theirs = join(base, `theirs ${index}`);
      await duplicity.restore(archive.url, theirs, { ...passphrase, args: ['-t', String(time)] });
      assertSameTree(snapshotTree(theirs), tree);
    } catch (error) {
      t.diagnostic(what);
      throw error;
    }
  }
}
