import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PackBatch } from '../../src/engine/batch.ts';
import { createCounts } from '../../src/engine/counts.ts';
import type { SetMark } from '../../src/engine/journal.ts';
import { createBatchCursor, type StoredVolume, storeVolumes } from '../../src/engine/volumes.ts';
import type { PutOptions, Storage } from '../../src/storage/storage.ts';
import { type Chunks, collect } from '../../src/streams.ts';
import { createEnvelope } from '../../src/volumes/envelope.ts';

const none = new Uint8Array();
const counts = createCounts();

/** Four batches, each a volume of its own. */
async function* fourBatches(): AsyncGenerator<PackBatch, void, undefined> {
  for (const path of ['a', 'b', 'c', 'd']) {
    yield {
      ...{ difftar: Buffer.alloc(100_000, path), first: { path }, last: { path }, open: undefined, left: 0 },
      ...{ sigtar: none, filelist: none, filelistLines: 0, fingerprints: none, incomplete: [], warnings: [] },
      counts,
    };
  }
}

type Put = (name: string, source: Chunks, options: PutOptions) => Promise<{ size: number }>;

function store(put: Put, onStored: (volume: StoredVolume) => void = () => {}): Promise<void> {
  return storeVolumes(createBatchCursor(fourBatches()), {
    storage: { put } as unknown as Storage,
    ...{ volumeSize: 150_000, width: 1, uploads: 1, signal: new AbortController().signal },
    nameOf: number => `vol${number}`,
    createEnvelope: async () => createEnvelope({ form: 'plain' }),
    onTaken: async () => {},
    onConsumed: () => {},
    mark: async () => ({}) as SetMark,
    onStored: async volume => onStored(volume),
  });
}

test('while the first volume is being completed the second one travels, and appears after it', async () => {
  const appeared: string[] = [];
  const stored: number[] = [];
  let secondTravels!: () => void;
  const untilSecondTravels = new Promise<void>(resolve => {
    secondTravels = resolve;
  });
  const put: Put = async (name, source, { after }) => {
    const { length } = await collect(source);
    if (name === 'vol1') await untilSecondTravels;
    if (name === 'vol2') secondTravels();
    await after;
    appeared.push(name);
    return { size: length };
  };
  await store(put, ({ number }) => stored.push(number));
  assert.deepEqual(appeared, ['vol1', 'vol2', 'vol3', 'vol4']);
  assert.deepEqual(stored, [1, 2, 3, 4]);
});

test('when a volume fails, the one behind it is given up', async () => {
  const failure = new Error('somebody else has put it');
  const put: Put = async (name, source, { signal, after }) => {
    if (name === 'vol2') {
      await new Promise((_, reject) => {
        signal!.addEventListener('abort', () => reject(signal!.reason), { once: true });
      });
    }
    await collect(source);
    await after;
    throw failure;
  };
  await assert.rejects(store(put), failure);
});
