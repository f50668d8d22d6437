/** Random archives and times: the commands on collections leave what the real duplicity leaves, and refuse what it refuses. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { SetId } from '../../src/manifest/names.ts';
import { parseTimeArgument } from '../../src/manifest/time.ts';
import { full, inc, manifest, signatures, unsigned, volume, whole } from '../manifest/listing.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { createProgram } from '../support/program.ts';
import { createRandom, type Random } from '../support/random.ts';
import { needTool } from '../support/tools.ts';

const isThorough = process.env.CI === 'true';
const collections = Number(process.env.TSBACKUP_COLLECTION_CASES ?? (isThorough ? 30 : 10));
const times = Number(process.env.TSBACKUP_TIME_CASES ?? (isThorough ? 40 : 12));
const firstSeed = Number(process.env.TSBACKUP_FIRST_SEED ?? 1);
const EPOCH = 1_700_000_000;

function setUp(t: TestContext) {
  const program = createProgram(t);
  const duplicity = createDuplicity(t);
  const target = join(program.home, 'target');
  const make = (names: readonly string[]) => {
    rmSync(target, { recursive: true, force: true });
    for (const folder of [duplicity.archiveDir, join(program.home, '.cache')])
      rmSync(folder, { recursive: true, force: true });
    for (const folder of [target, duplicity.archiveDir]) mkdirSync(folder);
    for (const name of names) writeFileSync(join(target, name), '');
  };
  /** What one of the two leaves of an archive, and whether it was content. */
  const after = async (
    who: 'ours' | 'theirs',
    names: readonly string[],
    args: readonly string[],
    zone = 'UTC',
  ) => {
    make(names);
    const words = [...args, `file://${target}`];
    const env = { TZ: zone };
    const result =
      who === 'ours'
        ? await program.run(words, { passphrase: 'x', env })
        : await duplicity.run([...words, '--no-encryption'], { env });
    assert.ok([0, 2, 23, 30].includes(result.status!), `${who} ${words.join(' ')}: ${result.stderr}`);
    return { isContent: result.status === 0, left: readdirSync(target).sort() };
  };
  return { after };
}

/** Chains with and without signatures to their end, and what interrupted runs and lost objects leave of others. */
function makeArchive(random: Random): string[] {
  const names: string[][] = [];
  let time = random.int(50);
  const next = () => (time += random.between(1, 40));
  for (let chains = random.between(1, 5); chains > 0; chains--) {
    let at = next();
    const isSigned = random.chance(0.85);
    names.push(isSigned ? whole(full(at), random.between(1, 3)) : unsigned(full(at)));
    for (let sets = random.int(4); sets > 0; sets--) {
      const end = next();
      names.push(random.chance(0.85) ? whole(inc(at, end)) : unsigned(inc(at, end)));
      at = end;
    }
  }
  names.push(whole(full(next()))); // ours never removes the newest chain, whether or not it can be continued
  const rubbish: (() => string[])[] = [
    () => whole(inc(time + 500, next() + 500)),
    () => [signatures(inc(time + 300, next() + 300))],
    () => [volume(full(next()))],
    () => [manifest(inc(time + 700, next() + 700))],
    () => ['lockfile', 'a file of somebody'],
  ];
  for (const make of rubbish) if (random.chance(0.25)) names.push(make());
  return names.flat();
}

function makeRemoval(random: Random): string[] {
  const force = random.chance(0.9) ? ['--force'] : [];
  return random.pick([
    () => ['remove-older-than', String(EPOCH + random.int(260)), ...force],
    () => ['remove-all-but-n-full', String(random.between(1, 4)), ...force],
    () => ['remove-all-inc-of-but-n-full', String(random.between(1, 4)), ...force],
    () => ['cleanup', ...force],
  ])();
}

test(`${collections} random removals leave what duplicity leaves`, async t => {
  if (!needTool(t, 'duplicity')) return;
  const { after } = setUp(t);
  let removed = 0;
  for (let seed = firstSeed; seed < firstSeed + collections; seed++) {
    const random = createRandom(`collections ${seed}`);
    const names = makeArchive(random);
    const args = makeRemoval(random);
    const [theirs, ours] = [await after('theirs', names, args), await after('ours', names, args)];
    assert.equal(differences(ours, theirs), '', `seed ${seed}: ${args.join(' ')}`);
    if (theirs.left.length < names.length) removed++;
  }
  assert.ok(removed >= collections / 4, String(removed));
});

