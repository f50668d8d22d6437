/**
 * Archives that have lost something: what is lost is named, file by file, everything else is restored equal, and
 * nothing older passes for what is lost.
 */

import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import Sqlite from 'better-sqlite3';
import { createTestArchive, type TestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { mutateTree } from '../support/mutations.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { BUCKET, credentials, startS3Server } from '../support/s3-server.ts';
import { assertSameTree, type SnapshotEntry, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';
import { makeTree } from '../support/trees.ts';
import { makeSource } from './sources.ts';
import { assertTold } from './troubles.ts';

const MIB = 1024 * 1024;

/** The one object whose name matches. */
function objectOf(folder: string, pattern: RegExp): string {
  const [name, ...others] = readdirSync(folder).filter(object => pattern.test(object));
  assert.ok(name !== undefined && others.length === 0, `one object like ${pattern} in ${folder}`);
  return join(folder, name);
}

const damages: Readonly<Record<string, (file: string) => void>> = {
  missing: file => rmSync(file),
  truncated: file => truncateSync(file, 5000),
  emptied: file => truncateSync(file, 0),
  flipped(file) {
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
  },
};

const spoil = (file: string) => writeFileSync(file, 'no longer what it was\n');

/** Paths that errors of a command name as lost. */
function lostIn(text: string): string[] {
  return [...text.matchAll(/^(?:Error: )?(.*) is lost: /gm)].map(match => match[1]!);
}

function assertRestored(dir: string, expected: readonly SnapshotEntry[], lost: readonly string[]): void {
  assertSameTree(
    snapshotTree(dir),
    expected.filter(({ path }) => !lost.includes(path)),
  );
}

for (const [kind, damage] of Object.entries(damages)) {
  for (const passphrase of kind === 'emptied' ? [undefined] : [undefined, 'right']) {
    const how = passphrase === undefined ? 'plain' : 'encrypted';
    test(`restore and verify with a volume ${kind} (${how}) lose what it held, and name it`, async t => {
      const program = createProgram(t);
      const source = join(program.home, 'source');
      makeSource(source);
      const folder = join(program.home, 'target');
      const url = `file://${folder}`;
      const options = passphrase === undefined ? {} : { passphrase };
      const plain = passphrase === undefined ? ['--no-encryption'] : [];
      expectStatus(await program.run(['full', ...plain, '--volsize', '1', source, url], options));
      damage(objectOf(folder, /\.vol2\.difftar/));
      const out = join(program.home, 'out');
      const row = kind === 'missing' ? 'a volume is missing' : 'a volume is damaged';

      const restored = await program.run(['restore', url, out], options);
      assertTold(restored, row);
      assertTold(restored, 'a file was in that volume');
      assert.deepEqual(lostIn(restored.stderr), ['b', 'd/c', 'e']);
      assertRestored(out, snapshotTree(source), ['b', 'd/c', 'e']);

      const verified = await program.run(['verify', '--compare-data', url, source], options);
      assertTold(verified, row);
      assert.match(verified.stdout, /^Verify complete: .* 3 lost in the archive\.$/m);

      expectStatus(await program.run(['restore', '-r', 'f', url, join(program.home, 'f')], options));
      assert.ok(readFileSync(join(program.home, 'f')).equals(readFileSync(join(source, 'f'))));
    });
  }
}

/** A full backup and two incrementals, `clock` ticking; the last one has two volumes. */
async function makeChain(
  base: string,
): Promise<{ archive: TestArchive; source: string; states: SnapshotEntry[][] }> {
  const source = join(base, 'source');
  makeSource(source);
  const archive = createTestArchive(base);
  const random = createRandom(5);
  const states: SnapshotEntry[][] = [];
  const store = async (time: number, mode: 'full' | 'incremental') => {
    archive.host.set(time);
    assert.equal(await archive.backup(source, { mode, volumeSize: MIB }), 0);
    states.push(snapshotTree(source));
  };
  const rewrite = (path: string, content: Buffer) => writeFileSync(join(source, path), content);
  await store(1_700_000_000, 'full');
  rewrite('a', random.bytes(300_000)); // nothing of the old content is left
  rewrite('b', Buffer.concat([readFileSync(join(source, 'b')), Buffer.from('more')])); // a small delta
  await store(1_700_001_000, 'incremental');
  rewrite('b', random.bytes(1_200_000)); // over both volumes
  rewrite('d/c', random.bytes(20));
  rewrite('g', random.bytes(100));
  rmSync(join(source, 'e'));
  await store(1_700_002_000, 'incremental');
  return { archive, source, states };
}

function told({ host }: TestArchive): string {
  return host.reports
    .filter(({ level }) => level === 'error' || level === 'warning')
    .map(({ message }) => message)
    .join('\n');
}

const full = /^duplicity-full\./;
const volume = (kind: RegExp, number: number) => new RegExp(`${kind.source}.*\\.vol${number}\\.difftar`);
const lastIncremental = /^duplicity-inc\..*20231114T224640Z/;

test('restore of a chain never gives an older version for one whose volume is lost', async t => {
  const base = tempDir(t);
  const { archive, states } = await makeChain(base);
  rmSync(objectOf(archive.folder, volume(lastIncremental, 2)));
  archive.host.clear();
  assert.equal(await archive.restore(join(base, 'out')), 1);
  const lost = lostIn(told(archive));
  assert.deepEqual(lost, ['b', 'd/c', 'g']); // but the deletion of `e` is known from the signatures
  assertRestored(join(base, 'out'), states[2]!, lost);

  assert.equal(await archive.restore(join(base, 'before'), { time: '1700001000' }), 0);
  assertSameTree(snapshotTree(join(base, 'before')), states[1]!);
});

test('restore of a chain whose full volume is lost gives what was stored whole since', async t => {
  const base = tempDir(t);
  const { archive, states } = await makeChain(base);
  rmSync(objectOf(archive.folder, volume(full, 1))); // `a` and the beginning of `b`
  archive.host.clear();
  assert.equal(await archive.restore(join(base, 'out')), 1);
  // Both have deltas, of which a reader cannot know that they use nothing of the old content.
  assert.deepEqual(lostIn(told(archive)), ['a', 'b']);
  assertRestored(join(base, 'out'), states[2]!, ['a', 'b']);
});

test('restore without the signatures of a lost volume says that it can not name what is lost', async t => {
  const base = tempDir(t);
  const { archive } = await makeChain(base);
  rmSync(objectOf(archive.folder, volume(lastIncremental, 2)));
  rmSync(objectOf(archive.folder, /new-signatures.*20231114T224640Z/));
  rmSync(join(base, 'our cache'), { recursive: true });
  archive.host.clear();
  assert.equal(await archive.restore(join(base, 'out')), 1);
  assert.match(
    told(archive),
    /what was in lost volumes of the incremental backup of 20231114T224640Z can't be named/,
  );
});

for (const [what, row, damage] of [
  ['spoilt', 'a manifest is damaged', spoil],
  ['emptied', 'a manifest is damaged', (file: string) => truncateSync(file, 0)],
  ['cut in its list of files', 'a manifest has lost its end', (file: string) => cut(file, '    new      f')],
  ['cut between two volumes', 'a manifest has lost its end', (file: string) => cut(file, 'Volume 3:')],
] as const) {
  test(`restore with a manifest that is ${what} gives everything back, and fails`, async t => {
    const program = createProgram(t);
    const source = join(program.home, 'source');
    makeSource(source);
    const folder = join(program.home, 'target');
    const url = `file://${folder}`;
    expectStatus(await program.run(['full', '--no-encryption', '--volsize', '1', source, url]));
    damage(objectOf(folder, /manifest$/));
    rmSync(join(program.home, '.cache'), { recursive: true });
    const out = join(program.home, 'out');
    assertTold(await program.run(['restore', url, out]), row);
    assertSameTree(snapshotTree(out), snapshotTree(source));
    const part = await program.run(['restore', '-r', 'd/c', url, join(program.home, 'part')]);
    assertTold(part, row);
    assert.ok(readFileSync(join(program.home, 'part')).equals(readFileSync(join(source, 'd/c'))));

    rmSync(objectOf(folder, /\.vol4\./)); // now nobody knows that there was a fourth volume
    const less = await program.run(['restore', url, join(program.home, 'less')]);
    assert.equal(less.status, 1);
    assert.deepEqual(lostIn(less.stderr), ['f', 'z/last']);
    assertRestored(join(program.home, 'less'), snapshotTree(source), ['f', 'z/last']);
  });
}

for (const [what, pattern] of [
  ['full', /duplicity-full.*manifest$/],
  ['middle incremental', /\.20231114T224320Z\.manifest$/],
] as const) {
  test(`restore, verify and list see the newest state where the ${what} set has lost its manifest`, async t => {
    const program = createProgram(t);
    const source = join(program.home, 'source');
    makeSource(source);
    const folder = join(program.home, 'target');
    const url = `file://${folder}`;
    for (const [index, time] of [1_700_000_000, 1_700_001_800, 1_700_003_600].entries()) {
      writeFileSync(join(source, 'e'), `version ${index}`);
      const args = ['--no-encryption', '--volsize', '1', '--current-time', String(time), source, url];
      expectStatus(await program.run(args));
    }
    rmSync(objectOf(folder, pattern));
    const row = 'a manifest is missing that the archive cache has';
    const outputs = ['with the cache', 'without the cache'].map(name => join(program.home, name));
    assertTold(await program.run(['restore', url, outputs[0]!]), row);
    rmSync(join(program.home, '.cache'), { recursive: true });
    const without = 'a manifest is missing, and later backups build on its set';
    assertTold(await program.run(['restore', url, outputs[1]!]), without);
    for (const out of outputs) assertSameTree(snapshotTree(out), snapshotTree(source));
    assertTold(await program.run(['verify', url, source]), without);
    assert.equal((await program.run(['check', url])).status, 1);
    const listed = await program.run(['list-current-files', url]);
    assert.equal(listed.stdout.split('\n').length - 1, snapshotTree(source).length);
  });
}

test('the newest set counts as complete where only the archive cache has its manifest', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeSource(source);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source), 0);
  writeFileSync(join(source, 'e'), 'the newest');
  archive.host.set(1_700_002_000);
  assert.equal(await archive.backup(source), 0);
  rmSync(objectOf(archive.folder, /duplicity-inc.*manifest$/));
  assert.equal(await archive.restore(join(base, 'out')), 1);
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source));
  assert.equal(await archive.check(), 1);
  assert.match(told(archive), /the manifest of the incremental backup of \S+ is not at the target/);
});

