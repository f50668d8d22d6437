import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createAnchors } from '../../src/files/anchors.ts';
import { SourceError } from '../../src/files/problem.ts';
import { isFresh, openSource } from '../../src/files/read.ts';
import { needOrdinaryUser, needTool } from '../support/tools.ts';
import { asOrdinaryUser, countOpenFiles, plantDeep, scratch } from './support.ts';

function open(root: string, path: string) {
  return openSource(createAnchors(root), path);
}

function problemOf(work: () => unknown) {
  try {
    work();
  } catch (error) {
    if (error instanceof SourceError) return error.problem;
    throw error;
  }
  return undefined;
}

test('openSource() reads the bytes of a file, in pieces of any size', t => {
  const root = scratch(t);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.integer({ min: 1, max: 600 }), (bytes, size) => {
      writeFileSync(`${root}/file`, bytes);
      const file = open(root, 'file');
      assert.equal(Number(file.stats.size), bytes.length);
      const slab = Buffer.alloc(size + 3, 7);
      const parts: Buffer[] = [];
      for (let count = size; count === size; ) {
        count = file.readInto(slab, 2, size);
        parts.push(Buffer.from(slab.subarray(2, 2 + count)));
      }
      file.close();
      assert.deepEqual(Buffer.concat(parts), Buffer.from(bytes));
      assert.deepEqual([slab[0], slab[1], slab[size + 2]], [7, 7, 7]);
    }),
  );
});

test('openSource() reads the root itself, also through a link, and files deep below', t => {
  const root = scratch(t);
  writeFileSync(`${root}/file`, 'abc');
  symlinkSync('file', `${root}/link`);
  const deep = plantDeep(root, 6_000);
  const anchors = createAnchors(root);
  t.after(() => anchors.close());
  const slab = Buffer.alloc(20);
  for (const [file, text] of [
    [open(`${root}/file`, ''), 'abc'],
    [open(`${root}/link`, ''), 'abc'],
    [openSource(anchors, `${deep}/file`), 'deep content'],
  ] as const) {
    assert.equal(slab.toString('utf8', 0, file.readInto(slab, 0, 20)), text);
    file.close();
  }
});

test('openSource() says what took the place of a file, hangs on none of it, and leaves nothing open', t => {
  const root = scratch(t);
  execFileSync('mkfifo', [`${root}/fifo`]);
  mkdirSync(`${root}/folder`);
  writeFileSync(`${root}/file`, '');
  symlinkSync('file', `${root}/link`);
  const before = countOpenFiles();
  for (const [path, systemCode, vanished] of [
    ['fifo', 'EFTYPE', false],
    ['folder', 'EFTYPE', false],
    ['link', 'ELOOP', false],
    ['none', 'ENOENT', true],
    ['file/below', 'ENOTDIR', true],
  ] as const) {
    const problem = problemOf(() => open(root, path));
    assert.deepEqual(problem, { path, systemCode, during: 'open', vanished });
  }
  assert.equal(countOpenFiles(), before);
});

test('openSource() says EACCES of a file that we may not read, and reads files of others', t => {
  if (!needOrdinaryUser(t)) return;
  const root = scratch(t);
  chmodSync(root, 0o755);
  writeFileSync(`${root}/closed`, '');
  chmodSync(`${root}/closed`, 0);
  writeFileSync(`${root}/open`, 'abc');
  chmodSync(`${root}/open`, 0o644);
  asOrdinaryUser(() => {
    assert.equal(problemOf(() => open(root, 'closed'))?.systemCode, 'EACCES');
    const file = open(root, 'open');
    assert.equal(file.readInto(Buffer.alloc(9), 0, 9), 3);
    file.close();
  });
});

test('openSource() leaves the access time of our files alone', t => {
  const root = scratch(t);
  writeFileSync(`${root}/file`, 'abc');
  utimesSync(`${root}/file`, 1000, 2_000_000_000);
  const file = open(root, 'file');
  file.readInto(Buffer.alloc(9), 0, 9);
  file.close();
  assert.equal(statSync(`${root}/file`).atimeMs, 1_000_000);
});

