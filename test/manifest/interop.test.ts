/** Our reading against the real duplicity's: of archives that it makes, of listings made up, and of times. */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { bytesOf } from '../../src/bytes.ts';
import { collectSets } from '../../src/manifest/chains.ts';
import {
  type Change,
  formatChange,
  formatFilelistHeader,
  formatHeader,
  formatVolume,
} from '../../src/manifest/manifest.ts';
import { createManifestReader } from '../../src/manifest/manifest-reader.ts';
import { parseName, signaturesName, volumeName } from '../../src/manifest/names.ts';
import {
  planCleanup,
  planKeepFulls,
  planKeepIncrementals,
  planRemoveOlderThan,
} from '../../src/manifest/retention.ts';
import type { Listed } from '../../src/manifest/sets.ts';
import { canonicalLocaldir } from '../../src/manifest/source.ts';
import { statusLines } from '../../src/manifest/status-text.ts';
import { parseTimeArgument } from '../../src/manifest/time.ts';
import { volumesFor } from '../../src/manifest/volume-choice.ts';
import { duplicityGeneration, needTool } from '../support/tools.ts';
import { EPOCH, full, inc, manifest, signatures, unsigned, volume, whole } from './listing.ts';

process.env.TZ = 'UTC';

interface Place {
  readonly folder: string;
  readonly target: string;
  run(args: string[], environment?: Record<string, string>): string;
  list(): Listed[];
}

/** A folder of its own with a target in it; removed when the test ends. */
function createPlace(t: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), 'tsbackup-manifest-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const target = join(folder, 'target');
  mkdirSync(target);
  const options = [
    '--no-encryption',
    '--archive-dir',
    join(folder, 'cache'),
    '--name',
    'n',
    '--no-print-statistics',
  ];
  return {
    folder,
    target,
    run(args, environment = {}) {
      const env = { ...process.env, ...environment };
      const { status, stdout, stderr } = spawnSync('duplicity', [...args, ...options], { cwd: folder, env });
      assert.equal(status, 0, `duplicity ${args.join(' ')}: ${stderr}${stdout}`);
      return stdout.toString('latin1');
    },
    list: () => readdirSync(target).map(name => ({ name, size: statSync(join(target, name)).size })),
  };
}

const url = 'file://target';

/** Status as real duplicity prints it, from the line about the last full backup on; warnings come before. */
function theirStatus(place: Place): string[] {
  const lines = place.run(['collection-status', url]).split('\n');
  return lines.slice(lines.findIndex(line => line.startsWith('Last full'))).slice(0, -1);
}

/** duplicity 3 leaves open how many they are: "chain(s)". */
const withoutPlurals = (lines: readonly string[]) =>
  lines.map(line => line.replace(/\b(chain|set)(?:s|\(s\))?(?![a-z])/g, '$1'));

function assertSameStatus(place: Place, told?: string): void {
  const [ours, theirs] = [ourStatus(place), theirStatus(place)];
  if (duplicityGeneration() === 0) assert.deepEqual(ours, theirs, told);
  else assert.deepEqual(withoutPlurals(ours), withoutPlurals(theirs), told);
}

function ourStatus(place: Place): string[] {
  const archiveDir = join(place.folder, 'cache', 'n');
  return statusLines(collectSets(place.list()), { backend: 'BackendWrapper', archiveDir });
}

/** Writes a manifest again from what our reader found in it. */
function rewritten(bytes: Buffer): Buffer {
  const changes: [Change, string][] = [];
  const reader = createManifestReader((change, path) => changes.push([change, path]));
  reader.push(bytes);
  const { volumes, ...header } = reader.end();
  assert.equal(header.ending, 'filelist');
  return Buffer.concat([
    formatHeader(header),
    ...volumes.map(entry => formatVolume({ ...entry, sha1: entry.sha1! })),
    formatFilelistHeader(changes.length),
    ...changes.map(change => formatChange(...change)),
  ]);
}

