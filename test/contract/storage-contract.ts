/** What every kind of Storage has to hold, as one suite: each kind's test file calls it with a way to make one. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { BackupError, type ErrorCode } from '../../src/errors.ts';
import type { Storage, StoredObject } from '../../src/storage/storage.ts';
import { type Chunks, collect, fromChunks } from '../../src/streams.ts';

/** A matcher for assert.rejects: this code, and a message that names the object. */
export function failing(code: ErrorCode, mentions = ''): (error: unknown) => true {
  return error => {
    assert.ok(error instanceof BackupError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(mentions), error.message);
    return true;
  };
}

/** Everything in a storage, sorted by name. */
export async function listed(storage: Storage): Promise<StoredObject[]> {
  const objects: StoredObject[] = [];
  for await (const object of storage.list()) objects.push(object);
  return objects.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** `size` bytes in chunks of `chunkSize` that overwrite each other: lent, as sources may be. */
export async function* lentBytes(size: number, chunkSize: number): Chunks {
  const slab = new Uint8Array(chunkSize);
  for (let offset = 0; offset < size; offset += chunkSize) {
    const chunk = slab.subarray(0, Math.min(chunkSize, size - offset));
    chunk.set(patternBytes(offset, chunk.length));
    yield chunk;
  }
}

/** The bytes that lentBytes yields, from `offset`. */
export function patternBytes(offset: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => ((offset + i) * 2654435761) >>> 24);
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Names that backups give, bytes that no one expects, and the characters that URLs and shells trip over. */
const anyName = fc
  .oneof(
    fc.constantFrom(
      'duplicity-full.20261123T005742Z.vol1.difftar.gpg',
      ' ',
      'a b',
      '%41',
      '?',
      '#',
      '*',
      '\\',
      '-x',
    ),
    fc
      .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 100 })
      .map(codes => String.fromCharCode(...codes)),
  )
  .filter(name => !name.includes('/') && name !== '.' && name !== '..');

