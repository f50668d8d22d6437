/** Archives that the real duplicity has written and that are damaged since: we lose no more than what is gone. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { makeSource } from '../commands/sources.ts';
import { createTestArchive, type TestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, type SnapshotEntry, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';
import { setMtime } from '../support/trees.ts';

interface Chain {
  readonly base: string;
  readonly archive: TestArchive;
  readonly states: readonly SnapshotEntry[][];
}

/** A full set of three volumes and an incremental of two, by duplicity, which knows each file only by its time. */
async function makeTheirChain(t: TestContext, passphrase?: string): Promise<Chain> {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeSource(source);
  const archive = createTestArchive(base, passphrase === undefined ? {} : { passphrase });
  const duplicity = createDuplicity(t);
  const options = (time: number) => ({
    ...(passphrase !== undefined && { passphrase }),
    args: ['--volsize', '1', '--current-time', String(time)],
  });
  await duplicity.full(source, archive.url, options(1_700_000_000));
  const states = [snapshotTree(source)];
  const random = createRandom(8);
  for (const [path, size] of [
    ['a', 900_000],
    ['d/c', 30],
    ['e', 900_000],
    ['new', 100],
  ] as const) {
    writeFileSync(join(source, path), random.bytes(size));
    setMtime(join(source, path), 1_650_000_000);
  }
  rmSync(join(source, 'z/last'));
  await duplicity.incremental(source, archive.url, options(1_700_001_000));
  states.push(snapshotTree(source));
  return { base, archive, states };
}

function objectOf(folder: string, pattern: RegExp): string {
  return join(folder, readdirSync(folder).find(name => pattern.test(name))!);
}

function flip(file: string): void {
  const bytes = readFileSync(file);
  bytes[Math.floor(bytes.length * 0.6)]! ^= 0x10;
  writeFileSync(file, bytes);
}

/** Restores and gives the paths that were named as lost; the others must be as they were. */
async function restoreDamaged({ base, archive, states }: Chain, state: number): Promise<string[]> {
  archive.host.clear();
  const out = join(base, `out ${state}`);
  const time = state === 0 ? '1700000000' : '1700001000';
  assert.equal(await archive.restore(out, { time }), 1, JSON.stringify(archive.host.reports));
  const lost = archive.host.reports.flatMap(({ code, facts }) =>
    code === 'entry-lost' ? [String(facts!.path)] : [],
  );
  assertSameTree(
    snapshotTree(out),
    states[state]!.filter(({ path }) => !lost.includes(path)),
  );
  return lost;
}

for (const passphrase of [undefined, 'pä ss']) {
  const how = passphrase === undefined ? 'plain' : 'encrypted';

  test(`restore of duplicity's chain (${how}) without a volume of its incremental names what is lost`, async t => {
    if (!needTool(t, 'duplicity', 'gpg')) return;
    const chain = await makeTheirChain(t, passphrase);
    rmSync(objectOf(chain.archive.folder, /^duplicity-inc.*vol2/));
    const lost = await restoreDamaged(chain, 1);
    assert.ok(lost.includes('new') && lost.includes('e') && !lost.includes('b'), lost.join());
    assert.equal(await chain.archive.restore(join(chain.base, 'first'), { time: '1700000000' }), 0);
    assertSameTree(snapshotTree(join(chain.base, 'first')), chain.states[0]!);
  });

  test(`restore of duplicity's chain (${how}) with a damaged volume of its full set names what is lost`, async t => {
    if (!needTool(t, 'duplicity', 'gpg')) return;
    const chain = await makeTheirChain(t, passphrase);
    flip(objectOf(chain.archive.folder, /^duplicity-full.*vol2/));
    const first = await restoreDamaged(chain, 0);
    assert.ok(first.includes('b') && first.includes('e') && !first.includes('a'), first.join());
    const second = await restoreDamaged(chain, 1);
    assert.ok(second.includes('b') && !second.includes('a') && !second.includes('new'), second.join());
  });

  test(`restore of duplicity's chain (${how}) with a damaged manifest gives all back`, async t => {
    if (!needTool(t, 'duplicity', 'gpg')) return;
    const chain = await makeTheirChain(t, passphrase);
    for (const kind of ['full', 'inc']) {
      const file = objectOf(chain.archive.folder, new RegExp(`^duplicity-${kind}\\..*manifest`));
      if (passphrase === undefined) writeFileSync(file, 'nothing of it is left\n');
      else flip(file);
    }
    assert.deepEqual(await restoreDamaged(chain, 1), []);
  });
}
