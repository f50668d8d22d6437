import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { pathOf } from '../../src/bytes.ts';
import {
  createRingMemory,
  createRingReader,
  createRingWriter,
  LARGEST_RECORD,
} from '../../src/engine/byte-ring.ts';
import { decodeEntry, encodeEntry } from '../../src/engine/restore-records.ts';
import { launchRestoreThread } from '../../src/engine/restore-start.ts';
import { startRestoreThread } from '../../src/engine/restore-thread.ts';
import type { Entry } from '../../src/entry.ts';
import type { WriteProblem } from '../../src/files/write.ts';
import { deriveKey } from '../../src/volumes/openpgp-s2k.ts';
import { anyTree, entriesOf, entry, plant, scratch, snapshot } from '../files/support.ts';

const lengths = fc.oneof(fc.nat(100), fc.nat(LARGEST_RECORD), fc.constantFrom(0, 7, 8, LARGEST_RECORD));

test('a ring gives its records in order, whatever their lengths', () => {
  fc.assert(
    fc.property(fc.array(lengths, { maxLength: 60 }), fc.nat(5), (sizes, behind) => {
      const memory = createRingMemory();
      const [writer, reader] = [createRingWriter(memory), createRingReader(memory)];
      const expected: Buffer[] = [];
      let taken = 0;
      const take = () => {
        const record = reader.peek()!;
        assert.equal(record.type, taken % 7);
        assert.ok(expected[taken]!.equals(record.bytes), `record ${taken}`);
        assert.equal(record.bytes.byteOffset % 8, 0);
        reader.release();
        taken++;
      };
      for (const [i, size] of sizes.entries()) {
        while (taken < i - behind) take();
        expected.push(Buffer.alloc(size, `record ${i}`));
        writer.push(i % 7, size, bytes => bytes.set(expected[i]!));
      }
      while (taken < sizes.length) take();
      assert.equal(reader.peek(), undefined);
    }),
  );
});

test('a writer that found no room waits for much, not for each record that is read', async () => {
  const memory = createRingMemory();
  const [writer, reader] = [createRingWriter(memory), createRingReader(memory)];
  const size = 16 * 1024;
  let [pushed, taken, waits] = [0, 0, 0];
  while (pushed < 2000) {
    writer.push(1, size, bytes => bytes.fill(1));
    pushed++;
    let isWaiting = true;
    const room = writer.whenRoom();
    if (!room) continue;
    waits++;
    const done = room.then(() => {
      isWaiting = false;
    });
    while (isWaiting) {
      if (reader.peek()) taken++;
      else assert.fail('all was read, and the writer still waits');
      reader.release();
      await setImmediate();
    }
    await done;
  }
  assert.ok(taken > 1500, `${taken} records were read`);
  assert.ok(waits > 10 && waits < pushed / 10, `${waits} waits for ${pushed} records`);
});

test('a writer wakes the reader once a quarter of the ring is to be read, however large it is', t => {
  for (const capacity of [64 * 1024, 1024 * 1024]) {
    const writer = createRingWriter(createRingMemory(capacity));
    const { mock } = t.mock.method(Atomics, 'notify');
    for (let pushed = 0; pushed < 7; pushed++) writer.push(1, capacity / 32, undefined, false);
    assert.equal(mock.callCount(), 0);
    writer.push(1, capacity / 32, undefined, false);
    assert.equal(mock.callCount(), 1);
    mock.restore();
  }
});

test('a small ring has room again once its records are read', async () => {
  const memory = createRingMemory(64 * 1024);
  const [writer, reader] = [createRingWriter(memory), createRingReader(memory)];
  for (let round = 0; round < 5; round++) {
    let room: Promise<void> | undefined;
    for (; !room; room = writer.whenRoom()) writer.push(1, 4000, bytes => bytes.fill(round));
    for (let record = reader.peek(); record; record = reader.peek()) {
      assert.equal(record.bytes[3999], round);
      reader.release();
    }
    await room;
    assert.equal(writer.whenRoom(), undefined);
  }
});

