/**
 * Every call to the file system of a small backup fails in turn, in every way, or kills the process; then the source
 * changes, and the next run goes on. Whatever happened, every set that is there restores to real versions of its files,
 * and the next incremental to what the source is. `npm run test:faults` strikes every call, `npm test` a sample.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseTimeArgument } from '../../src/manifest/time.ts';
import { createTestArchive } from '../support/archive.ts';
import { type ChildBackup, UNFORESEEN } from '../support/child-backup.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { chosenOf } from '../support/faults.ts';
import { type Fault, type FaultKind, faultKinds } from '../support/faulty-fs.ts';
import { startProgram, tail } from '../support/processes.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, type SnapshotEntry, snapshotTree } from '../support/snapshots.ts';
import { changes } from '../support/source-changes.ts';
import { type Scope, tempDir } from '../support/temp-dir.ts';
import { haveTool } from '../support/tools.ts';
import { assertRealVersions } from '../support/versions.ts';

/** Cases of each backup in a sample; a prime stride meets all kinds of faults and changes. */
const SAMPLE = 40;
/** The real duplicity restores the outcome of one case in so many. */
const DUPLICITY_EVERY = 20;

const faultyFs = fileURLToPath(new URL('../support/faulty-fs.js', import.meta.url));
const backupChild = fileURLToPath(new URL('../support/backup-child.js', import.meta.url));

const FIRST = 1_600_000_000;
const volumeSize = 100_000;

for (const [kind, cores] of [
  ['full', 1],
  ['incremental', 1],
  ['incremental', 2],
] as const) {
  test(`${kind} backup on ${cores} cores survives a fault at any call`, { concurrency: 2 }, async t => {
    const lanes = [tempDir(t), tempDir(t)];
    const sweeps = await Promise.all(lanes.map(lane => createSweep(lane, kind, cores)));
    const calls = await sweeps[0]!.countCalls();
    const cases: { at: number; fault: FaultKind }[] = [];
    for (let at = 1; at <= calls; at++) for (const fault of faultKinds) cases.push({ at, fault });
    const chosen = chosenOf(cases, nextPrime(Math.ceil(cases.length / SAMPLE)));
    const outcomes = new Map<string, number>();
    await Promise.all(
      sweeps.map(async (sweep, lane) => {
        for (const [index, { at, fault }] of chosen.entries()) {
          if (index % lanes.length !== lane) continue;
          await t.test(`${fault} at call ${at}`, async scope => {
            const outcome = await sweep.strike(scope as Scope, { at, fault, index });
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          });
        }
      }),
    );
    const told = [...outcomes].map(([outcome, count]) => `${count} ended with ${outcome}`).join(', ');
    t.diagnostic(`${chosen.length} of ${cases.length} faults at ${calls} calls: ${told}`);
    assert.ok(chosen.length > 0);
  });
}

