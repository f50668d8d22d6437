/** Trees on the disk, for tests. */

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import * as fc from 'fast-check';
import { bytesOf, comparePaths } from '../../src/bytes.ts';
import type { Entry } from '../../src/entry.ts';
import { createAnchors } from '../../src/files/anchors.ts';
import { openSource } from '../../src/files/read.ts';
import type { EntrySink } from '../../src/files/sink.ts';
import { type SourceEntry, type WalkItem, type WalkOptions, walk } from '../../src/files/walk.ts';
import { createTreeWriter, type TreeWriterOptions, type WriteProblem } from '../../src/files/write.ts';

export const isRoot = process.geteuid?.() === 0;

/** A folder of the test's own, gone when the test is over, however deep it has become. */
export function scratch(t: { after(work: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'files-test-'));
  t.after(() => removeTree(folder));
  return folder;
}

/** `rm`, because Node's own does not get below 4096 bytes of path. */
export function removeTree(folder: string): void {
  if (!isRoot) execFileSync('chmod', ['-R', 'u+rwx', folder], { stdio: 'ignore' });
  execFileSync('rm', ['-rf', '--', folder]);
}

/**
 * Runs synchronous work without root's rights: permissions mean nothing to root.
 * @param others groups that the user is in beside its own; these only for root
 */
export function asOrdinaryUser<T>(work: () => T, others: readonly number[] = []): T {
  if (!isRoot) return work();
  const groups = process.getgroups!();
  process.setgroups!([...others]);
  process.setegid!(nobody);
  process.seteuid!(nobody);
  try {
    return work();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
    process.setgroups!(groups);
  }
}

/** A number without a name on most systems; any but 0 does. */
export const nobody = 64321;

/** For tests that only root can run: skips with a printed reason. */
export function needRoot(t: TestContext): boolean {
  if (!isRoot) t.skip('needs root');
  return isRoot;
}

export function walkAll(root: string, options: WalkOptions = {}): WalkItem[] {
  return [...walk(root, options)].flat();
}

export function entriesOf(root: string, options: WalkOptions = {}): SourceEntry[] {
  return walkAll(root, options).flatMap(item => item.entry ?? []);
}

export function pathsOf(root: string, options: WalkOptions = {}): string[] {
  return entriesOf(root, options).map(entry => entry.path);
}

/** A tree as data: a name is bytes; content, link target, or children. */
export type Tree = Map<string, Thing>;
export type Thing =
  | { readonly kind: 'file'; readonly content: Uint8Array; readonly mode: number; readonly seconds: number }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'folder'; readonly children: Tree; readonly mode: number; readonly seconds: number };

const names = fc
  .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 5 })
  .map(bytes => String.fromCharCode(...bytes))
  .filter(name => name !== '.' && name !== '..' && !name.includes('/'));

/** Names around `/` in the byte order, where plain string order goes wrong. */
const trickyNames = fc.constantFrom('a', 'a!', 'a-', 'a.b', 'a0', 'a b', 'A', '\xe9', '\xff', 'a\n');
const times = fc.oneof(fc.integer({ min: 0, max: 2 ** 31 }), fc.constantFrom(0, 1, 2 ** 31, 5e9));
const modes = fc.constantFrom(0o644, 0o600, 0o755, 0o444, 0o2755, 0o4711, 0o1777);
/** What an ordinary user can still plant something in. */
const folderModes = modes.map(mode => mode | 0o700);

const { tree } = fc.letrec<{ tree: Tree; thing: Thing }>(tie => ({
  tree: fc
    .array(fc.tuple(fc.oneof(names, trickyNames), tie('thing')), { maxLength: 6 })
    .map(pairs => new Map(pairs)),
  thing: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({
      kind: fc.constant('file' as const),
      content: fc.uint8Array({ maxLength: 100 }),
      mode: modes,
      seconds: times,
    }),
    fc.record({ kind: fc.constant('link' as const), target: names }),
    fc.record({
      kind: fc.constant('folder' as const),
      children: tie('tree'),
      mode: folderModes,
      seconds: times,
    }),
  ),
}));

export const anyTree: fc.Arbitrary<Tree> = tree;