interface Outcome {
  readonly isContent: boolean;
  readonly left: readonly string[];
}

/**
 * Signatures stay and go with their sets, also where some of their chain are lost: they list its files. duplicity takes
 * such signatures while the sets are there, or leaves them when they are gone.
 */
function differences(ours: Outcome, theirs: Outcome): string {
  const setOf = (name: string) =>
    name
      .replace('new-signatures', 'inc')
      .replace('-signatures', '')
      .replace(/sigtar.*/, 'manifest');
  const isFree = (name: string) => name.includes('signatures');
  const more = ours.left.filter(name => !theirs.left.includes(name));
  const extra = more.filter(name => !isFree(name) || !theirs.left.includes(setOf(name)));
  const less = theirs.left.filter(name => !ours.left.includes(name));
  const lost = less.filter(name => !isFree(name) || ours.left.includes(setOf(name)));
  return [
    ...(ours.isContent === theirs.isContent ? [] : ['another status']),
    ...extra.map(name => `+ ${name}`),
    ...lost.map(name => `- ${name}`),
  ].join('\n');
}

const zones = ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/Caracas', 'Australia/Sydney'];

function makeTime(random: Random): string {
  const two = (most: number) => String(random.int(most + 2)).padStart(random.pick([1, 2, 2, 2]), '0');
  const year = () => random.pick(['2023', '2024', '2026', '1999', '23', '2100', '1900']);
  const clock = () => `${two(23)}:${two(59)}:${two(60)}`;
  const separator = random.pick(['-', '/']);
  const day = () => [year(), two(12), two(31)].join(separator);
  const units = random.chance(0.9) ? 'smhDWMY' : 'SdHwy.- ';
  const interval = () => `${random.int(90)}${random.pick([...units])}`;
  const zone = () => random.pick(['Z', '', 'z', '+05:30', '-11:00', '+0530', '+5:30']);
  return random.pick([
    () => Array.from({ length: random.between(1, 4) }, interval).join(''),
    () => day(),
    () => [two(12), two(31), year()].join(separator),
    () => `${day().replaceAll('/', '-')}T${clock()}${zone()}`,
    () => `${year()}${two(12)}${two(31)}T${two(23)}${two(59)}${two(60)}Z`,
    () => `${year()}${two(12)}${two(31)}Z`,
    () => String(EPOCH + random.int(1e6)),
    () => random.pick(['now', 'Now', 'today', '', '3 D', '1e9', '+1D', '١D', '20240229', '0']),
  ])();
}

test(`${times} random times mean what they mean to duplicity, or nothing to either`, async t => {
  if (!needTool(t, 'duplicity')) return;
  const { after } = setUp(t);
  let understood = 0;
  for (let seed = firstSeed; seed < firstSeed + times; seed++) {
    const random = createRandom(`times ${seed}`);
    const [text, zone] = [makeTime(random), random.pick(zones)];
    const meant = timeIn(zone, text);
    const isInterval = /^(\d+\D)+$|now/.test(text);
    // Full sets just before and just after: only the older one may go. The newest one never does.
    const slack = isInterval ? 20 : 0;
    const ends = meant === undefined || meant < 100 ? [] : [meant - 1 - slack, meant + slack];
    const sets: SetId[] = [EPOCH, ...ends, 4_000_000_000].map(time => full(time - EPOCH));
    const names = sets.flatMap(set => whole(set));
    const args = ['remove-older-than', '--force', text];
    const theirs = await after('theirs', names, args, zone);
    const told = `seed ${seed}: ${text} in ${zone}`;
    assert.equal(theirs.isContent, meant !== undefined, told);
    assert.equal(differences(await after('ours', names, args, zone), theirs), '', told);
    if (meant !== undefined) understood++;
  }
  assert.ok(understood > times / 3 && understood < times, String(understood));
});

function timeIn(zone: string, text: string): number | undefined {
  const before = process.env.TZ;
  process.env.TZ = zone;
  try {
    return parseTimeArgument(text, Math.floor(Date.now() / 1000));
  } catch {
    return undefined;
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
}