test('a ring joins what is appended, in order with what is pushed', () => {
  const appended = 3; // types below it
  const joined = (records: [type: number, bytes: Buffer][]) => {
    const all: [number, Buffer][] = [];
    for (const [type, bytes] of records) {
      if (type < appended && all.at(-1)?.[0] === type)
        all.push([type, Buffer.concat([all.pop()![1], bytes])]);
      else all.push([type, bytes]);
    }
    return all;
  };
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5), lengths), { maxLength: 60 }), steps => {
      const memory = createRingMemory();
      const [writer, reader] = [createRingWriter(memory), createRingReader(memory)];
      const [given, taken]: [[number, Buffer][], [number, Buffer][]] = [[], []];
      for (const [type, size] of [...steps, [appended, 0] as const]) {
        const bytes = Buffer.alloc(size, `step ${given.length}`);
        if (type < appended) writer.append(type, size, to => to.set(bytes));
        else writer.push(type, size, to => to.set(bytes));
        given.push([type, bytes]);
        for (let record = reader.peek(); record; record = reader.peek()) {
          taken.push([record.type, Buffer.from(record.bytes)]);
          reader.release();
        }
      }
      assert.ok(taken.length <= given.length);
      assert.deepEqual(joined(taken), joined(given));
    }),
  );
});

const count = 20_000;
const readerCode = `
const { parentPort, workerData } = require('node:worker_threads');
(async () => {
  const { createRingReader } = await import(workerData.module);
  const reader = createRingReader(workerData.memory);
  let sum = 0;
  for (let n = 0; n < ${count}; ) {
    const record = reader.peek();
    if (!record) { reader.wait(); continue; }
    if (record.type !== n % 5 || record.bytes.some(byte => byte !== n % 251)) throw new Error('record ' + n);
    sum += record.bytes.length;
    reader.release();
    n++;
  }
  reader.end();
  parentPort.postMessage(sum);
})();`;

for (const waits of [true, false]) {
  test(`a ring carries records to another thread, ${waits ? 'waited for' : 'blocking'}`, async () => {
    const memory = createRingMemory();
    const module = new URL('../../src/engine/byte-ring.js', import.meta.url).href;
    const worker = new Worker(readerCode, { eval: true, workerData: { memory, module } });
    const answer = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    const writer = createRingWriter(memory);
    let sum = 0;
    for (let n = 0; n < count; n++) {
      const length = n % 97 === 0 ? (n * 7919) % LARGEST_RECORD : n % 300;
      sum += length;
      writer.push(n % 5, length, bytes => bytes.fill(n % 251), n === count - 1 || n % 1000 === 0);
      if (waits) await writer.whenRoom();
    }
    assert.equal(await answer, sum);
    assert.throws(() => writer.push(0, 0), /has ended/);
    assert.equal(writer.whenRoom(), undefined);
  });
}

test('encodeEntry() carries every entry, also with a NUL in a name', () => {
  const text = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)) });
  const number = fc.maxSafeNat();
  const any: fc.Arbitrary<Entry> = fc.record({
    ...{ path: text, linkname: text, uname: text, gname: text },
    ...{ mode: number, uid: number, gid: number, mtimeSeconds: number, devMajor: number, devMinor: number },
    type: fc.constantFrom('file', 'directory', 'symlink', 'fifo', 'chardev', 'blockdev'),
  });
  fc.assert(
    fc.property(any, given => {
      const { length, fill } = encodeEntry(given)!;
      const bytes = new Uint8Array(length);
      fill(bytes);
      assert.deepEqual(decodeEntry(bytes), { ...given });
    }),
  );
  assert.equal(encodeEntry(entry('x'.repeat(LARGEST_RECORD), { type: 'directory' })), undefined);
});