test('an archive that duplicity made is read, named and told the same', t => {
  if (!needTool(t, 'duplicity')) return;
  const place = createPlace(t);
  const source = join(place.folder, 'so urce');
  mkdirSync(source);
  const put = (name: string, content: string | Buffer) =>
    writeFileSync(Buffer.concat([bytesOf(`${source}/`), bytesOf(name)]), content);
  const names = [
    'a b',
    'new\nline',
    'tab\there',
    `"q"'s`,
    'back\\slash',
    '\xff\xfe',
    'nb\xc2\xa0sp',
    '.x',
    'z',
  ];
  for (const name of names) put(name, name);
  const noise = (size: number) =>
    execFileSync('head', ['-c', String(size), '/dev/urandom'], { maxBuffer: 1e7 });
  put('big one', noise(3_600_000)); // volumes of version 3.1 are larger than they are told to be
  const backUp = (action: string, time: number) =>
    place.run([action, '--volsize', '1', '--current-time', String(time), './so urce/', url]);
  backUp('full', EPOCH);
  put('a b', 'changed');
  rmSync(join(source, 'z'));
  backUp('incremental', EPOCH + 5);
  put('late r', noise(1_300_000));
  backUp('incremental', EPOCH + 9);

  const listing = place.list();
  const collection = collectSets(listing);
  assert.deepEqual(collection.problems, []);
  assert.deepEqual(
    collection.chains.map(chain => chain.sets.map(set => set.id)),
    [[full(0), inc(0, 5), inc(5, 9)]],
  );
  const [first] = collection.chains[0]!.sets;
  assert.ok(first.volumes.size > 2);
  for (const { id, volumes, signatures: sigtar, manifest: record } of collection.chains[0]!.sets) {
    for (const [number, object] of volumes) assert.equal(object.name, volumeName(id, number, 'gz'));
    assert.equal(sigtar?.name, signaturesName(id, 'gz'));
    const bytes = readFileSync(join(place.target, record!.name));
    assert.deepEqual(rewritten(bytes), bytes);
  }

  const reader = createManifestReader();
  reader.push(readFileSync(join(place.target, first.manifest!.name)));
  const value = reader.end();
  assert.deepEqual(
    value.volumes.map(({ number }) => number),
    [...first.volumes.keys()],
  );
  assert.equal(value.localdir, canonicalLocaldir('./so urce/'));
  assert.equal(value.hostname, hostname());
  assert.deepEqual(
    volumesFor(value, 'big one').map(entry => entry.number),
    [...first.volumes.keys()],
  );
  assert.deepEqual(
    volumesFor(value, '\xff\xfe').map(entry => entry.number),
    [first.volumes.size],
  );

  assertSameStatus(place);
});

test('statusLines() equals what duplicity prints for listings of every kind', t => {
  if (!needTool(t, 'duplicity')) return;
  const place = createPlace(t);
  const listings: (string | string[])[][] = [
    [],
    [unsigned(full(0)), volume(inc(0, 5), 7)],
    [whole(full(0)), whole(inc(0, 5)), whole(full(20), 3), whole(inc(20, 30)), 'lockfile', 'x.manifest'],
    [whole(full(0)), whole(inc(0, 5)), whole(inc(5, 9)), unsigned(inc(9, 12)), volume(inc(12, 15))],
    [whole(full(0)), whole(inc(0, 5)), unsigned(inc(5, 9)), unsigned(inc(9, 12))],
    [
      whole(full(0)),
      unsigned(full(20)),
      unsigned(inc(21, 22)),
      signatures(inc(50, 60)),
      signatures(inc(20, 30)),
    ],
    [whole(full(0)), unsigned(inc(0, 5)), whole(inc(0, 9)), manifest(inc(9, 12)), signatures(inc(9, 12))],
    [whole(full(0)), whole(inc(0, 20)), whole(full(3))],
  ];
  for (const listing of listings) {
    rmSync(place.target, { recursive: true });
    mkdirSync(place.target);
    for (const name of listing.flat()) writeFileSync(join(place.target, name), '');
    assertSameStatus(place, listing.flat().join(' '));
  }
});

