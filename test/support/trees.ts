/**
 * Trees that are hard to back up: names, order, sizes, types, modes and times that have broken such programs before,
 * and beside these traps a random part. One seed gives the same tree, times included.
 */

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  futimesSync,
  lchownSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createRandom, type Random } from './random.ts';
import { locationOf } from './snapshots.ts';

export interface TreeOptions {
  /** Random entries beside the fixed traps; default 60. */
  readonly entries?: number;
  /** Files above 1 MiB, some 6 MiB in total; default true. */
  readonly large?: boolean;
  /** A branch whose paths are longer than the 4096 bytes that one system call takes; default false. */
  readonly deep?: boolean;
  /** Modes that only root can read, such as 0, on files and on a directory; default: whether we are root. */
  readonly unreadable?: boolean;
  /** Times before 1970, which archives store as 0; default true. */
  readonly negativeTimes?: boolean;
  /** Other owners, and devices where the system lets us make them; default: whether we are root. */
  readonly privileged?: boolean;
}

/** Paths are latin1 strings as in bytes.ts, so `\xff` is one byte and no valid UTF-8. */
const fileTraps = [
  ...['1', 'f/1', 'f/03', 'f/10', 'a-dir/x', 'a-dir/b/y', 'a-dir!', 'a-dir.txt', 'a-dir0', 'a-dir\x01'],
  ...[
    'with space',
    ' leading',
    'trailing ',
    'new\nline',
    'two\n\nlines',
    'tab\there',
    'return\r',
    'bell\x07',
  ],
  ...[
    "single'quote",
    'double"quote',
    'back\\slash',
    'back\\x41',
    'end\\',
    '-dash',
    '--help',
    '#hash',
    '~',
    '$HOME',
  ],
  ...['*', '?', '[a]', '%41', '...', '.hidden', 'a:b', 'semi;colon', '\x7f', '`id`', '&', '|', '<>'],
  ...[
    '\xff',
    '\x80\x81',
    'caf\xe9',
    '\xc3\xa4 composed',
    'a\xcc\x88 decomposed',
    '\xf0\x9f\x98\x80',
    '\xc0\xaf',
  ],
  ...['snapshot/diff', 'diff/snapshot', 'deleted/1', 'multivol_snapshot/x/1', 'signature/1', 'multivol_diff'],
  ...[89, 90, 91, 92, 99, 100, 101, 155, 156, 250, 255].map(length => `long/${'n'.repeat(length)}`),
  `long/${'d'.repeat(250)}/${'e'.repeat(250)}/${'\xe9'.repeat(250)}`,
];

const emptyDirectories = ['empty', 'empty/inner', 'a-dir-', 'caf\xe9 dir', 'dir\nline', 'zz'];

const sizes = [0, 1, 2, 511, 512, 513, 2047, 2048, 2049, 65535, 65536, 65537, 131071, 131072, 131073];
const largeSizes = [1_024_000, 1_048_577, 1_500_000, 2_500_000];

const linkTraps: readonly (readonly [path: string, target: string])[] = [
  ['link/dangling', 'nowhere/at all'],
  ['link/file', '../1'],
  ['link/directory', '../a-dir'],
  ['link/absolute', '/usr/bin/env'],
  ['link/self', 'self'],
  ['link/up', '../..'],
  ['link/bytes', 'caf\xe9 \xff'],
  ['link/line', 'new\nline'],
  ['link/long', `${'t'.repeat(200)}/${'u'.repeat(200)}`],
  ['link/100', 'v'.repeat(100)],
  ['link/longest', `${'w'.repeat(250)}/`.repeat(16).slice(0, 4000)],
  ['link\xff', '.'],
];

const fileModes = [0o644, 0o600, 0o755, 0o444, 0o640, 0o4755, 0o2755, 0o1644, 0o6711, 0o7777, 0o200, 0o111];
const readableModes = [0o644, 0o600, 0o755, 0o444, 0o4755, 0o2750, 0o1644, 0o7777];
const directoryModes = [0o755, 0o700, 0o750, 0o555, 0o1777, 0o2755, 0o500];
const owners: readonly (readonly [number, number])[] = [
  [0, 0],
  [1000, 1000],
  [12345, 54321],
  [65534, 100],
  [3_000_000, 4_000_000_000], // more than a tar header's octal digits hold
];
const timeTraps = [0, 1, 0.5, 1_234_567_890.75, 2 ** 31 - 1, 2 ** 31, 4_000_000_000, 9_000_000_000];
const negativeTimes = [-1, -0.25, -86_400 * 365];

