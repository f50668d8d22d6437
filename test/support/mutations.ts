/**
 * Random changes to a tree. Programs that see changes by whole seconds of the modification time must see them all:
 * whatever is touched gets a time that differs from its last one by at least a second, as stored (before 1970 is 0).
 */

import {
  type BigIntStats,
  chmodSync,
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { displayPath, isWithin } from '../../src/bytes.ts';
import { createRandom, type Random } from './random.ts';
import { locationOf, mtimeSecondsOf, walkTree } from './snapshots.ts';
import { removeTree } from './temp-dir.ts';
import { makeContent, makeNode, makeSymlink, parentOf, setMtime } from './trees.ts';

export interface MutationOptions {
  /** How many changes are tried; default 25. */
  readonly changes?: number;
}

interface Found {
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'other';
}

/** Longer paths can't be named in one system call. */
const LONGEST_PATH = 3500;

/**
 * Changes the tree at `dir`; one seed and one tree give the same result, times included.
 * @returns what was done, one printable line each
 */
export function mutateTree(dir: string, seed: number, { changes = 25 }: MutationOptions = {}): string[] {
  const random = createRandom(`mutation ${seed}`);
  const found = listTree(dir);
  const done: string[] = [];
  const touched: string[] = [];
  const plannedTimes = new Map<string, number>();

  /** Works in a directory that may be read-only, and gives it its mode back and a time of its own. */
  function inside(parent: string, work: () => void): void {
    const location = locationOf(dir, parent);
    const stats = lstatSync(location, { bigint: true });
    if (!plannedTimes.has(parent)) plannedTimes.set(parent, laterThan(stats, random));
    chmodSync(location, Number(stats.mode & 0o7777n) | 0o700);
    work();
    chmodSync(location, Number(stats.mode & 0o7777n));
    setMtime(location, plannedTimes.get(parent)!);
  }

  for (let i = 0; i < changes && found.length > 0; i++) {
    const target = random.pick(found);
    if (touched.some(path => isWithin(target.path, path) || isWithin(path, target.path))) continue;
    const [name, change] = random.pick(changesOf[target.kind]);
    touched.push(target.path);
    done.push(`${name} ${displayPath(target.path)}`);
    change({ dir, random, inside, path: target.path, fresh: `new-${seed}-${i}` });
  }
  return done;
}

/** Everything but the root that can be named in one call. */
function listTree(dir: string): Found[] {
  const found: Found[] = [];
  for (const { path, stats, closed } of walkTree(dir)) {
    if (path === '' || closed || dir.length + path.length > LONGEST_PATH) continue;
    found.push({ path, kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other' });
  }
  return found;
}

/** Another whole second than the one stored now, later or (sometimes) earlier, with a fraction of its own. */
function laterThan(stats: BigIntStats, random: Random): number {
  const stored = Math.max(0, mtimeSecondsOf(stats));
  const distance = random.between(1, 100_000);
  const seconds = random.chance(0.2) && stored > distance ? stored - distance : stored + distance;
  return seconds + random.pick([0, 0, 0.5]);
}

interface Scene {
  readonly dir: string;
  readonly random: Random;
  /** Only for changes to a directory's names: the others must not give its directory away by its time. */
  readonly inside: (parent: string, work: () => void) => void;
  readonly path: string;
  /** A name that nothing in the tree has. */
  readonly fresh: string;
}

type Change = readonly [name: string, apply: (scene: Scene) => void];

/** Works on a file that may be of mode 0, keeps its mode and gives it another time. */
function inPlace(name: string, work: (location: Buffer, size: number, scene: Scene) => void): Change {
  return [
    name,
    scene => {
      const location = locationOf(scene.dir, scene.path);
      const stats = lstatSync(location, { bigint: true });
      const mode = Number(stats.mode & 0o7777n);
      chmodSync(location, mode | 0o600);
      work(location, Number(stats.size), scene);
      chmodSync(location, mode);
      setMtime(location, laterThan(stats, scene.random));
    },
  ];
}

/** Takes the entry away and lets `make` put another one there. */
function replacing(name: string, make: (location: Buffer, scene: Scene) => void): Change {
  return [
    name,
    scene =>
      scene.inside(parentOf(scene.path), () => {
        const location = locationOf(scene.dir, scene.path);
        const stats = lstatSync(location, { bigint: true });
        takeAway(scene, location);
        make(location, scene);
        setMtime(location, laterThan(stats, scene.random));
      }),
  ];
}

/** Moves to an easy name outside of the tree first: the tools that remove any tree take no names of any bytes. */
function takeAway(scene: Scene, location: Buffer): void {
  const gone = `${scene.dir}.gone`;
  if (lstatSync(location).isDirectory()) chmodSync(location, 0o700);
  renameSync(location, gone);
  removeTree(gone);
}

function create(random: Random, location: Buffer, size: number): void {
  writeFileSync(location, makeContent(random, size), { mode: random.pick([0o644, 0o600, 0o755]) });
  setMtime(location, random.between(1_000_000_000, 1_700_000_000));
}

function opened(location: Buffer, work: (fd: number) => void): void {
  const fd = openSync(location, 'r+');
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}

const edit = inPlace('edit', (location, size, { random }) =>
  opened(location, fd => {
    for (let i = random.between(1, 4); i > 0; i--) {
      const bytes = random.bytes(random.between(1, 200));
      writeSync(fd, bytes, 0, bytes.length, random.int(size + 1));
    }
  }),
);

const insert = inPlace('insert', (location, size, { random }) => {
  const old = readFileSync(location);
  const at = random.int(size + 1);
  const more = random.bytes(random.between(1, 5000));
  writeFileSync(location, Buffer.concat([old.subarray(0, at), more, old.subarray(at)]));
});

const append = inPlace('append', (location, _size, { random }) =>
  writeFileSync(location, makeContent(random, random.between(1, 100_000)), { flag: 'a' }),
);

const truncate = inPlace('truncate', (location, size, { random }) =>
  truncateSync(location, random.int(size + 1)),
);

const grow = inPlace('grow by a hole', (location, size, { random }) =>
  opened(location, fd => ftruncateSync(fd, size + random.int(200_000))),
);

const toFile = replacing('replace by a file', (location, { random }) =>
  create(random, location, random.int(20_000)),
);

const toDirectory = replacing('replace by a directory', (location, { random }) => {
  mkdirSync(location, { mode: 0o755 });
  create(random, Buffer.concat([location, Buffer.from('/inside')]), random.int(3000));
});

const toSymlink = replacing('replace by a symlink', (location, { fresh }) =>
  makeSymlink(location, `to/${fresh}`),
);

const toFifo = replacing('replace by a fifo', (location, { dir }) => {
  makeNode(`${dir}.fifo`, 'p');
  renameSync(`${dir}.fifo`, location);
});

const remove: Change = [
  'remove',
  scene => scene.inside(parentOf(scene.path), () => takeAway(scene, locationOf(scene.dir, scene.path))),
];

const rename: Change = [
  'rename',
  ({ dir, inside, path, fresh }) => {
    const parent = parentOf(path);
    inside(parent, () => renameSync(locationOf(dir, path), locationOf(dir, join(parent, fresh))));
  },
];

const fill: Change = [
  'create in',
  ({ dir, random, inside, path, fresh }) =>
    inside(path, () => create(random, locationOf(dir, join(path, fresh)), random.int(50_000))),
];

const chmod: Change = [
  'chmod',
  ({ dir, random, path }) => {
    const location = locationOf(dir, path);
    chmodSync(
      location,
      Number(lstatSync(location).mode & 0o7777) ^ random.pick([0o020, 0o001, 0o4000, 0o044]),
    );
  },
];

const touch: Change = [
  'touch',
  ({ dir, random, path }) => {
    const location = locationOf(dir, path);
    setMtime(location, laterThan(lstatSync(location, { bigint: true }), random));
  },
];

const inPlaceChanges = [edit, edit, insert, append, truncate, grow];

const changesOf: Record<Found['kind'], readonly Change[]> = {
  file: [...inPlaceChanges, toFile, toDirectory, toSymlink, toFifo, remove, rename, chmod, touch],
  directory: [fill, fill, fill, toFile, toSymlink, remove, rename, chmod, touch],
  other: [toFile, toDirectory, toSymlink, remove, rename],
};

function join(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`;
}
