import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { bytesOf, pathOf } from '../../src/bytes.ts';
import { collate } from '../../src/engine/collate.ts';
import { openSourcePacker, type PackHost } from '../../src/engine/pack-source.ts';
import type { PlanItem } from '../../src/engine/plan-item.ts';
import { createReadAhead, type ReadAhead } from '../../src/engine/read-ahead.ts';
import {
  decodeRequest,
  encodeRequest,
  LARGEST_FILE,
  requestLength,
} from '../../src/engine/read-ahead-records.ts';
import { createSlabPool } from '../../src/engine/slab-pool.ts';
import type { ReadableFile } from '../../src/files/read.ts';
import { type SourceEntry, walk } from '../../src/files/walk.ts';
import type { Report } from '../../src/report.ts';
import { tempDir } from '../support/temp-dir.ts';

const checkEnd = () => {};

test('a request carries what the walk has found', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const entries = fc.record({
    path: fc.uint8Array({ maxLength: 300 }).map(pathOf),
    ctimeNs: int64,
    mtimeNs: int64,
    ino: int64,
    size: fc.nat(LARGEST_FILE),
  });
  fc.assert(
    fc.property(entries, found => {
      const entry = { ...found };
      const bytes = new Uint8Array(requestLength(entry));
      encodeRequest(entry, bytes);
      assert.deepEqual(decodeRequest(bytes), entry);
    }),
  );
});