test('retention plans remove what duplicity removes', t => {
  if (!needTool(t, 'duplicity')) return;
  const place = createPlace(t);
  const three = [full(0), inc(0, 5), full(20), inc(20, 30), full(40), inc(40, 50)].flatMap(set => whole(set));
  const rubbish = [
    ...whole(full(20)),
    ...[signatures(full(0)), signatures(inc(0, 5)), signatures(inc(7, 9))],
    ...[volume(full(40)), volume(inc(20, 30)), ...unsigned(inc(55, 60))],
  ];
  const cases: [
    string[],
    string[],
    (listing: Listed[]) => { removals: readonly { names: readonly string[] }[] },
  ][] = [
    [
      ['remove-older-than', String(EPOCH + 25)],
      three,
      listing => planRemoveOlderThan(collectSets(listing), EPOCH + 25),
    ],
    [
      ['remove-older-than', String(EPOCH + 5)],
      three,
      listing => planRemoveOlderThan(collectSets(listing), EPOCH + 5),
    ],
    [['remove-all-but-n-full', '1'], three, listing => planKeepFulls(collectSets(listing), 1)],
    [['remove-all-inc-of-but-n-full', '2'], three, listing => planKeepIncrementals(collectSets(listing), 2)],
    [['cleanup'], rubbish, listing => planCleanup(collectSets(listing))],
  ];
  for (const [action, names, plan] of cases) {
    rmSync(place.target, { recursive: true });
    mkdirSync(place.target);
    for (const name of names) writeFileSync(join(place.target, name), '');
    const gone = new Set(plan(place.list()).removals.flatMap(removal => removal.names));
    place.run([...action, '--force', url]);
    const left = place.list().map(({ name }) => name);
    assert.deepEqual(new Set(left), new Set(names.filter(name => !gone.has(name))), action.join(' '));
  }
});

test('parseTimeArgument() reads times as duplicity does', t => {
  if (!needTool(t, 'duplicity')) return;
  const place = createPlace(t);
  const cases: [zone: string, text: string][] = [
    ['Europe/Berlin', '2026-07-01T12:00:00'],
    ['Europe/Berlin', '7/1/2026'],
    ['Australia/Sydney', '20260101Z'],
    ['America/Caracas', '2012-03-03'],
    ['Asia/Kolkata', '2026-11-23T00:57:61+05:30'],
    ['UTC', '02-31-2026'],
    ['UTC', '1782860400'],
  ];
  for (const [zone, text] of cases) {
    process.env.TZ = zone;
    const expected = parseTimeArgument(text, 0);
    process.env.TZ = 'UTC';
    rmSync(place.target, { recursive: true });
    mkdirSync(place.target);
    // One full backup just before the time, one at it: only the first is older.
    const before = full(expected - 1 - EPOCH);
    const names = [before, full(expected - EPOCH), full(3_000_000_000 - EPOCH)].flatMap(set => whole(set));
    for (const name of names) writeFileSync(join(place.target, name), '');
    place.run(['remove-older-than', text, '--force', url], { TZ: zone });
    assert.deepEqual(
      new Set(place.list().map(({ name }) => name)),
      new Set(names.slice(3)),
      `${zone} ${text}`,
    );
  }
});

test('parseName() reads the short and the old names that duplicity writes', t => {
  if (!needTool(t, 'duplicity')) return;
  if (duplicityGeneration() > 0) return t.skip('duplicity 0.8 was the last one to write them');
  for (const option of ['--short-filenames', '--old-filenames', '--old-filenames --time-separator=_']) {
    const place = createPlace(t);
    mkdirSync(join(place.folder, 'source'));
    const backUp = (action: string, time: number) =>
      place.run([action, ...option.split(' '), '--current-time', String(time), 'source', url], {
        TZ: 'Asia/Kolkata',
      });
    backUp('full', EPOCH);
    backUp('incremental', EPOCH + 5);
    const listing = place.list();
    for (const { name } of listing) assert.equal(parseName(name)?.exact, true, name);
    const { chains, problems } = collectSets(listing);
    assert.deepEqual(
      chains.map(chain => chain.sets.map(set => [set.id, set.volumes.size, set.signatures?.compressed])),
      [
        [
          [full(0), 1, true],
          [inc(0, 5), 1, true],
        ],
      ],
    );
    assert.deepEqual(problems, []);
  }
});
