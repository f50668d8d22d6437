import assert from 'node:assert/strict';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSourcePacker, type PackJob } from '../../src/engine/pack-source.ts';
import { createSlabPool } from '../../src/engine/slab-pool.ts';
import { tempDir } from '../support/temp-dir.ts';

test('no batch leaves the packer once another file system is where the source was', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  for (let i = 0; i < 8; i++) writeFileSync(join(source, `${i}`), Buffer.alloc(1_000_000, i));
  const { dev } = statSync(source, { bigint: true });
  const host = {
    beat() {},
    pause: () => assert.fail('nothing is to be waited for'),
    report: () => assert.fail('nothing is to be told'),
  };

  async function packed(name: string, device: bigint): Promise<number> {
    const job: PackJob = {
      ...{ source, selection: [], catalog: join(base, name), sets: [], time: 1_600_000_000 },
      ...{ maxBlockLength: 2048, device, retryForMs: 0 },
    };
    const pool = createSlabPool(4);
    const packer = await openSourcePacker(job, pool, host);
    let count = 0;
    try {
      for await (const batch of packer.batches) {
        count++;
        if (batch.difftar.length > 0) pool.giveBack(batch.difftar);
        if (batch.sigtar.length > 0) pool.giveBackRecords(batch.sigtar);
      }
    } catch (error) {
      throw Object.assign(error as Error, { count });
    } finally {
      packer.close();
    }
    return count;
  }

  assert.ok((await packed('mounted', dev)) > 2);
  await assert.rejects(packed('unmounted', dev + 1n), { code: 'source-unmounted', count: 0 });
});
