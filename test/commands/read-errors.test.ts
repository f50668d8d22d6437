/** A file of which some can't be read: what is stored of it says so to whoever restores it, and the next run mends it. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { makeBad } from '../support/node-calls.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { haveTool } from '../support/tools.ts';

const LENGTH = 4_000_000;
const VOLUME = 2 ** 20;

/** A source with one large file, which a test may spoil, between two small ones. */
function makeSetting(t: TestContext) {
  const base = tempDir(t);
  const source = join(base, 'source');
  const film = join(source, 'film');
  mkdirSync(source);
  const random = createRandom(83);
  let content: Buffer = Buffer.alloc(0);
  const renew = () => {
    content = random.bytes(LENGTH);
    writeFileSync(film, content);
  };
  renew();
  for (const name of ['a', 'z']) writeFileSync(join(source, name), name);
  const archive = createTestArchive(base);
  const { host } = archive;
  const bad = makeBad(t, film);
  const backUp = (mode: 'full' | 'incremental') => {
    host.set(host.now() + 1000);
    host.clear();
    return archive.backup(source, { mode, volumeSize: VOLUME });
  };
  const told = (code: string) =>
    host.reports
      .filter(report => report.code === code)
      .map(({ message }) => message)
      .join('\n');
  let restored = 0;
  return {
    ...{ source, bad, renew, backUp, told },
    /** Ends a run when some volumes with parts of the file are stored. @returns bytes of the file, or its delta, in them */
    async interrupt(mode: 'full' | 'incremental'): Promise<number> {
      await sleep(50); // what was written just now could not be continued
      host.interruptAfter(1);
      await assert.rejects(backUp(mode), { code: 'interrupted' });
      host.interruptAfter(undefined);
      return host.reports.filter(({ code }) => code === 'volume-stored').length * VOLUME;
    },
    /** A restore must tell that the film is lost, and gives what could be read of it. */
    async restoreBeginning(): Promise<void> {
      const out = join(base, `out ${++restored}`);
      host.clear();
      assert.notEqual(await archive.restore(out), 0);
      assert.match(told('entry-lost'), /^film.*only its beginning/);
      const read = readFileSync(join(out, 'film'));
      assert.ok(read.length > 1_000_000 && read.equals(content.subarray(0, read.length)));
    },
    /** Both programs must restore the source as it is. */
    async restoreAll(): Promise<void> {
      const out = join(base, `out ${++restored}`);
      assert.equal(await archive.restore(out), 0);
      assertSameTree(snapshotTree(out), snapshotTree(source));
      if (!haveTool('duplicity')) return;
      await createDuplicity(t).restore(archive.url, `${out} by duplicity`);
      assertSameTree(snapshotTree(`${out} by duplicity`), snapshotTree(source));
    },
  };
}

for (const mode of ['full', 'incremental'] as const) {
  test(`a file of which a ${mode} backup has stored parts before it was interrupted ends where it can't be read`, async t => {
    const { bad, renew, backUp, interrupt, told, restoreBeginning, restoreAll } = makeSetting(t);
    if (mode === 'incremental') {
      assert.equal(await backUp('full'), 0);
      renew();
    }
    bad.goodLength = (await interrupt(mode)) + 500_000; // no new batch is full by then, though a delta reads ahead
    assert.equal(await backUp(mode), 3);
    assert.match(told('continuing'), /./);
    assert.equal(told('interrupted-set-removed') + told('cut-file-changed'), '');
    assert.match(
      told('source-unreadable'),
      /^film can't be read \(EIO\); only its beginning is in this backup$/,
    );
    await restoreBeginning();
    bad.goodLength = undefined;
    assert.equal(await backUp('incremental'), 0);
    await restoreAll();
  });
}

test('a large delta ends wherever the file can no longer be read', async t => {
  const { source, bad, renew, backUp, told, restoreBeginning, restoreAll } = makeSetting(t);
  assert.equal(await backUp('full'), 0);
  for (let goodLength = 1_200_000; goodLength < 1_700_000; goodLength += 131_072) {
    renew();
    writeFileSync(join(source, 'a'), Buffer.alloc(60_000, goodLength)); // so that a batch is full just there
    bad.goodLength = goodLength;
    assert.equal(await backUp('incremental'), 3);
    assert.match(told('source-unreadable'), /only its beginning/);
    await restoreBeginning();
  }
  bad.goodLength = undefined;
  assert.equal(await backUp('incremental'), 0);
  await restoreAll();
});
