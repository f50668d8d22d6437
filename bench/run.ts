/**
 * npm run bench -- [--quick] [--only a,b,chain,s3,startup,scale] [--programs tsbackup,duplicity,restic,borg] [--runs N]
 *
 * Every round gives each program in turn a fresh repository on the same disk and lets it do a full backup, restore
 * it, do an incremental one of the unchanged tree and one of an edited tree. The source is read before each, so that
 * no program pays for the disk (borg has the system forget what it has read, at the next one's cost), and free memory is
 * touched before a restore; archive caches stay, as they do in everyday use.
 */

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bytesOf } from '../src/bytes.ts';
import { expectStatus } from '../test/support/processes.ts';
import { assertSameTree, type SnapshotEntry, snapshotTree, walkTree } from '../test/support/snapshots.ts';
import { removeTree } from '../test/support/temp-dir.ts';
import { measureChain } from './chain.ts';
import { drawChart } from './charts.ts';
import { type Corpus, type CorpusPlace, corpora, prepareCorpus } from './corpora.ts';
import { applyEdits } from './edits.ts';
import { measure, type Step } from './measure.ts';
import { makeSpace, operations, type Program, programs, type Space } from './programs.ts';
import { formatS3, measureS3 } from './s3.ts';
import { formatScale, measureScale } from './scale.ts';
import { formatStartup, measureStartup } from './startup.ts';
import { formatMarkdown, formatText, mediansOf, rowsOf, type Sample } from './tables.ts';

const project = join(import.meta.dirname, '../..');
const root = process.env.TSBACKUP_BENCH_DIR ?? join(project, 'bench/corpora');
const results = join(project, 'bench/results');

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    programs: { type: 'string' },
    runs: { type: 'string' },
  },
});

function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  names: string | undefined,
  usual: T[],
): T[] {
  if (names === undefined) return usual;
  if (names === '') return [];
  return names.split(',').map(name => {
    const found = all.find(one => one.name === name);
    if (found === undefined) throw new Error(`no ${name}; there are ${all.map(one => one.name).join(', ')}`);
    return found;
  });
}

/**
 * Nothing is removed before the end: where many files were removed lately, a file system may be slow to make new ones
 * (ext4 without a journal looks at each inode to see how long it has been free).
 */
const allWork = join(root, 'work');
let turns = 0;

/** One program's turn: a sample for each operation. `expected` is given when the restored tree is to be checked. */
async function takeTurn(
  program: Program,
  corpus: Corpus,
  place: CorpusPlace,
  expected: SnapshotEntry[] | undefined,
): Promise<Sample[]> {
  const work = join(allWork, `${turns++}`);
  const space = makeSpace(work);
  const samples: Sample[] = [];
  let takeBack = () => {};
  try {
    for (const step of program.prepare(space)) await runStep(step, work);
    for (const operation of operations) {
      if (operation === 'edited') takeBack = applyEdits(place, corpus.editEvery);
      await sleep(1100); // sets are named by the second
      if (operation !== 'restore') readOnce(place.tree);
      spawnSync('sync'); // nobody pays for what another one wrote
      if (operation === 'restore' || operation === 'full') touchMemory();
      const before = sizeOf(space.repository);
      const cost = await runStep(program.step(operation, place.tree, space), work);
      const storedBytes = sizeOf(space.repository) - before;
      samples.push({ corpus: corpus.name, operation, program: program.name, ...cost, storedBytes });
      console.log(`  ${program.name} ${operation}: ${cost.wallSeconds.toFixed(2)} s`);
      if (operation === 'restore' && expected !== undefined) {
        assertSameTree(snapshotTree(space.target), expected, { without: entry => entry.path === '' });
      }
    }
  } finally {
    takeBack();
    await quitAgents(space);
  }
  return samples;
}

/**
 * On a virtual machine pages that were free for long may have to be fetched from its host, which makes writing a file
 * up to ten times as slow: a process that takes some and ends leaves fresh ones to the next.
 */
function touchMemory(): void {
  spawnSync(process.execPath, ['-e', 'Buffer.alloc(3 * 2 ** 29, 1)']);
}

const slab = Buffer.allocUnsafe(1024 * 1024);

function readOnce(dir: string): void {
  for (const { path, stats } of walkTree(dir)) {
    if (!stats.isFile()) continue;
    const fd = openSync(Buffer.concat([Buffer.from(`${dir}/`), bytesOf(path)]), 'r');
    while (readSync(fd, slab) > 0);
    closeSync(fd);
  }
}

async function runStep(step: Step, scratch: string) {
  const result = await measure(step, scratch);
  try {
    expectStatus(result);
  } catch (cause) {
    throw new Error(`${step.command} ${step.args.join(' ')} failed`, { cause });
  }
  const { wallSeconds, cpuSeconds, peakRssBytes } = result;
  return { wallSeconds, cpuSeconds, peakRssBytes };
}

