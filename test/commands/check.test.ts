/** check: what is whole is proved, at all times; what is not is named with what it costs, file by file, time by time. */

import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { chooseSample } from '../../src/commands/check-proofs.ts';
import { createTestArchive, type TestArchive } from '../support/archive.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { createRandom } from '../support/random.ts';
import { type SnapshotEntry, snapshotTree, treeDifferences } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { makeSource } from './sources.ts';
import { assertTold } from './troubles.ts';

const TIMES = [1_700_000_000, 1_700_001_000, 1_700_002_000, 1_700_003_000];

interface History {
  readonly archive: TestArchive;
  readonly base: string;
  /** The tree as of each set. */
  readonly states: readonly (readonly SnapshotEntry[])[];
}

/** A full set of three volumes and three incrementals: deltas of `b` and `e`, files that come, go and come again. */
async function makeHistory(t: TestContext, passphrase?: string): Promise<History> {
  const base = tempDir(t);
  const source = join(base, 'source');
  makeSource(source);
  const archive = createTestArchive(base, passphrase === undefined ? {} : { passphrase });
  const random = createRandom(19);
  const states: SnapshotEntry[][] = [];
  for (const [index, time] of TIMES.entries()) {
    archive.host.set(time);
    if (index === 1) {
      appendFileSync(join(source, 'b'), 'and more');
      appendFileSync(join(source, 'e'), random.bytes(1_200_000));
      rmSync(join(source, 'd/c'));
    }
    if (index === 2) {
      appendFileSync(join(source, 'b'), 'and still more');
      rmSync(join(source, 'f'));
      mkdirSync(join(source, 'f')); // its delta would have no sense any more
      writeFileSync(join(source, 'd/c'), 'again');
    }
    if (index === 3) {
      rmSync(join(source, 'b'));
      writeFileSync(join(source, 'new'), random.bytes(100_000));
    }
    assert.equal(await archive.backup(source), 0);
    states.push(snapshotTree(source));
  }
  archive.host.set(1_700_100_000);
  archive.host.clear();
  return { archive, base, states };
}

function objectOf({ archive: { folder } }: History, pattern: RegExp): string {
  const [name, ...others] = readdirSync(folder).filter(object => pattern.test(object));
  assert.ok(name !== undefined && others.length === 0, `one object like ${pattern}`);
  return join(folder, name);
}

function flip(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
}

/** The paths that a check has named, each with the times at which they are lost: numbers of sets. */
function lostIn({ archive: { host } }: History): Map<string, number[]> {
  const stamps = TIMES.map(time => `${new Date(time * 1000).toISOString().replace(/[-:]|\.\d+/g, '')}`);
  const lost = new Map<string, number[]>();
  for (const { code, message, facts } of host.reports) {
    if (code !== 'entry-lost') continue;
    const [, from, to = from] = / is lost (?:as of|from) (\w+)(?: to (\w+))?: /.exec(message) ?? [];
    const [first, last] = [stamps.indexOf(from!), stamps.indexOf(to!)];
    assert.ok(first >= 0 && last >= first, message);
    const path = String(facts!.path);
    const times = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    lost.set(path, [...(lost.get(path) ?? []), ...times]);
  }
  return lost;
}