test('what has lost a set that it builds on never gives way to an older state in silence', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  makeSource(source);
  const folder = join(program.home, 'target');
  const url = `file://${folder}`;
  for (const [index, action] of ['full', 'full', 'incremental', 'incremental'].entries()) {
    writeFileSync(join(source, 'e'), `version ${index}`);
    const time = String(1_700_000_000 + index * 1000);
    expectStatus(await program.run([action, '--no-encryption', '--current-time', time, source, url]));
  }
  rmSync(join(program.home, '.cache'), { recursive: true });
  const remove = (pattern: RegExp) => {
    for (const name of readdirSync(folder)) if (pattern.test(name)) rmSync(join(folder, name));
  };
  const restore = (name: string, ...more: string[]) =>
    program.run(['restore', ...more, url, join(program.home, name)]);
  const restored = (name: string) => readFileSync(join(program.home, name, 'e'), 'utf8');

  remove(/\.to\.20231114T224640Z/); // all of the set before the newest
  const row = 'a whole set is missing, and later backups build on it';
  assertTold(await restore('out'), row);
  assert.equal(restored('out'), 'version 1');
  assertTold(await program.run(['verify', url, source]), row);
  assertTold(await program.run(['list-current-files', url]), row);
  assert.equal((await program.run(['check', url])).status, 1);
  expectStatus(await restore('before', '-t', '2023-11-14T22:50:00Z'));
  remove(/full.*\.20231114T223000Z/);
  assertTold(await restore('older'), row);
  assert.equal(restored('older'), 'version 0');
  remove(/full.*\.20231114T221320Z/);
  const nothing = await restore('none');
  assert.equal(nothing.status, 10);
  assert.match(nothing.stderr, /no backup at \S+, only the incremental backup of 20231114T230320Z/);
});

