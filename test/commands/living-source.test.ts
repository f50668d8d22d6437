/** A source that somebody works in while it is backed up: whatever is caught, nothing breaks, and the next run sees the rest. */

import assert from 'node:assert/strict';
import fs, {
  appendFileSync,
  type BigIntStats,
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createTestArchive } from '../support/archive.ts';
import { replaceCalls } from '../support/node-calls.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';

test('backup of a source that changes under its hands ends well, and the next one is exact', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  const random = createRandom(77);
  for (let folder = 0; folder < 20; folder++) {
    mkdirSync(join(source, `${folder}`), { recursive: true });
    for (let file = 0; file < 30; file++) {
      writeFileSync(join(source, `${folder}/${file}`), random.bytes(random.pick([10, 3000, 100_000])));
    }
  }
  writeFileSync(join(source, 'log'), 'begin\n');
  writeFileSync(join(source, 'large'), random.bytes(8_000_000));
  const url = 'file://target';
  const secret = { passphrase: 'x' };

  const disturb = () => {
    const at = () => join(source, `${random.int(20)}`, `${random.int(30)}`);
    const path = at();
    switch (random.int(7)) {
      case 0:
        return rmSync(path, { recursive: true, force: true });
      case 1:
        return truncateSync(path, random.int(500));
      case 2:
        return appendFileSync(path, random.bytes(70_000));
      case 3:
        return renameSync(path, at());
      case 4:
        rmSync(path, { recursive: true, force: true });
        return symlinkSync('elsewhere', path);
      case 5:
        rmSync(path, { recursive: true, force: true });
        return mkdirSync(path);
      default:
        appendFileSync(join(source, 'log'), 'one more line\n');
        truncateSync(join(source, 'large'), 1_000_000 + random.int(7_000_000));
    }
  };

  for (const action of ['full', 'incremental']) {
    const running = program.start([action, '--volsize', '1', 'source', url], secret);
    while (running.child.exitCode === null && running.child.signalCode === null) {
      try {
        disturb();
      } catch {
        // what was to be disturbed is something else by now
      }
      await sleep(0);
    }
    const { status, stderr } = await running.done;
    assert.ok(status === 0 || status === 3, stderr);
    assert.match(stderr, /^(Warning: .*\n)*$/);
    assert.equal(status === 3, stderr !== '', 'what was not caught is named, and the status says so');
    expectStatus(await program.run(['verify', url, 'source'], secret));
  }
  expectStatus(await program.run(['incremental', 'source', url], secret));
  expectStatus(await program.run(['verify', '--compare-data', url, 'source'], secret));
  expectStatus(await program.run(['restore', url, 'out'], secret));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
});

/** Does something just before a file of that name is opened. */
function beforeOpening(t: TestContext, name: string, work: () => void): void {
  let armed = true;
  replaceCalls(t, ['openSync'], original => (...given) => {
    if (armed && String(given[0]).endsWith(`/${name}`)) {
      armed = false;
      work();
    }
    return original(...given);
  });
}

test('a file that another takes the place of between listing and reading is stored as the other', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'letter'), 'for all', { mode: 0o644 });
  beforeOpening(t, 'letter', () => {
    writeFileSync(join(base, 'new'), 'for my eyes only');
    chmodSync(join(base, 'new'), 0o600);
    renameSync(join(base, 'new'), join(source, 'letter'));
  });
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source), 0);
  assert.equal(await archive.restore(join(base, 'out')), 0);
  const without = { without: ({ path }: { path: string }) => path === '' };
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source), without);
});

test('a file that changes while an interrupted backup looks for its place in it is not spliced', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  const random = createRandom(79);
  writeFileSync(join(source, 'film'), random.bytes(1_000_000));
  writeFileSync(join(source, 'an earlier one'), random.bytes(600_000));
  const archive = createTestArchive(base);
  archive.host.interruptAfter(3);
  await assert.rejects(archive.backup(source, { volumeSize: 200_000 }));
  archive.host.interruptAfter(undefined);
  beforeOpening(t, 'film', () => writeFileSync(join(source, 'film'), random.bytes(1_000_000)));
  assert.equal(await archive.backup(source, { volumeSize: 200_000 }), 0);
  const codes = archive.host.reports.map(({ code }) => code);
  assert.ok(codes.includes('continuing') && codes.includes('cut-file-changed'), codes.join());
  assert.equal(await archive.restore(join(base, 'out')), 0);
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source));
});

test('a file that is written to in the same tick in which it was read is read again', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  const file = join(source, 'file');
  writeFileSync(file, 'early');
  // A clock with ticks of whole seconds; this one has stood still since.
  const tick = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
  replaceCalls(t, ['lstatSync', 'fstatSync'], original => (...given) => {
    const stats = original(...given) as BigIntStats | undefined;
    return stats && given[1] ? Object.assign(stats, { mtimeNs: tick, ctimeNs: tick }) : stats;
  });
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source), 0);
  writeFileSync(file, 'later');
  archive.host.set(archive.host.now() + 100);
  assert.equal(await archive.backup(source), 0);
  assert.match(archive.host.output(), /^ChangedFiles 1$/m);
  archive.host.set(archive.host.now() + 100);
  archive.host.clear();
  assert.equal(await archive.backup(source), 0);
  assert.match(archive.host.output(), /^DeltaEntries 0$/m);
  assert.equal(await archive.restore(join(base, 'out')), 0);
  assert.equal(fs.readFileSync(join(base, 'out', 'file'), 'utf8'), 'later');
});