const options = { ownership: true, numericOwner: false, inPlace: false, setsAside: false };
const none = (problem: WriteProblem) => assert.fail(problem.message);

test('a restore thread writes what a restore writes, one tree after the other, and hashes meanwhile', async t => {
  const folder = scratch(t);
  const thread = startRestoreThread(2, true)!;
  t.after(() => thread.close());
  const large = join(folder, 'large');
  writeFileSync(large, Buffer.alloc(3_000_000, 'large'));
  let serial = 0;
  await fc.assert(
    fc.asyncProperty(anyTree, async tree => {
      const [source, target] = [join(folder, `source-${serial}`), join(folder, `target-${serial++}`)];
      plant(source, tree);
      const digest = thread.digest(pathOf(Buffer.from(large)), 'sha1');
      const sum = thread.sha1()!;
      assert.equal(thread.sha1(), undefined); // one at a time
      const here = createHash('sha1');
      const writing = thread.write(pathOf(Buffer.from(target)), options, none);
      for (const one of entriesOf(source)) {
        writing.begin(one);
        if (one.type === 'file') {
          const content = contentOf(tree, one.path);
          here.update(content);
          await sum.update(content);
          await writing.data(content.subarray(0, 5));
          await writing.data(content.subarray(5));
        }
        await writing.finish();
      }
      const { written, kept } = await writing.close();
      assert.equal(written, entriesOf(source).filter(({ type }) => type !== 'directory').length);
      assert.equal(kept, 0);
      assert.deepEqual(snapshot(target), snapshot(source));
      assert.deepEqual(Buffer.from(await sum.end()), here.digest());
      sum.close();
      assert.equal(await digest, createHash('sha1').update(Buffer.alloc(3_000_000, 'large')).digest('hex'));
    }),
    { numRuns: 30 },
  );
  assert.ok(thread.beats() > 30);
});

test('a sum that is given up leaves nothing to the next one, and none is made by a thread that has ended', async t => {
  const thread = startRestoreThread(2, true)!;
  t.after(() => thread.close());
  const bytes = Buffer.alloc(3 * LARGEST_RECORD + 1, 'bytes');
  const expected = createHash('sha1').update(bytes).digest();
  for (let round = 0; round < 3; round++) {
    const givenUp = thread.sha1()!;
    await givenUp.update(bytes.subarray(0, 5000));
    givenUp.close();
    const sum = thread.sha1()!;
    await sum.update(bytes);
    const made = sum.end();
    sum.close();
    assert.deepEqual(Buffer.from(await made), expected);
  }
  const late = thread.sha1()!;
  await late.update(bytes);
  await thread.close();
  await assert.rejects(late.end(), /ended/);
  late.close();
  assert.equal(startRestoreThread(2, false)!.sha1(), undefined);
});

function contentOf(tree: Parameters<typeof plant>[1], path: string): Uint8Array {
  const [name, ...rest] = path.split('/') as [string, ...string[]];
  const thing = tree.get(name)!;
  if (thing.kind === 'folder') return contentOf(thing.children, rest.join('/'));
  return thing.kind === 'file' ? thing.content : new Uint8Array(0);
}