test('readInto() follows a file that grows or shrinks to its end', t => {
  const root = scratch(t);
  writeFileSync(`${root}/file`, 'abcdef');
  const slab = Buffer.alloc(100);
  const file = open(root, 'file');
  assert.equal(file.readInto(slab, 0, 4), 4);
  appendFileSync(`${root}/file`, 'ghi');
  assert.equal(file.readInto(slab, 4, 96), 5);
  assert.equal(slab.toString('utf8', 0, 9), 'abcdefghi');
  file.close();
  const other = open(root, 'file');
  truncateSync(`${root}/file`, 2);
  assert.equal(other.readInto(slab, 0, 100), 2);
  assert.equal(Number(other.stats.size), 9);
  other.close();
});

test('openSource() knows a file that may be written to without another time', t => {
  const root = scratch(t);
  writeFileSync(`${root}/file`, 'abc');
  const { ctimeMs } = statSync(`${root}/file`);
  const openedAt = (ms: number) => {
    const file = openSource(createAnchors(root), 'file', undefined, () => ctimeMs + ms);
    file.close();
    return file;
  };
  assert.deepEqual(
    [-60_000, 0, 10, 3000].map(ms => openedAt(ms).isFresh),
    [true, true, true, false],
  );
});

test('isFresh() allows for a file server whose clock is late where times are whole seconds', () => {
  const written = 1_700_000_000_000;
  const isFreshAfter = (ms: number, ns: bigint) =>
    isFresh({ ctimeNs: BigInt(written) * 1_000_000n + ns }, written + ms);
  assert.deepEqual(
    [1000, 60_000, 2 * 3_600_000].map(ms => isFreshAfter(ms, 0n)),
    [true, true, false],
  );
  assert.equal(isFreshAfter(1000, 1n), false, 'nobody writes twice within so short a time');
});

test('hasChanged() sees who sets the old time again only if it is asked to', t => {
  const root = scratch(t);
  writeFileSync(`${root}/file`, 'abc');
  const { atime, mtime } = statSync(`${root}/file`);
  utimesSync(`${root}/file`, atime, mtime);
  const file = open(root, 'file');
  chmodSync(`${root}/file`, 0o640);
  assert.deepEqual([file.hasChanged(), file.hasChanged({ ctime: true })], [false, true]);
  writeFileSync(`${root}/file`, 'abcd');
  assert.equal(file.hasChanged(), true);
  file.close();
});

test('readInto() ends 1 GiB after the end of an empty file that grows without end', t => {
  const root = scratch(t);
  writeFileSync(`${root}/file`, '');
  const file = open(root, 'file');
  truncateSync(`${root}/file`, 2 ** 30 + 5);
  const slab = Buffer.alloc(2 ** 24);
  let total = 0;
  for (let count = slab.length; count === slab.length; total += count) {
    count = file.readInto(slab, 0, slab.length);
  }
  file.close();
  assert.equal(total, 2 ** 30);
});

test('openSource() knows sizes beyond 4 GiB', t => {
  const root = scratch(t);
  writeFileSync(`${root}/file`, 'start');
  truncateSync(`${root}/file`, 2 ** 32 + 13);
  const file = open(root, 'file');
  assert.equal(Number(file.stats.size), 2 ** 32 + 13);
  assert.equal(file.readInto(Buffer.alloc(100), 0, 100), 100);
  file.close();
});

test('openSource() waits for a lease to be given back', async t => {
  if (!needTool(t, 'python3')) return;
  const root = scratch(t);
  writeFileSync(`${root}/file`, 'abc');
  const holder = spawn('python3', ['-c', leaseHolder, `${root}/file`], { stdio: ['pipe', 'pipe', 'ignore'] });
  t.after(() => holder.kill());
  const said = await new Promise<string>(resolve =>
    holder.stdout.once('data', data => resolve(String(data))),
  );
  if (said.trim() !== 'held') return t.skip('leases are not permitted here');
  const file = open(root, 'file');
  assert.equal(file.readInto(Buffer.alloc(9), 0, 9), 3);
  file.close();
});

const leaseHolder = `
import fcntl, os, signal, sys
fd = os.open(sys.argv[1], os.O_RDWR)
signal.signal(signal.SIGIO, lambda *_: fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK))
try:
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    print('held', flush=True)
except OSError:
    print('refused', flush=True)
sys.stdin.read()
`;