test('a set that is at the target is not told as lacking there because others have forked off before it', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  makeSource(source);
  const [folder, newer] = [join(program.home, 'target'), join(program.home, 'newer')];
  const url = `file://${folder}`;
  let time = 1_700_000_000;
  const backUp = (cache: string) => {
    time += 1000;
    writeFileSync(join(source, 'e'), `version ${time}`);
    const places = ['--archive-dir', join(program.home, cache), source, url];
    return program.run(['backup', '--no-encryption', '--current-time', String(time), ...places]);
  };
  expectStatus(await backUp('one'));
  const first = readdirSync(folder);
  for (let night = 0; night < 2; night++) expectStatus(await backUp('one'));
  // The target is put back to an older state, backups go on, and what it had replaced is copied back to it.
  cpSync(folder, newer, { recursive: true });
  for (const name of readdirSync(folder)) if (!first.includes(name)) rmSync(join(folder, name));
  expectStatus(await backUp('two'));
  cpSync(newer, folder, { recursive: true });
  const result = await backUp('two');
  expectStatus(result);
  assert.doesNotMatch(result.stderr, /lacks/);
  expectStatus(await program.run(['restore', url, join(program.home, 'out')]));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
  const checked = await program.run(['check', url]);
  assert.equal(checked.status, 1);
  assert.match(checked.stderr, /can't be restored: other backups follow the one that it builds on; cleanup/);
});

/** Cuts a text file before the first place where `mark` stands. */
function cut(file: string, mark: string): void {
  truncateSync(file, readFileSync(file).indexOf(mark));
}

test('restore with an encrypted manifest of which one bit is wrong gives everything back, and fails', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeSource(source);
  const archive = createTestArchive(base, { passphrase: 'right' });
  assert.equal(await archive.backup(source, { volumeSize: MIB }), 0);
  damages.flipped!(objectOf(archive.folder, /manifest\.gpg$/));
  rmSync(join(base, 'our cache'), { recursive: true });
  archive.host.clear();
  assert.equal(await archive.restore(join(base, 'out')), 1);
  assert.match(told(archive), /^the manifest of the full backup of 20231114T221320Z can't be used: /);
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source));
});