/** A folder with many small files, and some that are not. */
function manyFiles(t: TestContext, count = 600): string {
  const source = join(tempDir(t), 'source');
  for (let i = 0; i < count; i++) {
    const folder = join(source, `folder ${i % 7}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(Buffer.concat([bytesOf(`${folder}/${i}`), Buffer.of(0xff)]), `${i} `.repeat(i % 90));
  }
  for (const size of [0, 1, LARGEST_FILE - 1, LARGEST_FILE, LARGEST_FILE + 1, 200_000])
    writeFileSync(join(source, `folder 3/of ${size}`), Buffer.alloc(size, 'content '));
  symlinkSync('nowhere', join(source, 'folder 3/link'));
  return source;
}

function* planOf(source: string): Generator<PlanItem[], void, undefined> {
  const comparison = { stableInodes: true, timeOfSet: () => 0, localUid: () => 0, localGid: () => 0 };
  yield* collate(walk(source), [][Symbol.iterator](), comparison);
}

/** One that has been told that it is worth its while. */
function createEager(t: TestContext, source: string): { readonly ahead: ReadAhead; readonly told: Report[] } {
  const told: Report[] = [];
  const ahead = createReadAhead(source, { checkEnd, report: report => told.push(report), batches: 0 });
  t.after(() => ahead.close());
  return { ahead, told };
}

function contentOf(file: ReadableFile): Buffer {
  const content = Buffer.alloc(LARGEST_FILE + 1);
  let length = 0;
  for (let read = -1; read !== 0; length += read) read = file.readInto(content, length, 1000);
  return content.subarray(0, length);
}

/** Files of the plan, by path, as they were read ahead; undefined where they were not. */
function readAll(
  { over, take }: ReadAhead,
  plan: Iterable<readonly PlanItem[]>,
  isTaken: (entry: SourceEntry) => boolean = () => true,
): Map<string, Buffer | undefined> {
  const found = new Map<string, Buffer | undefined>();
  for (const items of over(plan)) {
    for (const item of items) {
      if (item.kind !== 'new' || item.entry.type !== 'file' || !isTaken(item.entry)) continue;
      const file = take(item.entry);
      found.set(item.entry.path, file && contentOf(file));
      file?.close();
    }
  }
  return found;
}

test('small files are read ahead whole, whichever of them the packer opens', t => {
  const source = manyFiles(t);
  for (const isTaken of [() => true, ({ path }: SourceEntry) => !/[3-8]\xff$/.test(path)]) {
    const { ahead, told } = createEager(t, source);
    const found = readAll(ahead, planOf(source), isTaken);
    assert.ok(found.size > 200);
    for (const [path, content] of found) {
      const place = bytesOf(`${source}/${path}`);
      if (statSync(place).size > LARGEST_FILE) assert.equal(content, undefined);
      else assert.deepEqual(content, readFileSync(place), path);
    }
    assert.match(told[0]!.message, /read ahead by thread 1/);
    assert.equal(told.length, 1);
  }
});

test('what is not what the walk has found is left to the packer', t => {
  const source = manyFiles(t);
  const changes: Record<string, (place: string) => void> = {
    grown: place => appendFileSync(place, 'more'),
    replaced: place => {
      writeFileSync(`${place}.new`, 'content of it');
      renameSync(`${place}.new`, place);
    },
    gone: place => rmSync(place),
    'now a folder': place => {
      rmSync(place);
      mkdirSync(place);
    },
    'now a fifo': place => {
      rmSync(place);
      execFileSync('mkfifo', [place]);
    },
  };
  for (const name of Object.keys(changes)) writeFileSync(join(source, name), 'content of it');
  const { ahead } = createEager(t, source);
  function* changing(): Generator<PlanItem[], void, undefined> {
    const plan = [...planOf(source)];
    for (const [name, change] of Object.entries(changes)) change(join(source, name));
    yield* plan;
  }
  const found = readAll(ahead, changing());
  for (const name of Object.keys(changes)) {
    assert.ok(found.has(name));
    assert.equal(found.get(name), undefined, name);
  }
  assert.equal([...found.values()].filter(content => content === undefined).length, 5 + 2);
});

test('of a thread that fails nothing comes: a wait ends with the run, and the packer goes on alone', async t => {
  const source = manyFiles(t);
  const over = new Error('the run ends');
  const told: Report[] = [];
  let checks = 0;
  const ahead = createReadAhead(undefined as never, {
    checkEnd() {
      checks++;
      throw over;
    },
    report: report => told.push(report),
    batches: 0,
  });
  t.after(() => ahead.close());
  assert.throws(() => readAll(ahead, planOf(source)), over);
  assert.equal(checks, 1);
  while (told.length < 2) await setImmediate();
  assert.match(told[1]!.message, /not read ahead any more: .*undefined/);
  const found = readAll(ahead, planOf(source));
  assert.ok(found.size > 600);
  assert.ok([...found.values()].every(content => content === undefined));
  assert.equal(told.length, 2);
});

test('batches are the same with and without threads that read ahead', async t => {
  const source = manyFiles(t, 3000);
  const told: Report[] = [];
  const host: PackHost = { beat() {}, pause: () => assert.fail(), report: () => assert.fail() };
  const packed = async (readAhead: PackHost['readAhead']) => {
    const job = { source, selection: [], catalog: join(tempDir(t), 'catalog'), sets: [], time: 1 };
    const pool = createSlabPool(4);
    const packer = await openSourcePacker({ ...job, maxBlockLength: 2048, retryForMs: 0 }, pool, {
      ...host,
      readAhead,
    });
    const whole = { difftar: '', sigtar: '', filelist: '', fingerprints: '' };
    const names = Object.keys(whole) as (keyof typeof whole)[];
    for await (const batch of packer.batches) {
      for (const name of names) whole[name] += pathOf(batch[name]);
      if (batch.difftar.length > 0) pool.giveBack(batch.difftar);
      if (batch.sigtar.length > 0) pool.giveBackRecords(batch.sigtar);
    }
    packer.close();
    return whole;
  };
  const plain = await packed(undefined);
  assert.ok(plain.difftar.length > 3_000_000);
  assert.deepEqual(await packed({ checkEnd, report: report => told.push(report), batches: 0 }), plain);
  assert.match(told[0]!.message, /read ahead by thread 1/);
  assert.deepEqual(await packed({ checkEnd, report: report => told.push(report), batches: 2 }), plain);
});