/** What a restore of each time does not give back is what the check has named, and nothing else. */
async function assertExact(history: History): Promise<void> {
  const lost = lostIn(history);
  for (const [index, time] of TIMES.entries()) {
    const out = join(history.base, `out ${index} ${Math.random()}`);
    await history.archive.restore(out, { time: String(time) });
    const missing = treeDifferences(snapshotTree(out), history.states[index]!, { ignore: ['mtimeSeconds'] });
    const named = [...lost].flatMap(([path, times]) => (times.includes(index) ? [path] : []));
    assert.deepEqual(
      missing.map(line => line.replace(/^missing \w+ (.*) \(.*$/, '$1')).sort(),
      named.sort(),
      `at time ${index}`,
    );
  }
}

for (const passphrase of [undefined, 'right']) {
  const how = passphrase === undefined ? 'plain' : 'encrypted';

  test(`check() proves a whole archive (${how}) and writes nothing to the target`, async t => {
    const history = await makeHistory(t, passphrase);
    const before = readdirSync(history.archive.folder).map(name => [
      name,
      statSync(join(history.archive.folder, name)).mtimeMs,
    ]);
    assert.equal(await history.archive.check(), 0, JSON.stringify(history.archive.host.reports));
    assert.match(history.archive.host.output(), /^ {4}volumes 1-4: proved Thu Nov 16 /m);
    assert.match(
      history.archive.host.output(),
      /\nCheck complete: (\d+) of \1 objects read .*, \1 are proved, no fault found\.\n$/,
    );
    const after = readdirSync(history.archive.folder).map(name => [
      name,
      statSync(join(history.archive.folder, name)).mtimeMs,
    ]);
    assert.deepEqual(after, before);
  });

  for (const [what, pattern] of [
    ['full, volume 1', /-full\..*vol1\./],
    ['full, volume 2', /-full\..*vol2\./],
    ['full, volume 3', /-full\..*vol3\./],
    ['first incremental, volume 1', /-inc\.20231114T221320Z.*vol1\./],
    ['first incremental, volume 2', /-inc\.20231114T221320Z.*vol2\./],
    ['second incremental', /-inc\.20231114T223000Z.*vol1\./],
  ] as const) {
    if (passphrase !== undefined && what !== 'first incremental, volume 1') continue;
    test(`check() names which files of which times are lost with a volume (${what}, ${how})`, async t => {
      const history = await makeHistory(t, passphrase);
      const file = objectOf(history, pattern);
      const whole = join(history.base, 'whole');
      copyFileSync(file, whole);

      flip(file);
      assert.equal(await history.archive.check(), 1);
      const all = lostIn(history);
      assert.ok(all.size > 0);
      await assertExact(history);
      assert.match(history.archive.host.output(), /volume \d: not proved: see above/);

      // A sample finds the same as soon as it meets the volume; a missing one is met at once.
      copyFileSync(whole, file);
      assert.equal(await history.archive.check(), 0);
      flip(file);
      history.archive.host.clear();
      let status = 0;
      for (let run = 0; run < 30 && status === 0; run++) {
        history.archive.host.set(1_700_200_000 + run);
        status = await history.archive.check({ percent: 15 });
      }
      assert.equal(status, 1);
      assert.deepEqual(lostIn(history), all);
      rmSync(file);
      history.archive.host.clear();
      assert.equal(await history.archive.check({ bytes: 1 }), 1);
      assert.deepEqual(lostIn(history), all);
      assert.match(history.archive.host.output(), /volume \d: not at the target/);
    });
  }
}

test('check() of samples comes to everything, what was proved longest ago first, and remembers when', async t => {
  const history = await makeHistory(t, 'right');
  const { archive } = history;
  const objects = readdirSync(archive.folder).filter(name => !name.includes('manifest')).length;
  let proved = 0;
  for (let run = 1; proved < objects; run++) {
    assert.ok(run <= objects, 'each run proves at least one more');
    archive.host.clear();
    archive.host.set(1_700_100_000 + run * 86_400);
    assert.equal(await archive.check({ percent: 20 }), 0);
    const [, count] = /, (\d+) are proved, no fault/.exec(archive.host.output()) ?? [];
    assert.ok(Number(count) > proved);
    proved = Number(count);
  }
  // Each of as many runs renews one proof, and the oldest one: then none is left of the year before.
  assert.match(archive.host.output(), /: proved .* 2023$/m);
  for (let run = 0; run < objects; run++) {
    archive.host.clear();
    archive.host.set(1_710_000_000 + run * 86_400);
    assert.equal(await archive.check({ bytes: 1 }), 0);
    assert.match(archive.host.output(), /^Check complete: 1 of /m);
  }
  assert.match(archive.host.output(), /: proved .* 2024$/m);
  assert.doesNotMatch(archive.host.output(), /: proved .* 2023$/m);

  // Another object in its place is proved anew.
  const file = objectOf(history, /-full\..*vol1\./);
  writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from('x')]));
  archive.host.clear();
  assert.equal(await archive.check({ bytes: 1 }), 1);
});