for (const where of ['in the archive cache', 'at the target']) {
  test(`restore of one file takes no older one where a place in a manifest is wrong ${where}`, async t => {
    const base = tempDir(t);
    const { archive, states } = await makeChain(base);
    const cache = join(archive.common.archiveDir, readdirSync(archive.common.archiveDir)[0]!);
    const folder = where === 'at the target' ? archive.folder : cache;
    const file = objectOf(folder, /^duplicity-inc.*20231114T224640Z\.manifest$/);
    const text = readFileSync(file);
    const from = text.indexOf('StartingPath', text.indexOf('Volume 2'));
    assert.equal(text.toString('latin1', from + 15, from + 17), 'b ');
    text[from + 15]! ^= 4; // f: as if `d/c` came before it
    writeFileSync(file, text);
    if (where === 'at the target') rmSync(cache, { recursive: true });
    archive.host.clear();
    const isTold = where === 'at the target' ? 1 : 0;
    assert.equal(await archive.restore(join(base, 'out'), { paths: ['d/c'] }), isTold);
    assert.deepEqual(readFileSync(join(base, 'out')), readFileSync(join(base, 'source/d/c')));
    archive.host.clear();
    assert.equal(await archive.restore(join(base, 'all')), isTold);
    assertSameTree(snapshotTree(join(base, 'all')), states[2]!);
  });
}

test('a damaged manifest at the target never takes the place of a sound copy', async t => {
  const base = tempDir(t);
  const { archive, states } = await makeChain(base);
  damages.flipped!(objectOf(archive.folder, volume(lastIncremental, 2)));
  damages.flipped!(objectOf(archive.folder, /^duplicity-inc.*20231114T224640Z\.manifest$/));
  for (const out of ['first', 'second']) {
    archive.host.clear();
    assert.equal(await archive.restore(join(base, out)), 1);
    assert.deepEqual(lostIn(told(archive)), ['b', 'd/c', 'g']);
    assert.doesNotMatch(told(archive), /manifest of/);
    assertRestored(join(base, out), states[2]!, ['b', 'd/c', 'g']);
  }
});

test('restore without manifest names a volume that only its tar stream shows to be damaged', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeSource(source);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source, { volumeSize: MIB, compress: false }), 0);
  spoil(objectOf(archive.folder, /manifest$/));
  damages.truncated!(objectOf(archive.folder, /vol2\./));
  rmSync(join(base, 'our cache'), { recursive: true });
  archive.host.clear();
  assert.equal(await archive.restore(join(base, 'out')), 1);
  assert.match(
    told(archive),
    /^volume 2 of the full backup of \S+ is damaged: A tar stream ends in [^.;]+$/m,
  );
  assertRestored(join(base, 'out'), snapshotTree(source), lostIn(told(archive)));
});

test('restore without manifest passes over a volume whose number is far beyond the others', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeSource(source);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source, { volumeSize: MIB }), 0);
  spoil(objectOf(archive.folder, /manifest$/));
  rmSync(join(base, 'our cache'), { recursive: true });
  writeFileSync(objectOf(archive.folder, /vol1\./).replace('vol1.', 'vol999999999.'), '');
  assert.equal(await archive.restore(join(base, 'out')), 1);
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source));
});

for (const [what, damage, row, autoRow] of [
  [
    'missing',
    (file: string) => rmSync(file),
    'the signatures are missing (incremental)',
    'the signatures are missing',
  ],
  ['spoilt', spoil, 'the signatures are damaged (incremental)', 'the signatures are damaged'],
] as const) {
  test(`backup after the signatures at the target are ${what} begins a new chain, incremental refuses`, async t => {
    const program = createProgram(t);
    const source = join(program.home, 'source');
    makeSource(source);
    const folder = join(program.home, 'target');
    const url = `file://${folder}`;
    expectStatus(await program.run(['full', '--no-encryption', source, url]));
    damage(objectOf(folder, /signatures/));
    rmSync(join(program.home, '.cache'), { recursive: true });
    const before = readdirSync(folder);
    assertTold(await program.run(['incremental', '--no-encryption', source, url]), row);
    assert.deepEqual(readdirSync(folder), before);
    assert.equal((await program.run(['list-current-files', url])).status, 1);
    expectStatus(await program.run(['restore', url, 'out']));
    assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
    assertTold(await program.run(['--no-encryption', source, url]), autoRow);
    assert.equal(readdirSync(folder).filter(name => full.test(name) && name.endsWith('manifest')).length, 2);
  });
}

test('copies in the archive cache that are damaged are fetched again, by whatever needs them', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  makeSource(source);
  const url = `file://${join(program.home, 'target')}`;
  const cache = join(program.home, '.cache/tsbackup/n');
  const run = async (...words: string[]) => expectStatus(await program.run([...words, '--name', 'n']));
  await run('full', '--no-encryption', source, url);
  const spoilCopies = () => {
    for (const name of readdirSync(cache)) if (/manifest|sigtar/.test(name)) spoil(join(cache, name));
  };
  spoilCopies();
  await run('restore', url, join(program.home, 'out'));
  assertSameTree(snapshotTree(join(program.home, 'out')), snapshotTree(source));
  spoilCopies();
  assert.match((await run('list-current-files', url)).stdout, / z\/last$/m);
  const early = expectStatus(await run('list-current-files', '--time', '2000-01-01', url), 0);
  assert.match(early.stderr, /^Warning: there is no backup from before /m);
  spoilCopies();
  for (const name of readdirSync(cache)) if (name.includes('catalog')) rmSync(join(cache, name));
  assert.match((await run('incremental', '--no-encryption', source, url)).stdout, /^DeltaEntries 0$/m);
});

