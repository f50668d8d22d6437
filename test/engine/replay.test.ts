import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PatchChain } from '../../src/engine/patch-chain.ts';
import { replay, type TreeSink } from '../../src/engine/replay.ts';
import type { Piece, SetEntry } from '../../src/engine/set-reader.ts';
import type { Attributes } from '../../src/entry.ts';

type Told = readonly [path: string, kind: SetEntry['kind'], type?: 'file' | 'directory'];

const attributes: Attributes = {
  ...{ type: 'file', mode: 0o644, uid: 0, gid: 0, uname: '', gname: '', mtimeSeconds: 1 },
  ...{ linkname: '', devMajor: 0, devMinor: 0 },
};

/** A set that notes how far it was read; its content is its own name. */
function makeSet(name: string, entries: readonly Told[]) {
  const read: string[] = [];
  async function* pieces(): AsyncGenerator<readonly Piece[], void, undefined> {
    for (const [path, kind, type = 'file'] of entries) {
      read.push(path);
      const entry = { path, kind, attributes: { ...attributes, type }, cutShort: false };
      const data: Piece[] = type === 'file' ? [{ type: 'data', bytes: Buffer.from(name) }] : [];
      yield [{ type: 'begin', entry }, ...data, { type: 'finish', complete: true }];
    }
  }
  return { read, pieces: pieces() };
}

/** Content of what came out, by path; the folders are empty. */
async function replayed(sets: readonly ReturnType<typeof makeSet>[], wanted: readonly string[]) {
  const out: Record<string, string> = {};
  let path = '';
  const sink: TreeSink = {
    begin(entry) {
      path = entry.path;
      out[path] = '';
      return true;
    },
    data(bytes) {
      out[path] += Buffer.from(bytes).toString();
    },
    finish() {},
    abandon() {},
  };
  const deltas: string[] = [];
  const patches: PatchChain = {
    start: () => void deltas.splice(0),
    startDelta() {},
    push: bytes => deltas.push(Buffer.from(bytes).toString()) > 0,
    async finish(begin, data) {
      begin();
      await data(Buffer.from(deltas.join('+')));
      return undefined;
    },
    abandon() {},
    close() {},
  };
  const isWanted = (one: string) => wanted.some(name => one === name || one.startsWith(`${name}/`));
  await replay({
    sets: sets.map(({ pieces }) => pieces),
    sink,
    wanted,
    locate: one => (wanted.length === 0 || isWanted(one) ? one : undefined),
    onLost: lost => assert.fail(lost.detail),
    patches,
    signal: new AbortController().signal,
  });
  return out;
}

test('replay() of one file reads no set that is older than one that has it whole', async () => {
  const sets = [
    makeSet('full', [
      ['', 'snapshot', 'directory'],
      ['b', 'snapshot'],
      ['c', 'snapshot'],
    ]),
    makeSet('one', [['b', 'snapshot']]),
    makeSet('two', [
      ['a', 'snapshot'],
      ['b', 'diff'],
      ['c', 'diff'],
      ['d', 'snapshot'],
    ]),
  ];
  assert.deepEqual(await replayed(sets, ['b']), { b: 'one+two' });
  assert.deepEqual(
    sets.map(({ read }) => read),
    [[], ['b'], ['a', 'b', 'c']],
  );
});

test('replay() of a path reads all sets where it is a folder, a delta or nothing in the newest ones', async () => {
  const sets = () => [
    makeSet('full', [
      ['a', 'snapshot', 'directory'],
      ['a/x', 'snapshot'],
      ['b', 'snapshot'],
    ]),
    makeSet('one', [
      ['a', 'snapshot', 'directory'],
      ['b', 'diff'],
    ]),
    makeSet('two', [
      ['a/y', 'snapshot'],
      ['c', 'snapshot'],
    ]),
  ];
  assert.deepEqual(await replayed(sets(), ['a']), { a: '', 'a/x': 'full', 'a/y': 'two' });
  assert.deepEqual(await replayed(sets(), ['b']), { b: 'full+one' });
  assert.deepEqual(await replayed(sets(), ['a/x', 'b']), { 'a/x': 'full', b: 'full+one' });
});

test('replay() of a path keeps what newer sets say of a file that was a folder', async () => {
  const sets = [
    makeSet('full', [
      ['a', 'snapshot', 'directory'],
      ['a/x', 'snapshot'],
    ]),
    makeSet('one', [
      ['a', 'snapshot'],
      ['a/x', 'deleted'],
    ]),
    makeSet('two', [
      ['a', 'snapshot', 'directory'],
      ['a/y', 'snapshot'],
    ]),
  ];
  assert.deepEqual(await replayed(sets, ['a']), { a: '', 'a/y': 'two' });
});

test('replay() stops behind the last path that is wanted', async () => {
  const sets = [
    makeSet(
      'full',
      ['a', 'b', 'b/x', 'c', 'd', 'e'].map(path => [path, 'snapshot'] as const),
    ),
  ];
  assert.deepEqual(await replayed(sets, ['b', 'a']), { a: 'full', b: 'full', 'b/x': 'full' });
  assert.deepEqual(sets[0]!.read, ['a', 'b', 'b/x', 'c']);
});