/** gpg leaves an agent behind in each new home. */
async function quitAgents(space: Space): Promise<void> {
  spawnSync('gpgconf', ['--kill', 'all'], { env: { ...process.env, GNUPGHOME: join(space.home, 'gnupg') } });
}

function sizeOf(dir: string): number {
  let size = 0;
  for (const { stats } of walkTree(dir)) if (stats.isFile()) size += Number(stats.size);
  return size;
}

const runs = Number(values.runs ?? (values.quick ? 1 : 5));
if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs takes a whole number from 1');
const scenarios = ['chain', 's3', 'startup', 'scale'];
/** Made on demand only: a million files take minutes to make, and to remove. */
const onDemand = ['scale'];
const wantsScenario = (name: string) =>
  values.only === undefined ? !onDemand.includes(name) : values.only.split(',').includes(name);
const onlyCorpora = values.only?.split(',').filter(name => !scenarios.includes(name));
const wantedCorpora = chosen(
  corpora,
  onlyCorpora?.join(','),
  corpora.filter(corpus => !values.quick || !corpus.isLarge),
);
const versions = new Map<string, string>();
const present = chosen(programs, values.programs, [...programs]).filter(program => {
  const version = program.version();
  if (version === undefined) console.log(`${program.name} is not installed and left out`);
  else versions.set(program.name, version);
  return version !== undefined;
});

removeTree(allWork); // of a run that died
const samples: Sample[] = [];
const trees: Record<string, string> = {};
for (const corpus of wantedCorpora) {
  console.log(`corpus ${corpus.name}: ${corpus.told}`);
  const place = prepareCorpus(corpus, root);
  const expected = snapshotTree(place.tree);
  const files = expected.filter(entry => entry.type === 'file');
  const bytes = files.reduce((sum, entry) => sum + entry.size, 0);
  trees[corpus.name] = `${corpus.told}: ${files.length} files, ${(bytes / 1e6).toFixed(0)} MB`;
  for (let run = 0; run < runs; run++) {
    for (const program of present) {
      samples.push(...(await takeTurn(program, corpus, place, run === 0 ? expected : undefined)));
    }
  }
}

if (wantsScenario('chain')) {
  console.log('chain: one file of 1 full and 20 incrementals');
  const { tree } = prepareCorpus(corpora.find(({ name }) => name === 'a')!, root);
  for (const program of present.filter(({ name }) => name === 'tsbackup' || name === 'duplicity')) {
    samples.push(...(await measureChain(program, tree, join(allWork, `${turns++}`))));
  }
}
const tables: string[] = [];
if (wantsScenario('s3')) {
  console.log('s3: corpus b into a bucket on loopback');
  const { tree } = prepareCorpus(corpora.find(({ name }) => name === 'b')!, root);
  tables.push(formatS3(await measureS3(tree, join(allWork, 's3'), runs)));
}
if (wantsScenario('startup')) {
  console.log('startup: what every run pays');
  tables.push(formatStartup(await measureStartup(join(allWork, 'startup'))));
}
if (wantsScenario('scale')) {
  console.log('scale: 100,000 and 1,000,000 files');
  tables.push(formatScale(await measureScale(root, join(allWork, 'scale'))));
}

const medians = mediansOf(samples);
const rows = rowsOf(medians);
const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}`;
const facts = [
  `${machine}; Node ${process.version}; ${[...versions.values()].join('; ')}.`,
  `Median of ${runs} run${runs === 1 ? '' : 's'}; encrypted, else default settings; warm page cache.`,
  'CPU is user and system time of all processes; peak RSS is that of the largest single process.',
  ...Object.entries(trees).map(([name, told]) => `Corpus ${name}: ${told}.`),
];
if (samples.length > 0) tables.unshift(formatMarkdown(rows));
const markdown = [facts.map(fact => `- ${fact}`).join('\n'), ...tables].join('\n\n');
mkdirSync(results, { recursive: true });
const json = {
  made: new Date().toISOString(),
  machine,
  versions: Object.fromEntries(versions),
  runs,
  trees,
  medians,
  samples,
};
writeFileSync(join(results, 'latest.json'), `${JSON.stringify(json, null, 2)}\n`);
writeFileSync(join(results, 'latest.md'), `${markdown}\n`);
if (samples.length > 0) writeFileSync(join(results, 'latest.svg'), drawChart(medians));
const told = [facts.join('\n'), formatText(rows), ...tables.slice(samples.length > 0 ? 1 : 0)];
console.log(`\n${told.join('\n\n')}\n\nalso in ${results}: latest.json, latest.md, latest.svg`);
removeTree(allWork);