const changed = (file: string, from: string | RegExp, to: string) =>
  writeFileSync(file, readFileSync(file, 'latin1').replace(from, to), 'latin1');

for (const [what, damage] of [
  ['cut in its list of files', (file: string) => cut(file, '    changed  b')],
  ['cut between two volumes', (file: string) => cut(file, 'Volume 2:')],
  ['cut, with zeros behind', (file: string) => changed(file, /Volume 2:.*$/s, '\0'.repeat(300))],
  ['without the line of a volume', (file: string) => changed(file, 'Volume 2:\n', '')],
  ['without a volume', (file: string) => changed(file, /Volume 2:\n( .*\n)*/, '')],
  ['of another checksum', (file: string) => changed(file, /SHA1 ..../, 'SHA1 0000')],
  ['of another path', (file: string) => changed(file, /(EndingPath +)g /, '$1c ')],
] as const) {
  test(`restore with a manifest in the archive cache that is ${what} takes the target's`, async t => {
    const base = tempDir(t);
    const { archive, states } = await makeChain(base);
    const cache = join(base, 'our cache');
    const file = join(cache, readdirSync(cache)[0]!, readdirSync(archive.folder).find(isLastManifest)!);
    const whole = readFileSync(file);
    for (const [index, paths] of [[], ['b'], ['d'], ['g']].entries()) {
      damage(file);
      assert.ok(!readFileSync(file).equals(whole));
      const out = join(base, `out ${index}`);
      assert.equal(await archive.restore(out, { paths }), 0);
      assertSameTree(
        snapshotTree(out),
        paths.length === 0 ? states[2]! : snapshotTree(join(base, 'source', paths[0]!)),
      );
    }
  });
}

/** The line of a manifest that proves it; duplicity has none. */
const CHECKSUM = /^ {4}Checksum .*\n/m;

const isLastManifest = (name: string) => lastIncremental.test(name) && name.endsWith('.manifest');

test('a copy of a manifest that was damaged does no harm once the target has it whole again', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  makeSource(source);
  const folder = join(program.home, 'target');
  const url = `file://${folder}`;
  expectStatus(await program.run(['full', '--no-encryption', '--volsize', '1', source, url]));
  const manifest = objectOf(folder, /manifest$/);
  const whole = readFileSync(manifest, 'latin1');
  const otherSums = whole.replaceAll(/SHA1 ./g, 'SHA1 0');
  for (const [damaged, told] of [
    [whole.slice(0, whole.indexOf('Volume 3:')), /has lost its end/],
    [otherSums, /can't be used: /],
    [otherSums.replace(CHECKSUM, ''), /is damaged: its checksum/],
  ] as const) {
    rmSync(join(program.home, '.cache'), { recursive: true });
    writeFileSync(manifest, damaged, 'latin1');
    const out = join(program.home, 'out');
    const first = await program.run(['restore', '--no-encryption', url, out]);
    assert.match(expectStatus(first, 1).stderr, told);
    rmSync(out, { recursive: true, force: true });
    writeFileSync(manifest, whole, 'latin1');
    expectStatus(await program.run(['restore', '--no-encryption', url, out]));
    assertSameTree(snapshotTree(out), snapshotTree(source));
    rmSync(out, { recursive: true });
    expectStatus(await program.run(['check', '--no-encryption', url]));
  }
});

test('a set that duplicity resumed is warned of, once, by who goes on with it', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  makeSource(source);
  const folder = join(program.home, 'target');
  const backUp = async () => {
    appendFileSync(join(source, 'grows'), 'more');
    return expectStatus(await program.run(['backup', '--no-encryption', source, `file://${folder}`])).stderr;
  };
  expectStatus(await program.run(['full', '--no-encryption', '--volsize', '1', source, `file://${folder}`]));
  assert.doesNotMatch(await backUp(), /resumed/);
  changed(objectOf(folder, /full.*manifest$/), /Volume 2:\n( .*\n)*/, '$&$&');
  changed(objectOf(folder, /full.*manifest$/), CHECKSUM, '');
  rmSync(join(program.home, '.cache'), { recursive: true });
  assert.match(await backUp(), /^Warning: the full backup of .* was interrupted and resumed by duplicity/m);
  assert.doesNotMatch(await backUp(), /resumed/);
});

