/** Clocks that are wrong, or were wrong for a while: a computer without a battery for its clock, or with a bad one. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTestArchive, type TestArchive } from '../support/archive.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';

const NOW = Date.UTC(2026, 10, 26) / 1000;
const YEAR_2030 = Date.UTC(2030, 0) / 1000;

/** What was backed up rightly, and then once with a clock that was years ahead; the clock is right again. */
async function aheadOnce(base: string): Promise<{ archive: TestArchive; source: string }> {
  const source = join(base, 'source');
  mkdirSync(source);
  const archive = createTestArchive(base, { now: NOW - 86_400 });
  for (const now of [NOW - 86_400, YEAR_2030]) {
    writeFileSync(join(source, 'file'), `of ${now}`);
    archive.host.set(now);
    assert.equal(await archive.backup(source), 0);
  }
  writeFileSync(join(source, 'file'), 'of now');
  archive.host.set(NOW);
  return { archive, source };
}

/** Of 300 KB each. */
function makeFiles(source: string, count: number): void {
  const random = createRandom(5);
  mkdirSync(source);
  for (let i = 0; i < count; i++) writeFileSync(join(source, `file ${i}`), random.bytes(300_000));
}

/** Moves what the folder has of the year 2030 out of it. */
function move2030(folder: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(folder).filter(name => name.includes('20300101T000000Z')))
    renameSync(join(folder, name), join(to, name));
}

test('a set that a wrong clock has dated can be moved away as the message says', async t => {
  const base = tempDir(t);
  const { archive, source } = await aheadOnce(base);
  const [cache = ''] = readdirSync(join(base, 'our cache'));
  const cacheFolder = join(base, 'our cache', cache);
  const told = `move what has 20300101T000000Z in its name out of the target and out of ${cacheFolder}`;
  await assert.rejects(archive.backup(source), ({ code, message }) => {
    assert.ok(message.endsWith(told), message);
    return code === 'guard-stopped';
  });

  move2030(archive.folder, join(base, 'moved'));
  assert.equal(await archive.backup(source, { mode: 'full' }), 0);
  archive.host.set(NOW + 60);
  const left = `move what has 20300101T000000Z in its name out of ${cacheFolder}, too`;
  await assert.rejects(archive.backup(source), ({ message }) => message.endsWith(left));

  move2030(cacheFolder, join(base, 'moved from the cache'));
  assert.equal(await archive.backup(source), 0);
  assert.equal(await archive.restore(join(base, 'out')), 0);
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source));
});

test('who restores is told that a set of a time to come is taken, and how to get the one before', async t => {
  const base = tempDir(t);
  const { archive } = await aheadOnce(base);
  const restored = async (time?: string) => {
    archive.host.clear();
    const out = join(base, 'out');
    assert.equal(await archive.restore(out, { time, force: true }), 0);
    const isTold = archive.host.reports.some(({ message }) =>
      /of .* 2030, but the clock says .* 2026; .* --time now takes/.test(message),
    );
    return { text: readFileSync(join(out, 'file'), 'utf8'), isTold };
  };
  assert.deepEqual(await restored(), { text: `of ${YEAR_2030}`, isTold: true });
  assert.deepEqual(await restored('now'), { text: `of ${NOW - 86_400}`, isTold: false });
  archive.host.set(100_000); // all are of times to come: the newest is meant, and there is nothing to choose
  assert.deepEqual(await restored(), { text: `of ${YEAR_2030}`, isTold: false });
});

for (const [when, now] of [
  ['of 1970-01-01 00:00', 0],
  ['of 2106', 2 ** 32],
] as const) {
  test(`a clock ${when} stops a backup: no set can have that time`, async t => {
    const base = tempDir(t);
    mkdirSync(join(base, 'source'));
    const archive = createTestArchive(base, { now });
    await assert.rejects(archive.backup(join(base, 'source')), {
      code: 'guard-stopped',
      message: /^the clock says .*; set the clock right$/,
    });
  });
}

test('a backup that was begun with a clock years ahead is not finished as one of that time', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeFiles(source, 3);
  const archive = createTestArchive(base, { now: YEAR_2030 });
  archive.host.interruptAfter(2);
  await assert.rejects(archive.backup(source, { volumeSize: 100_000 }));
  archive.host.interruptAfter(undefined);
  archive.host.set(NOW);
  const before = readdirSync(archive.folder);
  await assert.rejects(archive.backup(source), {
    code: 'guard-stopped',
    message: /; set the clock right\. If it is right, .* with the cleanup command and --force$/,
  });
  assert.deepEqual(readdirSync(archive.folder), before);
  archive.host.set(YEAR_2030 - 3600); // as after a power cut, without a battery
  assert.equal(await archive.backup(source), 0);
  assert.ok(archive.host.reports.some(({ code }) => code === 'continuing'));
});
