import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { createTestArchive } from '../support/archive.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A full set of one file. */
async function firstSet(base: string) {
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'a'), 'first');
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source), 0);
  return { source, archive };
}

test('a failure after the manifest is at the target takes nothing of the set back', async t => {
  const base = tempDir(t);
  const { source, archive } = await firstSet(base);
  const { folder } = await import('../../src/storage/url.ts').then(({ cacheNameFor }) => ({
    folder: join(archive.common.archiveDir, cacheNameFor(archive.url)),
  }));

  // A folder where the cached manifest of the next set shall go makes the very last step fail.
  writeFileSync(join(source, 'b'), 'second');
  archive.host.set(1_700_001_000);
  const inTheWay = join(folder, 'duplicity-inc.20231114T221320Z.to.20231114T223000Z.manifest');
  mkdirSync(join(inTheWay, 'full'), { recursive: true });
  await assert.rejects(archive.backup(source));
  rmSync(inTheWay, { recursive: true });
  const left = [archive.common.archiveDir, archive.folder];
  for (const path of left) cpSync(path, `${path} before`, { recursive: true });

  // What the run left is what the archive cache lacks, unless a power cut has torn it.
  const partial = join(folder, 'tsbackup-partial', basename(inTheWay));
  archive.host.set(1_700_002_000);
  for (const isTorn of [true, false]) {
    for (const path of left) {
      rmSync(path, { recursive: true });
      cpSync(`${path} before`, path, { recursive: true });
    }
    if (isTorn) truncateSync(partial, statSync(partial).size - 1);
    writeFileSync(join(source, 'c'), 'third');
    archive.host.clear();
    assert.equal(await archive.backup(source), 0);
    assert.equal(
      archive.host.reports.some(({ code }) => code === 'synchronizing'),
      isTorn,
    );
  }
  const restored = join(base, 'restored');
  assert.equal(await archive.restore(restored), 0);
  assertSameTree(snapshotTree(restored), snapshotTree(source));
});

test('a set takes neither time nor names of one that somebody else has not finished', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'a'), 'content');
  const archive = createTestArchive(base);
  mkdirSync(archive.folder);
  const theirs = join(archive.folder, 'duplicity-full.20231114T221320Z.vol1.difftar.gz');
  writeFileSync(theirs, 'of another machine');
  assert.equal(await archive.backup(source), 0);
  assert.equal(readFileSync(theirs, 'utf8'), 'of another machine');
  assert.ok(readdirSync(archive.folder).includes('duplicity-full.20231114T221321Z.manifest'));
});

test('of two runs that begin in the same second one gives way', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'a'), 'content');
  const [first, second] = ['first', 'second'].map(name => {
    mkdirSync(join(base, name));
    return createTestArchive(join(base, name), { url: `file://${join(base, 'target')}` });
  });
  const ends = await Promise.allSettled([first!.backup(source), second!.backup(source)]);
  const [lost, ...others] = ends.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  assert.ok(others.length === 0 && (lost === undefined || lost.reason.code === 'locked'));
  assert.equal(await first!.check(), 0, first!.host.output());
});

test('a set does not count whose volumes are removed while it is made, and the next run stores what is lost', async t => {
  for (const lost of [1, 2]) {
    const base = tempDir(t);
    const source = join(base, 'source');
    mkdirSync(source);
    const random = createRandom('removed meanwhile');
    for (let i = 0; i < 6; i++) writeFileSync(join(source, `${i}`), random.bytes(1_100_000));
    const archive = createTestArchive(base);
    const { report } = archive.host.reporter;
    let stored = 0;
    archive.host.reporter.report = event => {
      report(event);
      if (event.code !== 'volume-stored' || ++stored !== 4) return;
      for (const name of readdirSync(archive.folder)) {
        if (name.includes(`.vol${lost}.`)) rmSync(join(archive.folder, name));
      }
    };
    await assert.rejects(archive.backup(source), {
      code: 'volume-missing',
      message: new RegExp(`^volume ${lost} of`),
    });
    assert.deepEqual(
      readdirSync(archive.folder).filter(name => name.includes('manifest')),
      [],
    );
    archive.host.set(1_700_001_000);
    assert.equal(await archive.backup(source), 0);
    assert.equal(await archive.check(), 0, archive.host.output());
    assert.equal(await archive.restore(join(base, 'restored')), 0);
    assertSameTree(snapshotTree(join(base, 'restored')), snapshotTree(source));
    const sets = new Set(readdirSync(archive.folder).map(name => /\d{8}T\d{6}Z/.exec(name)![0]));
    assert.equal(sets.size, 1, 'nothing is left of a set that nobody goes on with');
  }
});