const cacheDamages: Readonly<Record<string, (cache: string) => void>> = {
  'the archive cache is deleted': cache => rmSync(cache, { recursive: true }),
  'the cached signatures are deleted': cache => withSignatures(cache, file => rmSync(file)),
  'the cached signatures are packed in another way': cache =>
    withSignatures(cache, file =>
      writeFileSync(file, gzipSync(gunzipSync(readFileSync(file)), { level: 1 })),
    ),
  'the catalog is deleted': cache => withCatalog(cache, file => rmSync(file)),
  'the catalog is random bytes': cache =>
    withCatalog(cache, file => writeFileSync(file, createRandom(1).bytes(50_000))),
  'the catalog is cut short': cache => withCatalog(cache, file => truncateSync(file, 9000)),
  'all pages of the catalog but the first are overwritten': cache =>
    withCatalog(cache, file => overwritePages(file, 1)),
  'the catalog is broken where nobody looks before the run is under way': cache =>
    withCatalog(cache, file => overwritePages(file, rootPageOf(file, 'current') - 1)),
  'a folder in the catalog is none': cache =>
    withCatalog(cache, file => {
      const db = new Sqlite(file);
      const { changes } = db.prepare("UPDATE current SET folder = NULL WHERE name = 'a-dir'").run();
      db.close();
      assert.equal(changes, 1);
    }),
  'a name in the catalog is another': cache =>
    withCatalog(cache, file => {
      const bytes = readFileSync(file);
      const names = [...bytes.toString('latin1').matchAll(/a-dir/g)];
      assert.ok(names.length > 0);
      for (const { index } of names) bytes.write('~', index);
      writeFileSync(file, bytes);
    }),
  'the catalog is another database': cache =>
    withCatalog(cache, file =>
      writeFileSync(file, Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4080)])),
    ),
};

/** @param from number of the first page, counted from 0 */
function overwritePages(file: string, from: number, to = Number.POSITIVE_INFINITY): void {
  const bytes = readFileSync(file);
  const part = bytes.subarray(from * 4096, to * 4096);
  createRandom(2).bytes(part.length).copy(part);
  writeFileSync(file, bytes);
}

function rootPageOf(file: string, table: string): number {
  const db = new Sqlite(file, { readonly: true });
  const page = db.prepare('SELECT rootpage FROM sqlite_master WHERE name = ?').pluck().get(table) as number;
  db.close();
  return page;
}

function withSignatures(cache: string, work: (file: string) => void): void {
  const files = readdirSync(join(cache, 'n')).filter(name => name.endsWith('.sigtar.gz'));
  assert.ok(files.length > 0);
  for (const name of files) work(join(cache, 'n', name));
}

function withCatalog(cache: string, work: (file: string) => void): void {
  work(objectOf(join(cache, 'n'), /^tsbackup-catalog-.*\.sqlite$/));
}

test('incremental stores the same to the byte when the catalog, or the archive cache, is lost or damaged', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeTree(source, 201);
  const first = join(base, 'first');
  const whole = createTestArchive(first, { now: 1_700_000_000 });
  assert.equal(await whole.backup(source, { mode: 'full', name: 'n', volumeSize: MIB }), 0);
  mutateTree(source, 202, { changes: 20 });
  whole.host.set(1_700_001_000);
  assert.equal(await whole.backup(source, { mode: 'incremental', name: 'n', volumeSize: MIB }), 0);
  mutateTree(source, 203, { changes: 20 });

  const variants: typeof cacheDamages = { 'nothing is lost': () => {}, ...cacheDamages };
  let expected: Map<string, Buffer> | undefined;
  for (const [what, damage] of Object.entries(variants)) {
    const place = join(base, what);
    cpSync(first, place, { recursive: true });
    damage(join(place, 'our cache'));
    const archive = createTestArchive(place, { now: 1_700_002_000 });
    const options = { mode: 'incremental', name: 'n', volumeSize: MIB } as const;
    assert.equal(await archive.backup(source, options), 0, `${what}: ${told(archive)}`);
    const stored = new Map(
      readdirSync(archive.folder).map(name => [name, readFileSync(join(archive.folder, name))]),
    );
    expected ??= stored;
    assert.deepEqual([...stored.keys()], [...expected.keys()], what);
    for (const [name, bytes] of expected) assert.ok(stored.get(name)!.equals(bytes), `${name} when ${what}`);
    assert.equal(await archive.restore(join(place, 'out'), { name: 'n' }), 0);
    assertSameTree(snapshotTree(join(place, 'out')), snapshotTree(source));
  }
});

test('signatures that are out of order at the target end an incremental, and a run that may choose makes a full backup', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  for (const name of ['f1', 'f2', 'f3']) writeFileSync(join(source, name), name);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source, { mode: 'full', name: 'n' }), 0);
  const file = objectOf(archive.folder, /sigtar/);
  const tar = gunzipSync(readFileSync(file));
  const [first, second] = ['f1', 'f2'].map(name => {
    const from = tar.indexOf(`signature/${name}`);
    return tar.subarray(from, from + 1024);
  });
  const copy = Buffer.from(first!);
  second!.copy(first!);
  copy.copy(second!);
  writeFileSync(file, gzipSync(tar));
  rmSync(join(base, 'our cache'), { recursive: true });
  writeFileSync(join(source, 'f4'), 'new');
  archive.host.set(1_700_001_000);
  await assert.rejects(archive.backup(source, { mode: 'incremental', name: 'n' }), { code: 'cache-damaged' });
  assert.equal(await archive.backup(source, { mode: 'auto', name: 'n' }), 0);
  const warning = archive.host.reports.find(({ code }) => code === 'chain-damaged');
  assert.match(warning!.message, /out of order\. Switching to a full backup\.$/);
  assert.equal(await archive.restore(join(base, 'out'), { name: 'n' }), 0);
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source));
});