test('check() finds a delta without its base, also in a sample', async t => {
  const history = await makeHistory(t);
  // The chain is linked to a full set that never held `b` and `e`: names alone make a chain.
  const other = createTestArchive(join(history.base), {});
  const source = join(history.base, 'other');
  mkdirSync(source);
  writeFileSync(join(source, 'a'), 'only this');
  for (const name of readdirSync(history.archive.folder)) {
    if (name.includes('-full')) rmSync(join(history.archive.folder, name));
  }
  rmSync(join(history.base, 'our cache'), { recursive: true });
  other.host.set(TIMES[0]!);
  assert.equal(await other.backup(source, { mode: 'full' }), 0);
  other.host.set(1_700_100_000);
  other.host.clear();
  assert.equal(await other.check(), 1);
  const lost = lostIn({ ...history, archive: other });
  assert.deepEqual([...lost.keys()].sort(), ['b', 'e']);
  assert.deepEqual(lost.get('b'), [1, 2]);
  assert.deepEqual(lost.get('e'), [1, 2, 3]);
  rmSync(join(history.base, 'our cache'), { recursive: true });
  let isFound = false;
  for (let run = 0; run < 12 && !isFound; run++) {
    other.host.clear();
    await other.check({ bytes: 1 });
    isFound = other.host.reports.some(({ code, facts }) => code === 'no-base' && facts!.path === 'b');
  }
  assert.ok(isFound);
});

for (const kind of ['manifest', 'sigtar'] as const) {
  test(`check() finds a ${kind} that is damaged at the target while the cache has a good one`, async t => {
    const history = await makeHistory(t, 'right');
    flip(objectOf(history, new RegExp(`-(full|full-signatures)\\.[^.]*\\.${kind}`)));
    assert.equal(await history.archive.check(), 1);
    assert.deepEqual([...lostIn(history).keys()], []);
    const codes = history.archive.host.reports.map(({ code }) => code);
    assert.deepEqual(codes, [
      kind === 'manifest' ? 'manifest-damaged' : 'signatures-damaged',
      'newest-chain-damaged',
    ]);
  });

  test(`check() finds a ${kind} at the target that is whole, and another than the cache has`, async t => {
    const history = await makeHistory(t);
    const [full, inc] = [/-full\.|-full-sig/, /-inc\.20231114T221320Z|-new-signatures\.20231114T221320Z/].map(
      pattern => {
        const names = readdirSync(history.archive.folder);
        return join(history.archive.folder, names.find(name => pattern.test(name) && name.includes(kind))!);
      },
    );
    copyFileSync(inc!, full!);
    assert.equal(await history.archive.check(), 1);
    const code = kind === 'manifest' ? 'manifest-differs' : 'signatures-differ';
    assert.ok(history.archive.host.reports.some(report => report.code === code));
  });
}

/** The folder of the archive cache. */
function cacheOf({ archive: { common } }: History): string {
  return join(common.archiveDir, readdirSync(common.archiveDir)[0]!);
}

for (const [kind, pattern, from] of [
  ['manifest', /-full\..*manifest$/, 'StartingPath'],
  ['signatures', /-full-signatures.*gz$/, ''],
] as const) {
  const plain = (bytes: Buffer) => (kind === 'signatures' ? gunzipSync(bytes) : bytes);
  test(`check() counts no fault of the archive where only the cached ${kind} are wrong, and copies them again`, async t => {
    const history = await makeHistory(t);
    const folder = cacheOf(history);
    const file = join(folder, readdirSync(folder).find(name => pattern.test(name))!);
    const right = readFileSync(file);
    const wrong = Buffer.from(right);
    wrong[from === '' ? right.length >> 1 : right.indexOf(from, right.indexOf('Volume 2')) + 15]! ^= 1;
    writeFileSync(file, wrong);
    assert.equal(await history.archive.check(), 0);
    assert.deepEqual(
      history.archive.host.reports.filter(({ level }) => level !== 'info').map(({ code }) => code),
      ['copy-damaged'],
    );
    history.archive.host.clear();
    assert.equal(await history.archive.check(), 0);
    assert.equal(await history.archive.backup(join(history.base, 'source')), 0);
    assert.deepEqual(plain(readFileSync(file)), plain(right));
  });
}

test('check() finds a plain manifest that is wrong at the target, though it is read, and keeps the sound copy', async t => {
  const history = await makeHistory(t);
  const file = objectOf(history, /-full\..*manifest$/);
  const text = readFileSync(file);
  text[text.indexOf('EndingPath') + 15]! ^= 1;
  writeFileSync(file, text);
  assert.equal(await history.archive.check(), 1);
  assert.deepEqual(
    history.archive.host.reports.filter(({ level }) => level !== 'info').map(({ code }) => code),
    ['manifest-damaged', 'newest-chain-damaged'],
  );
  const out = join(history.base, 'out');
  assert.equal(await history.archive.restore(out), 0);
  assert.deepEqual(treeDifferences(snapshotTree(out), history.states.at(-1)!), []);
});