/** Puts the tree into a new folder. */
export function plant(folder: string, things: Tree): void {
  mkdirSync(bytesOf(folder));
  for (const [name, thing] of things) {
    const place = `${folder}/${name}`;
    if (thing.kind === 'link') {
      symlinkSync(bytesOf(thing.target), bytesOf(place));
      continue;
    }
    if (thing.kind === 'file') writeFileSync(bytesOf(place), thing.content);
    else plant(place, thing.children);
    chmodSync(bytesOf(place), thing.mode);
    utimesSync(bytesOf(place), thing.seconds, thing.seconds);
  }
}

/** Paths of a tree as planted, in the order of archives. */
export function pathsIn(things: Tree, above = ''): string[] {
  const paths = [...things].flatMap(([name, thing]) => [
    above + name,
    ...(thing.kind === 'folder' ? pathsIn(thing.children, `${above}${name}/`) : []),
  ]);
  return above === '' ? ['', ...paths].sort(comparePaths) : paths;
}

/** Hands a whole source tree to a sink, content in pieces of `size`. */
export function feed(source: string, sink: EntrySink, size = 64 * 1024, options: WalkOptions = {}): void {
  const anchors = createAnchors(source);
  for (const entry of entriesOf(source, options)) {
    sink.begin(entry);
    if (entry.type === 'file') {
      const file = openSource(anchors, entry.path);
      const slab = Buffer.alloc(size);
      for (let count = size; count === size; ) {
        count = file.readInto(slab, 0, size);
        sink.data(slab.subarray(0, count));
      }
      file.close();
    }
    sink.finish();
  }
  anchors.close();
}

/** Restores `source` to `target`. @returns what was reported */
export function copyTree(
  source: string,
  target: string,
  options: Partial<TreeWriterOptions> & { readonly size?: number } = {},
): WriteProblem[] {
  const problems: WriteProblem[] = [];
  const writer = createTreeWriter(target, { ...options, onProblem: problem => problems.push(problem) });
  feed(source, writer, options.size);
  writer.close();
  return problems;
}

/** Restores the given entries, with their contents as text. @returns what was reported */
export function restore(
  target: string,
  entries: readonly (Entry & { readonly text?: string })[],
  options: Partial<TreeWriterOptions> = {},
): WriteProblem[] {
  const problems: WriteProblem[] = [];
  const writer = createTreeWriter(target, { ...options, onProblem: problem => problems.push(problem) });
  try {
    for (const entry of entries) {
      writer.begin(entry);
      if (entry.text !== undefined) writer.data(Buffer.from(entry.text));
      writer.finish();
    }
  } finally {
    writer.close();
  }
  return problems;
}

/** An entry as an archive would have it; ours, so that no owner has to change. */
export function entry<Extra extends Partial<Entry> & { readonly text?: string }>(path: string, extra: Extra) {
  return {
    path,
    type: extra.text === undefined ? ('directory' as const) : ('file' as const),
    mode: extra.text === undefined ? 0o755 : 0o644,
    uid: process.getuid!(),
    gid: process.getgid!(),
    uname: '',
    gname: '',
    mtimeSeconds: 1_000_000_000,
    linkname: '',
    devMajor: 0,
    devMinor: 0,
    ...extra,
  };
}

/** Everything that a restore has to bring back, link times apart (they can't matter), plus content. */
export function snapshot(root: string): unknown[] {
  return entriesOf(root).map(({ dev, ino, mtimeNs, ctimeNs, mtimeSeconds, ...kept }) => ({
    ...kept,
    seconds: kept.type === 'symlink' ? 0 : mtimeSeconds,
    content:
      kept.type === 'file'
        ? readFileSync(bytesOf(kept.path === '' ? root : `${root}/${kept.path}`), 'latin1')
        : '',
  }));
}

/** A chain of folders with 250-byte names, one in the other, until the path has more than `length` bytes. */
export function plantDeep(folder: string, length: number): string {
  const back = process.cwd();
  const name = 'd'.repeat(250);
  let path = '';
  process.chdir(folder);
  try {
    while (path.length <= length) {
      mkdirSync(name);
      process.chdir(name);
      path = path === '' ? name : `${path}/${name}`;
    }
    writeFileSync('file', 'deep content');
    symlinkSync('nowhere', 'link');
  } finally {
    process.chdir(back);
  }
  return path;
}

export function countOpenFiles(): number {
  return readdirSync('/proc/self/fd').length;
}