test('signatures that lack a folder of what they name end an incremental, and a run that may choose makes a full backup', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(join(source, 'folder'), { recursive: true });
  writeFileSync(join(source, 'folder', 'file'), 'content');
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source, { mode: 'full', name: 'n' }), 0);
  const file = objectOf(archive.folder, /sigtar/);
  const tar = gunzipSync(readFileSync(file));
  const from = tar.indexOf('snapshot/folder/');
  writeFileSync(file, gzipSync(Buffer.concat([tar.subarray(0, from), tar.subarray(from + 512)])));
  rmSync(join(base, 'our cache'), { recursive: true });
  archive.host.set(1_700_001_000);
  await assert.rejects(archive.backup(source, { mode: 'incremental', name: 'n' }), { code: 'cache-damaged' });
  assert.equal(await archive.backup(source, { mode: 'auto', name: 'n' }), 0);
  const warning = archive.host.reports.find(({ code }) => code === 'chain-damaged');
  assert.match(warning!.message, /lacks folders .*\. Switching to a full backup\.$/);
});

test('incremental stores nothing false when the catalog breaks after volumes were stored', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  const random = createRandom(7);
  for (const folder of ['a', 'b', 'm', 'z']) mkdirSync(join(source, folder), { recursive: true });
  const name = (i: number) => String(i).padStart(4, '0');
  for (let i = 0; i < 4; i++) writeFileSync(join(source, 'm', name(i)), random.bytes(500_000));
  for (let i = 0; i < 1200; i++) writeFileSync(join(source, 'b', name(i)), ''); // what is compared ahead ends among these
  for (let i = 0; i < 300; i++) writeFileSync(join(source, 'z', name(i)), `content ${i}`);
  const archive = createTestArchive(base);
  const options = { name: 'n', volumeSize: 500_000, compress: false } as const;
  assert.equal(await archive.backup(source, { ...options, mode: 'full' }), 0);
  const first = snapshotTree(source);

  for (let i = 0; i < 8; i++) writeFileSync(join(source, 'a', name(i)), random.bytes(1_000_000));
  for (let i = 0; i < 4; i++) appendFileSync(join(source, 'm', name(i)), 'more');
  for (let i = 0; i < 300; i += 100) writeFileSync(join(source, 'z', name(i)), `changed ${i}`);
  for (let i = 50; i < 300; i += 100) rmSync(join(source, 'z', name(i)));
  archive.host.set(1_700_001_000);
  withCatalog(join(base, 'our cache'), file => {
    const db = new Sqlite(file); // found out when the walk is there, long after a checkpoint
    const { changes } = db.prepare("UPDATE current SET folder = NULL WHERE name = 'z'").run();
    db.close();
    assert.equal(changes, 1);
  });
  assert.equal(await archive.backup(source, { ...options, mode: 'incremental' }), 0, told(archive));
  const codes = archive.host.reports.map(({ code }) => code);
  assert.ok(codes.includes('catalog-damaged'), 'it broke');
  assert.ok(codes.indexOf('continuing') > codes.indexOf('catalog-damaged'), told(archive));

  const out = (at: number) => join(base, `out ${at}`);
  for (const [at, tree] of [
    [1_700_000_000, first],
    [1_700_001_000, snapshotTree(source)],
  ] as const) {
    assert.equal(await archive.restore(out(at), { name: 'n', time: String(at) }), 0);
    assertSameTree(snapshotTree(out(at)), tree);
  }
  archive.host.clear();
  archive.host.set(1_700_002_000);
  assert.equal(await archive.backup(source, { ...options, mode: 'incremental' }), 0);
  assert.match(archive.host.output(), /^DeltaEntries 0$/m);
  if (!needTool(t, 'duplicity')) return;
  await createDuplicity(t).restore(archive.url, join(base, 'theirs'));
  assertSameTree(snapshotTree(join(base, 'theirs')), snapshotTree(source));
});

test('incremental never makes a delta against the signature of another file, whatever the catalog says', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeSource(source);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source, { mode: 'full', name: 'n' }), 0);
  withCatalog(join(base, 'our cache'), file => {
    const db = new Sqlite(file);
    const offset = db.prepare("SELECT signature_offset FROM current WHERE name = 'f'").pluck().get();
    db.prepare("UPDATE current SET signature_offset = ? WHERE name = 'e'").run(offset);
    db.close();
  });
  copyFileSync(join(source, 'f'), join(source, 'e')); // of which the delta would be empty
  archive.host.set(1_700_001_000);
  assert.equal(await archive.backup(source, { mode: 'incremental', name: 'n' }), 0);
  assert.equal(await archive.restore(join(base, 'out'), { name: 'n' }), 0);
  assertSameTree(snapshotTree(join(base, 'out')), snapshotTree(source));
});