test('a key is derived by the thread, between files that are hashed, or here where it has not begun or has ended', async t => {
  const folder = scratch(t);
  const file = join(folder, 'file');
  writeFileSync(file, Buffer.alloc(2_000_000, 'file'));
  const passphrase = Buffer.from('pässphrase');
  const s2k = { hash: 8, salt: Buffer.from('saltsalt'), count: 5_000_000 };
  const expected = Buffer.from(deriveKey(passphrase, s2k, 32));
  const isKey = (key: Uint8Array) => assert.deepEqual(Buffer.from(key), expected);

  const thread = startRestoreThread(2, false)!;
  t.after(() => thread.close());
  isKey(await thread.deriveKey(passphrase, s2k, 32));
  assert.equal(thread.isStarted(), false);

  const digests = [thread.digest(file, 'sha1')];
  const keys = [thread.deriveKey(passphrase, s2k, 32)];
  digests.push(thread.digest(file, 'sha1'));
  keys.push(thread.deriveKey(passphrase, { ...s2k, count: 0 }, 32), thread.deriveKey(passphrase, s2k, 32));
  const sha1 = createHash('sha1').update(Buffer.alloc(2_000_000, 'file')).digest('hex');
  assert.deepEqual(await Promise.all(digests), [sha1, sha1]);
  isKey(await keys[0]!);
  assert.notDeepEqual(await keys[1]!, expected);
  isKey(await keys[2]!);
  await assert.rejects(thread.deriveKey(passphrase, { ...s2k, hash: 99 }, 32), { code: 'unsupported' });

  await thread.close();
  isKey(await thread.deriveKey(passphrase, s2k, 32));
});

test('a restore thread tells of problems, and of what ends the run, and takes the next tree', async t => {
  const folder = scratch(t);
  const thread = startRestoreThread(2, false)!;
  t.after(() => thread.close());
  await assert.rejects(thread.digest(join(folder, 'absent'), 'sha1'), { code: 'ENOENT' });

  const problems: WriteProblem[] = [];
  const bad = thread.write(join(folder, 'bad'), options, problem => problems.push(problem));
  for (const path of ['', 'a\0b', `${'x'.repeat(300_000)}`, 'good']) {
    bad.begin(entry(path, { type: path === '' ? 'directory' : 'file' }));
    await bad.data(Buffer.from(path));
    await bad.finish();
  }
  assert.deepEqual(await bad.close(), { written: 1, kept: 0, aside: [] });
  assert.deepEqual(problems.map(({ path, systemCode }) => [path.length, systemCode]).sort(), [
    [3, 'EINVAL'],
    [300_000, 'ENAMETOOLONG'],
  ]);

  writeFileSync(join(folder, 'file'), '');
  const failing = thread.write(join(folder, 'file', 'below'), options, none);
  const fill = async () => {
    for (let i = 0; i < 1000; i++) {
      failing.begin(entry(i === 0 ? '' : `${i}`, { type: i === 0 ? 'directory' : 'file' }));
      await failing.data(Buffer.alloc(100_000));
      await failing.finish();
    }
  };
  await assert.rejects(fill, { code: 'local-io' });
  await assert.rejects(failing.close(), { code: 'local-io' });

  mkdirSync(join(folder, 'last'));
  const last = thread.write(join(folder, 'last'), options, none);
  last.begin(entry('', { type: 'directory' }));
  await last.data(Buffer.alloc(1000));
  await last.finish();
  assert.deepEqual(await last.close(), { written: 0, kept: 0, aside: [] });
});

test('a restore thread that is closed in the middle of a file leaves nothing of it', async t => {
  const folder = scratch(t);
  const thread = startRestoreThread(2, true)!;
  const writing = thread.write(join(folder, 'target'), options, none);
  writing.begin(entry('', { type: 'directory' }));
  await writing.finish();
  writing.begin(entry('file', { type: 'file' }));
  await writing.data(Buffer.alloc(5_000_000));
  await thread.close();
  assert.deepEqual(
    entriesOf(join(folder, 'target')).map(({ path }) => path),
    [''],
  );
});

test('who waits for room hears of a thread that ends without a word', { timeout: 20_000 }, async t => {
  const file = join(scratch(t), 'dying.mjs');
  writeFileSync(file, 'setTimeout(() => process.exit(), 200);');
  const thread = launchRestoreThread(pathToFileURL(file));
  thread.worker.ref();
  const writer = createRingWriter(thread.ring);
  let room: Promise<void> | undefined;
  while (!room) {
    writer.push(1, LARGEST_RECORD);
    room = writer.whenRoom();
  }
  await room;
  assert.match(thread.failure()!.message, /ended early/);
});