/** Makes the tree at `dir`, which is created and must not exist or be empty. */
export function makeTree(dir: string, seed: number, options: TreeOptions = {}): void {
  const root = process.getuid?.() === 0;
  const { entries = 60, large = true, deep = false, unreadable = root, privileged = root } = options;
  const random = createRandom(seed);
  const modes = unreadable ? fileModes : readableModes;
  const times = (options.negativeTimes ?? true) ? [...timeTraps, ...negativeTimes] : timeTraps;
  const directories = new Set<string>();

  const time = () => (random.chance(0.3) ? random.pick(times) : random.between(1_000_000_000, 1_700_000_000));

  function finish(path: string, mode: number): void {
    const location = locationOf(dir, path);
    if (privileged) chownSync(location, ...random.pick(owners)); // before the mode: it clears setuid
    chmodSync(location, mode);
    setMtime(location, time());
  }

  function directory(path: string): void {
    if (directories.has(path)) return;
    if (path !== '') directory(parentOf(path));
    mkdirSync(locationOf(dir, path), { recursive: path === '', mode: 0o700 });
    directories.add(path);
  }

  function file(path: string, size: number): void {
    directory(parentOf(path));
    writeFileSync(locationOf(dir, path), makeContent(random, size));
    finish(path, random.pick(modes));
  }

  directory('');
  for (const path of emptyDirectories) directory(path);
  for (const path of fileTraps) file(path, random.chance(0.5) ? random.pick(sizes) : random.int(300));
  for (const size of large ? [...sizes, ...largeSizes] : sizes) file(`sizes/${size}`, size);
  for (const [path, target] of linkTraps) {
    directory(parentOf(path));
    makeSymlink(locationOf(dir, path), target, privileged ? random.pick(owners) : undefined);
    setMtime(locationOf(dir, path), 1_300_000_000); // what takes its place gets a later one
  }
  for (const path of ['pipe', 'special pipe']) {
    makeNode(join(dir, path), 'p');
    finish(path, random.pick(modes));
  }
  if (privileged && makeNode(join(dir, 'null device'), 'c', 1, 3)) {
    finish('null device', 0o666);
    if (makeNode(join(dir, 'block device'), 'b', 7, 300)) finish('block device', 0o660);
  }
  const open = ['', 'a-dir', 'f'];
  for (let i = 0; i < entries; i++) {
    const parent = random.pick(open);
    const path = `${parent === '' ? '' : `${parent}/`}${makeName(random)}-${i}`;
    if (random.chance(0.2)) {
      directory(path);
      open.push(path);
    } else file(path, random.chance(0.1) ? random.int(300_000) : random.int(5000));
  }
  if (unreadable) {
    file('no access/inside', 100);
    file('no access file', 100);
    finish('no access file', 0);
  }
  if (deep) makeDeepBranch(dir, random);
  for (const path of [...directories].reverse()) {
    const mode = path === '' ? 0o755 : path === 'no access' ? 0 : random.pick(directoryModes);
    finish(path, mode);
  }
}

/** 20 directories of 240 bytes each, one in the other; the file at the end has a path of some 4800 bytes. */
function makeDeepBranch(dir: string, random: Random): void {
  const fds = [openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY)];
  const here = () => `/proc/self/fd/${fds.at(-1)}`;
  for (let level = 0; level < 20; level++) {
    const name = `${here()}/${`deep ${level} `.padEnd(240, 'x')}`;
    mkdirSync(name);
    fds.push(openSync(name, constants.O_RDONLY | constants.O_DIRECTORY));
  }
  writeFileSync(`${here()}/bottom`, makeContent(random, 1000));
  setMtime(`${here()}/bottom`, 1_234_567_890);
  symlinkSync('bottom', `${here()}/to bottom`);
  for (const [level, fd] of fds.slice(1).reverse().entries()) {
    fchmodSync(fd, 0o755);
    futimesSync(fd, 1_200_000_000 + level, 1_200_000_000 + level);
  }
  for (const fd of fds) closeSync(fd);
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Sets both times; seconds may be negative or have a fraction. */
export function setMtime(location: string | Buffer, seconds: number): void {
  const date = new Date(seconds * 1000); // given as a number, Node takes a negative time for "now"
  lutimesSync(location, date, date);
}

export function makeSymlink(location: Buffer, target: string, owner?: readonly [number, number]): void {
  symlinkSync(Buffer.from(target, 'latin1'), location);
  if (owner) lchownSync(location, ...owner);
}

/** A fifo (`p`) or device (`c`, `b`); false where the system does not let us. */
export function makeNode(location: string, kind: 'p' | 'c' | 'b', ...numbers: number[]): boolean {
  return spawnSync('mknod', ['--', location, kind, ...numbers.map(String)], { stdio: 'ignore' }).status === 0;
}

/** Content of one of several kinds, from incompressible to all zeros. */
export function makeContent(random: Random, size: number): Buffer {
  switch (random.int(4)) {
    case 0:
      return Buffer.alloc(size);
    case 1: {
      const phrase = random.bytes(random.between(1, 600));
      return Buffer.alloc(size, phrase);
    }
    case 2:
      return makeText(random, size);
    default:
      return random.bytes(size);
  }
}

const words = 'the volume of a backup set holds what has changed since chain manifest 0 1 2 3 \n'.split(
  /(?<= )/,
);

function makeText(random: Random, size: number): Buffer {
  let text = '';
  while (text.length < size) text += random.pick(words);
  return Buffer.from(text.slice(0, size), 'latin1');
}

function makeName(random: Random): string {
  if (random.chance(0.5)) return random.pick(['note', 'IMG', 'x', 'Makefile', 'data.bin', 'a b', 'Z']);
  const bytes = random.bytes(random.between(1, 20));
  return bytes.toString('latin1').replace(/[/\0]/g, '_');
}