test('a lost archive cache is filled again from the target, and the passphrase is all that it takes', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  makeSource(source);
  const url = `file://${join(program.home, 'target')}`;
  const secret = { passphrase: 'right' };
  expectStatus(await program.run(['full', source, url], secret));
  rmSync(join(program.home, '.cache'), { recursive: true });
  const again = await program.run([source, url], secret);
  assertTold(again, 'the archive cache is lost');
  assert.match(again.stdout, /^DeltaEntries 0$/m);
  assert.ok(existsSync(join(program.home, '.cache/tsbackup')));
});

test('a file of which a volume in its middle is lost is told of once', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'large'), createRandom(9).bytes(3_000_000));
  writeFileSync(join(source, 'next'), 'next');
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source, { volumeSize: MIB, compress: false }), 0);
  spoil(objectOf(archive.folder, /vol2\./));
  archive.host.clear();
  assert.equal(await archive.restore(join(base, 'out')), 1);
  assert.equal(archive.host.reports.filter(({ message }) => /^large is lost/.test(message)).length, 1);
  assert.deepEqual(readdirSync(join(base, 'out')), ['next']);
  archive.host.clear();
  assert.equal(await archive.check(), 1);
  assert.match(archive.host.output(), /, 2 faults found\.\n$/);
});

test('a restore that can’t tell what a lost volume held fails, and deletes nothing', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'old'), 'first');
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source), 0);
  archive.host.set(1_700_001_000);
  writeFileSync(join(source, 'old'), 'second');
  writeFileSync(join(source, 'new'), 'new');
  assert.equal(await archive.backup(source), 0);
  rmSync(objectOf(archive.folder, /inc.*vol1/));
  rmSync(objectOf(archive.folder, /new-signatures/));
  assert.equal(await archive.restore(join(base, 'known')), 1, 'the archive cache names what is lost');
  assert.ok(archive.host.reports.some(({ message }) => /^new is lost/.test(message)));
  rmSync(join(base, 'our cache'), { recursive: true });
  assert.equal(await archive.restore(join(base, 'out')), 1);
  assert.equal(await archive.restore(source, { inPlace: true, deleteOthers: true }), 1);
  assert.equal(readFileSync(join(source, 'new'), 'utf8'), 'new');
});

test('a lost volume of a set in which nothing had changed is seen in the status', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source), 0);
  archive.host.set(1_700_001_000);
  assert.equal(await archive.backup(source), 0);
  rmSync(objectOf(archive.folder, /inc.*vol1/));
  assert.equal(await archive.restore(join(base, 'out')), 1);
});

test('verify of several paths looks at these alone', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  for (const name of ['a', 'b', 'c']) {
    mkdirSync(join(source, name), { recursive: true });
    writeFileSync(join(source, name, 'file'), name);
  }
  const url = `file://${join(program.home, 'target')}`;
  expectStatus(await program.run(['full', '--no-encryption', source, url]));
  writeFileSync(join(source, 'c', 'new'), '');
  const words = ['--path-to-restore', 'a', '--path-to-restore', 'b', url, source];
  expectStatus(await program.run(['verify', '--compare-data', ...words]));
  writeFileSync(join(source, 'b', 'new'), '');
  const { stdout } = expectStatus(await program.run(['verify', '--compare-data', ...words]), 4);
  assert.match(stdout, /New file b\/new/);
});

test('objects that are rotten by the service’s own checksum cost what they hold, not the restore', async t => {
  const base = tempDir(t);
  const server = await startS3Server();
  t.after(() => server.close());
  let rotten = /never/;
  const proxy = await startFaultProxy(server.port, ({ method, url }) =>
    method === 'GET' && rotten.test(url) ? { kind: 'flip-response', checksum: true } : undefined,
  );
  t.after(() => proxy.close());
  const source = join(base, 'source');
  mkdirSync(source);
  for (const name of ['a', 'b', 'c', 'last']) {
    writeFileSync(join(source, name), createRandom(name).bytes(name === 'last' ? 10 : 2 * MIB));
  }
  const program = createProgram(t);
  const run = (...args: string[]) =>
    program.run([...args, '--no-encryption', '--s3-endpoint-url', proxy.url], { env: credentials });
  const url = `s3://${BUCKET}/rotten`;
  expectStatus(await run('full', source, url, '--volsize', '2'));

  rotten = /\.vol2\./;
  const partly = await run('restore', url, join(base, 'partly'));
  expectStatus(partly, 1);
  assert.match(partly.stderr, /volume 2 of .* is damaged: its checksum is not that of the manifest/);
  const lost = lostIn(partly.stderr);
  assert.ok(lost.length > 0 && lost.length < 3, partly.stderr);
  for (const name of ['a', 'b', 'c', 'last'].filter(one => !lost.includes(one))) {
    assert.deepEqual(readFileSync(join(base, 'partly', name)), readFileSync(join(source, name)));
  }
  expectStatus(await run('check', url), 1);

  rotten = /\.manifest/;
  const whole = await run('restore', url, join(base, 'whole'), '--archive-dir', join(base, 'other cache'));
  expectStatus(whole, 1);
  assert.match(whole.stderr, /the manifest of .* can't be used: .* its volumes are read without it/);
  assertSameTree(snapshotTree(join(base, 'whole')), snapshotTree(source));
});