async function createSweep(base: string, kind: 'full' | 'incremental', cores: number) {
  const pristine = join(base, 'pristine');
  const place = join(base, 'place');
  const source = join(place, 'source');
  const versionsBefore: SnapshotEntry[][] = [];
  mkdirSync(source, { recursive: true });
  makeSource(source);
  const archive = createTestArchive(place, { now: FIRST });
  if (kind === 'incremental') {
    assert.equal(await archive.backup(source, { mode: 'full', volumeSize }), 0);
    versionsBefore.push(snapshotTree(source));
    changes.edit(source, 3);
    changes.grow(source, 6);
    changes.create(source, 1);
    changes.remove(source, 4);
  }
  shell('cp', '-a', place, pristine);

  async function run(fault: Fault) {
    shell('rm', '-rf', place);
    shell('cp', '-a', pristine, place);
    const job: ChildBackup = { base: place, source, time: FIRST + 1000, mode: kind, volumeSize, cores };
    const env = { PATH: process.env.PATH ?? '', TSBACKUP_TEST_FAULT: JSON.stringify(fault) };
    const args = ['--import', faultyFs, backupChild, JSON.stringify(job)];
    return startProgram(process.execPath, args, { env, timeoutMs: 60_000 }).done;
  }

  return {
    async countCalls(): Promise<number> {
      const result = await run({ at: 0, kind: 'EIO', under: [place] });
      assert.equal(result.status, 0, tail(result));
      return Number(/(\d+) calls\n$/.exec(result.stderr)![1]);
    },

    /** @returns how the struck run ended */
    async strike(t: Scope, { at, fault, index }: { at: number; fault: FaultKind; index: number }) {
      const result = await run({ at, kind: fault, under: [place] });
      assert.notEqual(result.status, UNFORESEEN, tail(result));
      if (fault !== 'kill') assert.notEqual(result.status, null, tail(result));
      const versions = [...versionsBefore, snapshotTree(source)];
      if (result.status === 0) await restored(FIRST + 1000, tree => assertSameTree(tree, versions.at(-1)!));

      const names = Object.keys(changes) as (keyof typeof changes)[];
      changes[names[index % names.length]!](source, index);
      versions.push(snapshotTree(source));
      archive.host.clear();
      archive.host.set(FIRST + 2000);
      assert.equal(await archive.backup(source, { volumeSize }), 0, JSON.stringify(archive.host.reports));
      for (const time of setTimes()) await restored(time, tree => assertRealVersions(tree, versions));
      archive.host.set(FIRST + 3000);
      assert.equal(await archive.backup(source, { volumeSize }), 0);
      await restored(FIRST + 3000, tree => assertSameTree(tree, versions.at(-1)!));
      if (index % DUPLICITY_EVERY === 0 && haveTool('duplicity')) {
        const theirs = join(tempDir(t), 'theirs');
        await createDuplicity(t).restore(archive.url, theirs);
        assertSameTree(snapshotTree(theirs), versions.at(-1)!);
      }
      return result.status === null ? 'death' : `exit status ${result.status}`;
    },
  };

  async function restored(time: number, check: (tree: SnapshotEntry[]) => void): Promise<void> {
    const at = join(place, `restored ${time}`);
    archive.host.clear();
    const status = await archive.restore(at, { time: String(time) });
    // A file that could not be read to its end is in the set as far as it goes, and the restore says so.
    const cutShort = archive.host.reports.filter(({ code }) => code === 'entry-lost');
    assert.equal(status, cutShort.length > 0 ? 1 : 0, JSON.stringify(archive.host.reports));
    check(snapshotTree(at).filter(({ path }) => !cutShort.some(({ facts }) => facts?.path === path)));
    shell('rm', '-rf', at);
  }

  /** Of the complete sets. */
  function setTimes(): number[] {
    return readdirSync(archive.folder).flatMap(name => {
      const time = /(\d{8}T\d{6}Z)\.manifest/.exec(name)?.[1];
      return time === undefined ? [] : parseTimeArgument(time, 0);
    });
  }
}

function makeSource(source: string): void {
  const random = createRandom('faults');
  for (const folder of ['a', 'c', 'c/d', 'empty']) mkdirSync(join(source, folder));
  const sizes = {
    'a/1': 3000,
    'a/2': 200_000,
    b: 300_000,
    'c/d/x': 10,
    'c/z': 0,
    m: 1_500_000,
    n: 65_536,
    z: 5000,
  };
  for (const [name, size] of Object.entries(sizes)) writeFileSync(join(source, name), random.bytes(size));
  symlinkSync('../a/1', join(source, 'c', 'link'));
}

function shell(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

function nextPrime(from: number): number {
  const isPrime = (n: number) => {
    for (let i = 2; i * i <= n; i++) if (n % i === 0) return false;
    return true;
  };
  for (let n = Math.max(2, from); ; n++) if (isPrime(n)) return n;
}
