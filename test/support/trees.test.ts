import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { mutateTree } from './mutations.ts';
import { createRandom } from './random.ts';
import { assertSameTree, mtimeSecondsOf, snapshotTree, treeDifferences } from './snapshots.ts';
import { tempDir } from './temp-dir.ts';
import { makeTree, setMtime } from './trees.ts';

test('createRandom() gives the same sequence for the same seed', () => {
  const [a, b, c] = [createRandom(1), createRandom(1), createRandom(2)];
  const sequence = (random: typeof a) => [
    random.int(1000),
    random.between(-5, 5),
    random.bytes(8).toString('hex'),
  ];
  const first = sequence(a);
  assert.deepEqual(sequence(b), first);
  assert.notDeepEqual(sequence(c), first);
});

test('makeTree() and mutateTree() are the same for the same seed, times included', t => {
  const base = tempDir(t);
  const twins = ['one', 'two'].map(name => join(base, name));
  for (const dir of twins) makeTree(dir, 7, { deep: true });
  const [one, two] = twins.map(snapshotTree);
  assert.ok(one!.length > 150, `only ${one!.length} entries`);
  assertSameTree(two!, one!);
  assert.ok(one!.some(entry => entry.path.length > 4096));

  const done = twins.map(dir => mutateTree(dir, 3, { changes: 80 }));
  assert.deepEqual(done[1], done[0]);
  const changed = twins.map(snapshotTree);
  assertSameTree(changed[1]!, changed[0]!);
  assert.ok(treeDifferences(changed[0]!, one!).length >= 20);
});

test('makeTree() differs for other seeds', t => {
  const base = tempDir(t);
  for (const seed of [1, 2]) makeTree(join(base, `${seed}`), seed, { entries: 5, large: false });
  const [one, two] = [1, 2].map(seed => snapshotTree(join(base, `${seed}`)));
  assert.notDeepEqual(one, two);
});

test('mutateTree() moves the time of all content that it changes by a second or more', t => {
  const dir = join(tempDir(t), 'tree');
  makeTree(dir, 11, { large: false });
  for (let seed = 0; seed < 4; seed++) {
    const before = new Map(snapshotTree(dir).map(entry => [entry.path, entry]));
    mutateTree(dir, seed, { changes: 40 });
    for (const after of snapshotTree(dir)) {
      const old = before.get(after.path);
      if (old?.type !== 'file' || after.type !== 'file' || old.sha256 === after.sha256) continue;
      assert.notEqual(after.mtimeSeconds, old.mtimeSeconds, JSON.stringify(after.path));
    }
  }
});

const differences: readonly [field: string, change: (dir: string) => void][] = [
  ['missing', dir => unlinkSync(join(dir, 'file'))],
  ['unexpected', dir => writeFileSync(join(dir, 'more'), '')],
  ['sha256', dir => rewrite(dir, 'CONTENT')],
  ['size', dir => rewrite(dir, 'more content')],
  ['mtimeSeconds', dir => setMtime(join(dir, 'file'), 1_000_000_001)],
  ['mode 0644', dir => chmodSync(join(dir, 'file'), 0o644)],
  ['linkname', dir => relink(dir, 'elsewhere')],
  ['type directory', dir => swap(dir, () => mkdirSync(join(dir, 'file')))],
  ['file: type symlink', dir => swap(dir, () => symlinkSync('content', join(dir, 'file')))],
];

for (const [told, change] of differences) {
  test(`snapshotTree() and treeDifferences() see and tell: ${told}`, t => {
    const dir = smallTree(t);
    const before = snapshotTree(dir);
    assertSameTree(snapshotTree(dir), before);
    change(dir);
    setMtime(dir, 1_000_000_000);
    const lines = treeDifferences(snapshotTree(dir), before);
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.ok(lines[0]!.includes(told), lines[0]);
    assert.throws(() => assertSameTree(snapshotTree(dir), before), /the trees differ in 1 of 3 entries/);
  });
}

test('treeDifferences() passes over ignored fields and left out entries', t => {
  const dir = smallTree(t);
  const before = snapshotTree(dir);
  setMtime(join(dir, 'file'), 5);
  const after = snapshotTree(dir);
  assert.deepEqual(treeDifferences(after, before, { ignore: ['mtimeSeconds'] }), []);
  assert.deepEqual(treeDifferences(after, before, { without: entry => entry.path === 'file' }), []);
});

test('snapshotTree() leaves sockets out', async t => {
  const dir = smallTree(t);
  const before = snapshotTree(dir);
  const server = createServer();
  await new Promise<void>(resolve => server.listen(join(dir, 'socket'), resolve));
  t.after(() => server.close());
  assert.ok(lstatSync(join(dir, 'socket')).isSocket());
  assertSameTree(snapshotTree(dir), before, { without: entry => entry.path === '' });
});

test('mtimeSecondsOf() floors, also before 1970 and just below a second', () => {
  const at = (mtimeNs: bigint) => mtimeSecondsOf({ mtimeNs } as Parameters<typeof mtimeSecondsOf>[0]);
  assert.equal(at(1_234_567_890_999_999_999n), 1_234_567_890);
  assert.equal(at(-1n), -1);
  assert.equal(at(-1_000_000_000n), -1);
  assert.equal(at(0n), 0);
});

function smallTree(t: TestContext): string {
  const dir = join(tempDir(t), 'tree');
  mkdirSync(dir);
  writeFileSync(join(dir, 'file'), 'content', { mode: 0o600 });
  setMtime(join(dir, 'file'), 1_000_000_000);
  symlinkSync('target', join(dir, 'link'));
  setMtime(dir, 1_000_000_000);
  return dir;
}

function rewrite(dir: string, content: string): void {
  writeFileSync(join(dir, 'file'), content);
  setMtime(join(dir, 'file'), 1_000_000_000);
}

function relink(dir: string, target: string): void {
  unlinkSync(join(dir, 'link'));
  symlinkSync(target, join(dir, 'link'));
}

function swap(dir: string, make: () => void): void {
  renameSync(join(dir, 'file'), `${dir}.old`);
  make();
}