/** A full set, and what another machine does at the target when half of an incremental is stored there. */
async function overtaken(
  base: string,
  mode: 'auto' | 'full',
  meanwhile: (folder: string, theirs: string) => void,
) {
  const random = createRandom('overtaken');
  const { source, archive } = await firstSet(base);

  const theirs = join(base, 'theirs');
  mkdirSync(theirs);
  const other = createTestArchive(theirs);
  cpSync(archive.folder, other.folder, { recursive: true });
  other.host.set(1_700_000_500);
  writeFileSync(join(source, 'a'), 'second');
  assert.equal(await other.backup(source), 0);

  for (let i = 0; i < 6; i++) writeFileSync(join(source, `${i}`), random.bytes(1_100_000));
  archive.host.set(1_700_001_000);
  const { report } = archive.host.reporter;
  let stored = 0;
  archive.host.reporter.report = event => {
    report(event);
    if (event.code === 'volume-stored' && ++stored === 2) meanwhile(archive.folder, other.folder);
  };
  await assert.rejects(archive.backup(source), { code: 'locked' });
  const left = readdirSync(archive.folder).filter(name => name.includes('20231114T223000Z'));
  assert.deepEqual(left, [], 'nothing of it stays');
  archive.host.set(1_700_002_000);
  assert.equal(await archive.backup(source, { mode }), 0);
  assert.equal(await archive.check(), 0, archive.host.output());
  assert.equal(await archive.restore(join(base, 'restored')), 0);
  assertSameTree(snapshotTree(join(base, 'restored')), snapshotTree(source));
  return readdirSync(archive.folder);
}

test('of a full and an incremental set of the same second the incremental gives way', async t => {
  for (const isDone of [false, true]) {
    const { source, archive } = await firstSet(tempDir(t));
    archive.host.set(1_700_001_000);
    const { report } = archive.host.reporter;
    const rival = join(
      archive.folder,
      `duplicity-full.20231114T223000Z.${isDone ? 'manifest' : 'vol1.difftar.gz'}`,
    );
    archive.host.reporter.report = event => {
      report(event);
      if (event.code === 'volume-stored') writeFileSync(rival, 'of another machine');
    };
    await assert.rejects(archive.backup(source), { code: 'locked', message: /of the same second/ });
    rmSync(rival);
    // The other way round what is not complete is no reason for a full set to give way.
    archive.host.reporter.report = event => {
      report(event);
      const name = `duplicity-inc.20231114T221320Z.to.20231114T224640Z.${isDone ? 'manifest' : 'vol1.difftar.gz'}`;
      if (event.code === 'volume-stored') writeFileSync(join(archive.folder, name), 'of another machine');
    };
    archive.host.set(1_700_002_000);
    const full = archive.backup(source, { mode: 'full' });
    if (isDone) await assert.rejects(full, { code: 'locked' });
    else assert.equal(await full, 0);
  }
});

test('a set does not take the place of one that another machine has completed meanwhile', async t => {
  const names = await overtaken(tempDir(t), 'auto', (folder, theirs) =>
    cpSync(theirs, folder, { recursive: true }),
  );
  assert.ok(names.includes('duplicity-inc.20231114T221320Z.to.20231114T222140Z.manifest'));
  assert.ok(names.includes('duplicity-inc.20231114T222140Z.to.20231114T224640Z.manifest'));
});

test('a set is not completed when what it builds on was removed meanwhile', async t => {
  await overtaken(tempDir(t), 'full', folder => {
    for (const name of readdirSync(folder)) {
      if (name.includes('duplicity-full')) rmSync(join(folder, name));
    }
  });
});
