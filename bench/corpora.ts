/**
 * The trees that the benchmark backs up. They are made once, the same on every machine (but for the project's own
 * packages and the Node binary that two of them copy), and kept.
 */

import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { createRandom, type Random } from '../test/support/random.ts';
import { removeTree } from '../test/support/temp-dir.ts';

export interface Corpus {
  readonly name: string;
  readonly told: string;
  /** Left out of a quick look. */
  readonly isLarge: boolean;
  /** The edited incremental changes one file in this many, at up to 10 places. */
  readonly editEvery: number;
  readonly make: (dir: string, random: Random) => void;
}

const MB = 1_000_000;
const MIB = 1024 * 1024;

export const corpora: readonly Corpus[] = [
  {
    name: 'a',
    told: '16,000 small files of installed packages',
    isLarge: false,
    editEvery: 100,
    make: makePackages,
  },
  {
    name: 'b',
    told: '400 MB incompressible and an executable',
    isLarge: false,
    editEvery: 5,
    make: makeLarge,
  },
  { name: 'c', told: '60 photographs of 3 MB', isLarge: false, editEvery: 20, make: makePhotographs },
  tinyCorpus('d', 200_000),
  { name: 'e', told: 'one file of 1 GB', isLarge: true, editEvery: 1, make: makeOneGigabyte },
  { name: 'f', told: '200 MB of logs in 8 files', isLarge: false, editEvery: 8, make: makeLogs },
];

/** @param files a multiple of 10,000 */
export function tinyCorpus(name: string, files: number): Corpus {
  const told = `${files.toLocaleString('en')} tiny files`;
  return {
    ...{ name, told, isLarge: true, editEvery: 1000 },
    make: (dir, random) => makeTiny(dir, random, files),
  };
}

/** To be raised whenever a corpus is made in another way. */
const VERSION = 2;

export interface CorpusPlace {
  readonly tree: string;
  /** Exists while the tree is edited: a run that dies then leaves it for the next one to see. */
  readonly editedMark: string;
}

/** Makes the corpus below `root`, unless it is there as it should be. */
export function prepareCorpus(corpus: Corpus, root: string): CorpusPlace {
  const dir = join(root, corpus.name);
  const place = { tree: join(dir, 'tree'), editedMark: join(dir, 'edited') };
  const versionFile = join(dir, 'version');
  const wanted = `${VERSION}\n`;
  const there = existsSync(versionFile) && readFileSync(versionFile, 'utf8') === wanted;
  if (there && !existsSync(place.editedMark)) return place;
  removeTree(dir);
  mkdirSync(place.tree, { recursive: true });
  corpus.make(place.tree, createRandom(`corpus ${corpus.name}`));
  writeFileSync(versionFile, wanted);
  return place;
}

/** Writes in pieces, so that no file has to fit into memory; the time is one of the past. */
function writeFile(path: string, pieces: Iterable<Uint8Array | string>, serial: number): void {
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(path, 'w');
  try {
    for (const piece of pieces) writeSync(fd, typeof piece === 'string' ? Buffer.from(piece) : piece);
  } finally {
    closeSync(fd);
  }
  utimesSync(path, 1_600_000_000 + serial, 1_600_000_000 + serial);
}

const PACKAGE_FILES = 16_000;

/**
 * Real packages in several copies. The first copy has the larger files too; in the others each file begins with a
 * line of its own, or programs that store equal files once would have only half of the work.
 */
function makePackages(dir: string): void {
  const modules = [...packageFiles(join(import.meta.dirname, '../../node_modules'))];
  let serial = 0;
  for (let copy = 1; serial < PACKAGE_FILES; copy++) {
    for (const { path, name, size } of modules) {
      if (size > (copy === 1 ? 16 * MIB : MIB)) continue;
      const target = join(dir, `project-${copy}/node_modules`, name); // which compilers and linters leave alone
      writeFile(
        target,
        copy === 1 ? [readFileSync(path)] : [`// copy ${copy}\n`, readFileSync(path)],
        serial,
      );
      if (++serial === PACKAGE_FILES) return;
    }
  }
}

function* packageFiles(modules: string): Generator<{ path: string; name: string; size: number }> {
  const names = readdirSync(modules, { recursive: true, encoding: 'utf8' }).sort();
  for (const name of names) {
    if (/(^|\/)(build|\.bin)\//.test(name)) continue; // differs with the machine that installed them
    const path = join(modules, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isFile()) yield { path, name, size: stats.size };
  }
}

function makeLarge(dir: string, random: Random): void {
  for (let i = 0; i < 4; i++) writeFile(join(dir, `disk-${i}.img`), noise(random, 100 * MB), i);
  copyFileSync(process.execPath, join(dir, 'executable'));
  utimesSync(join(dir, 'executable'), 1_600_000_000, 1_600_000_000);
}

function makeLogs(dir: string, random: Random): void {
  for (let i = 0; i < 8; i++) writeFile(join(dir, `server-${i}.log`), logLines(random, 25 * MB), i);
}

function makePhotographs(dir: string, random: Random): void {
  for (let i = 0; i < 60; i++) writeFile(join(dir, `IMG_${1000 + i}.jpg`), noise(random, 3 * MB), i);
}

function makeTiny(dir: string, random: Random, files: number): void {
  for (let i = 0; i < files; i++) {
    const name = join(dir, `${Math.floor(i / 10_000)}`, `${Math.floor(i / 200) % 50}`, `note-${i}.txt`);
    writeFile(name, [`${i}: ${random.bytes(random.between(20, 150)).toString('base64')}\n`], i);
  }
}

function makeOneGigabyte(dir: string, random: Random): void {
  writeFile(join(dir, 'disk.img'), noise(random, 1000 * MB), 0);
}

function* noise(random: Random, size: number): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= MIB) yield random.bytes(Math.min(left, MIB));
}

const parts = ['http', 'database', 'scheduler', 'mailer', 'cache', 'session'];
const sayings = [
  'request done',
  'connection closed by peer',
  'retrying',
  'took lock',
  'entry expired',
  'user signed in',
];

function* logLines(random: Random, size: number): Generator<string> {
  let time = Date.UTC(2024, 0, 1);
  for (let left = size; left > 0; ) {
    let text = '';
    while (text.length < Math.min(left, MIB)) {
      time += random.int(2000);
      const who = `${random.pick(parts)}[${random.between(100, 140)}]`;
      const what = `${random.pick(sayings)} id=${random.int(2 ** 32).toString(16)} ms=${random.int(500)}`;
      text += `${new Date(time).toISOString()} ${random.chance(0.9) ? 'INFO' : 'WARN'} ${who}: ${what}\n`;
    }
    const piece = text.slice(0, left);
    left -= piece.length;
    yield piece;
  }
}