/** @param makeStorage an empty storage of its own for each test, cleared up after it */
export function storageContract(kind: string, makeStorage: (t: TestContext) => Promise<Storage>): void {
  const contract = (what: string, check: (storage: Storage) => Promise<void>): void => {
    test(`${kind} ${what}`, async t => {
      const storage = await makeStorage(t);
      try {
        await check(storage);
      } finally {
        await storage.close();
      }
    });
  };

  contract('starts empty', async storage => {
    assert.deepEqual(await listed(storage), []);
    assert.equal(await storage.stat('nothing'), undefined);
    assert.equal(await storage.removeStale(), 0);
  });

  contract('gives back what was put, whatever the chunk size', async storage => {
    for (const [size, chunkSize] of [
      [0, 1],
      [1, 1],
      [70_000, 999],
      [600_000, 65_536],
      [1_500_000, 524_289],
    ] as const) {
      const name = `object-${size}`;
      assert.deepEqual(await storage.put(name, lentBytes(size, chunkSize), { kind: 'volume' }), { size });
      assert.deepEqual(await storage.stat(name), { size });
      assert.deepEqual(Buffer.from(await collect(storage.get(name))), Buffer.from(patternBytes(0, size)));
    }
    assert.equal(await storage.exists(), true);
  });

  contract('shows what is to wait for something after that only', async storage => {
    for (const size of [10, 6_000_000]) {
      let happen!: () => void;
      const after = new Promise<void>(resolve => {
        happen = resolve;
      });
      let isRead!: () => void;
      const read = new Promise<void>(resolve => {
        isRead = resolve;
      });
      async function* told() {
        yield* lentBytes(size, 65_536);
        isRead();
      }
      const put = storage.put(`later-${size}`, told(), { after });
      await read;
      assert.equal(await storage.stat(`later-${size}`), undefined);
      happen();
      assert.deepEqual(await put, { size });
      assert.deepEqual(await storage.stat(`later-${size}`), { size });

      const failure = new Error('nothing comes of it');
      const never = Promise.reject(failure);
      never.catch(() => {}); // also before anybody waits for it
      await assert.rejects(storage.put(`never-${size}`, lentBytes(size, 65_536), { after: never }), failure);
      assert.equal(await storage.stat(`never-${size}`), undefined);
    }
  });

  contract('takes an array as well as a stream', async storage => {
    assert.deepEqual(await storage.put('small', bytes('manifest'), { kind: 'metadata' }), { size: 8 });
    assert.equal(Buffer.from(await collect(storage.get('small'))).toString(), 'manifest');
  });

  contract('lists names byte for byte, with sizes', async storage => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(anyName, { maxLength: 4 }), async names => {
        for (const name of names) await storage.put(name, bytes(name));
        const sizes = names.map(name => ({ name, size: Buffer.byteLength(name) }));
        assert.deepEqual(
          await listed(storage),
          sizes.sort((a, b) => (a.name < b.name ? -1 : 1)),
        );
        for (const name of names) {
          assert.deepEqual(Buffer.from(await collect(storage.get(name))), Buffer.from(name));
          await storage.delete(name);
        }
        assert.deepEqual(await listed(storage), []);
      }),
      { numRuns: 40 },
    );
  });

  contract('refuses what can be no name', async storage => {
    for (const name of [
      '',
      '.',
      '..',
      'a/b',
      '/etc/passwd',
      '../up',
      'a\0b',
      'snow\u2603',
      'tsbackup-tmp-x',
    ]) {
      await assert.rejects(storage.put(name, bytes('x')), failing('usage'));
      await assert.rejects(storage.stat(name), failing('usage'));
      await assert.rejects(storage.delete(name), failing('usage'));
      await assert.rejects(collect(storage.get(name)), failing('usage'));
    }
    assert.deepEqual(await listed(storage), []);
  });

  contract('gives any range', async storage => {
    const size = 700_001;
    await storage.put('object', lentBytes(size, 65_536));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(size + 10),
        fc.option(fc.nat(size + 10), { nil: undefined }),
        async (offset, length) => {
          const range = length === undefined ? { offset } : { offset, length };
          const wanted = Math.max(0, Math.min(length ?? size, size - offset));
          assert.deepEqual(
            Buffer.from(await collect(storage.get('object', range))),
            Buffer.from(patternBytes(offset, wanted)),
          );
        },
      ),
      {
        numRuns: 15,
        examples: [
          [0, 0],
          [size, undefined],
          [size - 1, 2],
          [size + 5, 1],
        ],
      },
    );
  });

  contract('replaces an object', async storage => {
    await storage.put('object', bytes('a longer first version'));
    await storage.put('object', bytes('second'));
    assert.deepEqual(await listed(storage), [{ name: 'object', size: 6 }]);
    assert.equal(Buffer.from(await collect(storage.get('object'))).toString(), 'second');
  });

  contract('keeps one of two puts of the same name whole', async storage => {
    const [a, b] = [new Uint8Array(900_000).fill(1), new Uint8Array(800_000).fill(2)];
    const puts = await Promise.allSettled([
      storage.put('object', fromChunks(a)),
      storage.put('object', fromChunks(b.subarray(0, 1), b.subarray(1))),
    ]);
    // Who looks whether its object arrived may see the other's, and say so.
    const failed = puts.filter(put => put.status === 'rejected');
    assert.ok(failed.length < 2, 'both puts failed');
    for (const { reason } of failed) assert.match(reason.message, /where \d+ were sent/);
    const kept = Buffer.from(await collect(storage.get('object')));
    assert.ok(kept.equals(a) || kept.equals(b), 'a mixture');
    assert.deepEqual(await listed(storage), [{ name: 'object', size: kept.length }]);
  });

  contract('says which object is missing', async storage => {
    await storage.put('other', bytes('x'));
    await assert.rejects(collect(storage.get('vol7')), failing('object-missing', 'vol7'));
  });

  contract('deletes, also what is not there', async storage => {
    await storage.put('object', bytes('x'));
    await storage.delete('object');
    await storage.delete('object');
    assert.deepEqual(await listed(storage), []);
    assert.equal(await storage.stat('object'), undefined);
  });

  contract('shows the old object until the new one is whole', async storage => {
    await storage.put('object', bytes('old'));
    async function* watched(): Chunks {
      for (let i = 0; i < 4; i++) {
        yield new Uint8Array(300_000);
        assert.deepEqual(await listed(storage), [{ name: 'object', size: 3 }]);
      }
    }
    await storage.put('object', watched());
    assert.deepEqual(await listed(storage), [{ name: 'object', size: 1_200_000 }]);
  });

  contract('keeps what was when a source fails, with the error of the source', async storage => {
    await storage.put('object', bytes('old'));
    const failure = Object.assign(new Error('the source broke'), { code: 'ENOSPC' });
    async function* broken(): Chunks {
      yield new Uint8Array(400_000);
      throw failure;
    }
    await assert.rejects(storage.put('object', broken()), error => error === failure);
    await assert.rejects(storage.put('new', broken()), error => error === failure);
    assert.deepEqual(await listed(storage), [{ name: 'object', size: 3 }]);
  });

  contract('keeps what was when a put is aborted, and closes the source', async storage => {
    const abort = new AbortController();
    const reason = new BackupError('interrupted', 'enough');
    let closed = false;
    async function* endless(): Chunks {
      try {
        for (let i = 0; ; i++) {
          if (i === 3) abort.abort(reason);
          yield new Uint8Array(300_000);
        }
      } finally {
        closed = true;
      }
    }
    await assert.rejects(
      storage.put('object', endless(), { signal: abort.signal }),
      error => error === reason,
    );
    assert.ok(closed);
    assert.deepEqual(await listed(storage), []);
    await assert.rejects(
      storage.put('object', bytes('x'), { signal: abort.signal }),
      error => error === reason,
    );
    assert.deepEqual(await listed(storage), []);
  });

  contract('stops a get that is aborted or broken off', async storage => {
    await storage.put('object', lentBytes(2_000_000, 500_000));
    for await (const chunk of storage.get('object')) {
      assert.ok(chunk.length > 0);
      break;
    }
    const abort = new AbortController();
    const reason = new BackupError('interrupted', 'enough');
    await assert.rejects(
      async () => {
        for await (const _ of storage.get('object', { signal: abort.signal })) abort.abort(reason);
      },
      error => error === reason,
    );
  });
}