test('check is told what it is to do, and tells what it has found', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  makeSource(source);
  const url = 'file://target';
  assertTold(await program.run(['check', url]), 'the target is not there (a disk that is not mounted)');
  expectStatus(await program.run(['full', '--no-encryption', '--volsize', '1', 'source', url]));
  for (const sample of ['0', '101%', 'much', '5%%', '-1']) {
    assert.equal((await program.run(['check', `--sample=${sample}`, url])).status, 2, sample);
  }
  assertTold(await program.run(['check', '--sample', '500K', url]), '`check` finds no fault');
  const target = join(program.home, 'target');
  flip(join(target, readdirSync(target).find(name => name.includes('vol2'))!));
  const result = await program.run(['check', url]);
  assertTold(result, '`check` finds what is lost');
  assertTold(result, 'a volume is damaged');
  assert.doesNotMatch(result.stdout, /Error/);
});

test('samples of an archive that grows every day come to its large volumes again', () => {
  const objects = [
    { name: 'full', size: 1_200_000 },
    { name: 'next', size: 300_000 },
  ];
  const proved = new Map(objects.map(({ name }) => [name, 0]));
  for (let day = 1; day <= 10; day++) {
    objects.push({ name: `new ${day}`, size: 100_000 });
    const chosen = chooseSample(objects, { provedAt: ({ name }) => proved.get(name) }, 400_000);
    assert.ok(chosen.includes(objects.at(-1)!), 'what is new comes first');
    for (const { name } of chosen) proved.set(name, day);
  }
  for (const { name } of objects) assert.ok(proved.get(name)! > 0, name);
});

test('what was proved by a clock that went ahead is proved again by samples', async t => {
  const history = await makeHistory(t);
  const { archive } = history;
  archive.host.set(4_000_000_000);
  assert.equal(await archive.check(), 0);
  archive.host.set(1_700_200_000);
  archive.host.clear();
  assert.equal(await archive.check({ bytes: 1 }), 0);
  assert.match(archive.host.output(), /1 of \d+ objects read .*, 1 are proved, no fault found/);
});

test('a set without manifest that nobody knows of is told', async t => {
  const { archive, base } = await makeHistory(t);
  rmSync(
    join(
      archive.folder,
      readdirSync(archive.folder)
        .filter(name => /inc.*manifest/.test(name))
        .at(-1)!,
    ),
  );
  rmSync(join(base, 'our cache'), { recursive: true });
  archive.host.clear();
  assert.equal(await archive.check(), 0);
  assert.ok(archive.host.reports.some(({ code }) => code === 'set-unfinished'));
});

test('a check whose record can not be kept tells what it has found', async t => {
  const { archive } = await makeHistory(t);
  const { archiveDir } = archive.common;
  const record = join(archiveDir, readdirSync(archiveDir)[0]!, 'tsbackup-proofs.json');
  mkdirSync(record); // in whose place nothing can be written
  const warnings = () =>
    archive.host.reports.filter(({ level }) => level === 'warning').map(({ code }) => code);
  archive.host.clear();
  assert.equal(await archive.check(), 0);
  assert.deepEqual(warnings(), ['proofs-unwritten']);
  assert.match(archive.host.output(), /^Check complete: .* no fault found\.$/m);
  const volume = readdirSync(archive.folder).find(name => name.includes('.vol1.'))!;
  rmSync(join(archive.folder, volume));
  archive.host.clear();
  assert.equal(await archive.check(), 1);
  assert.match(archive.host.output(), /^Check complete: /m);
});

test('what is removed while a check runs is told as that', async t => {
  const { archive } = await makeHistory(t);
  const { reporter } = archive.host;
  const { progress } = reporter;
  reporter.progress = state => {
    progress(state);
    for (const name of readdirSync(archive.folder)) {
      if (name.includes('.to.20231114T230320Z.')) rmSync(join(archive.folder, name));
    }
  };
  assert.equal(await archive.check(), 1);
  const told = archive.host.reports.find(({ code }) => code === 'removed-meanwhile');
  assert.match(told!.message, /^The incremental backup of 20231114T230320Z was removed while the check ran/);
  archive.host.clear();
  assert.equal(await archive.check(), 0, archive.host.output());
  assert.ok(!archive.host.reports.some(({ code }) => code === 'removed-meanwhile'));
});
