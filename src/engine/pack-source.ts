/** One source from walk to batches; runs on whatever thread it is called. */

import { openSource } from '../files/read.ts';
import { type WalkItem, walk } from '../files/walk.ts';
import { createKernel } from '../rsync/kernel.ts';
import type { PackBatch } from './batch.ts';
import { pack } from './pack.ts';
import type { PlanItem } from './plan-item.ts';
import type { SlabPool } from './slab-pool.ts';

/** What to pack; plain data, so that it can go to a thread. */
export interface PackJob {
  /** Bytes as a latin1 string, as the user gave it. */
  readonly source: string;
}

export async function* packSource(job: PackJob, pool: SlabPool): AsyncGenerator<PackBatch, void, undefined> {
  const batches = pack(planFull(job), {
    kernel: createKernel(),
    open: entry => openSource(job.source, entry),
    takeSlab: pool.take,
  });
  for await (const batch of batches) {
    yield batch;
    await pool.ready();
  }
}

/** Everything is new. */
async function* planFull({ source }: PackJob): AsyncGenerator<PlanItem[], void, undefined> {
  for (const items of walk(source)) yield items.flatMap(planItem);
}

function planItem(item: WalkItem): PlanItem[] {
  if ('entry' in item) return [{ kind: 'new', entry: item.entry }];
  const { path, message, vanished } = item.problem;
  return [{ kind: 'problem', code: vanished ? 'source-vanished' : 'source-unreadable', path, message }];
}
