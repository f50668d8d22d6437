/**
 * The packer: what the plan says of a tree becomes difftar members, sigtar records and manifest lines, in batches.
 * It is synchronous between batches, so that it runs at the speed of the disk on whatever thread it is put.
 *
 * The content of a file is read once: the same bytes go into the difftar and through the signature, so a file that
 * changes while it is read has the signature of what was stored, and the next incremental sees the difference.
 */

import { displayPath } from '../bytes.ts';
import { type SourceFile, SourceProblem } from '../files/read.ts';
import type { SourceEntry } from '../files/walk.ts';
import type { Kernel } from '../rsync/kernel.ts';
import { blockLengthFor, createSigner, type Signer } from '../rsync/signature.ts';
import type { PackBatch } from './batch.ts';
import { BatchBuilder, PART_SIZE } from './batch-builder.ts';
import type { PlanItem } from './plan-item.ts';

export interface PackOptions {
  readonly kernel: Kernel;
  /** Opens a regular file of the source. @throws SourceProblem */
  open(entry: SourceEntry): SourceFile;
  /** Gives a slab of SLAB_SIZE bytes that nobody else uses. */
  takeSlab(): Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** Packs items, which come in walk order. @returns batches in order, the last one perhaps without members */
export async function* pack(
  items: AsyncIterable<readonly PlanItem[]>,
  options: PackOptions,
): AsyncGenerator<PackBatch, void, undefined> {
  const builder = new BatchBuilder(options.takeSlab);
  const signer = createSigner(options.kernel);
  for await (const batch of items) {
    for (const item of batch) {
      if (builder.isFull) yield builder.take();
      if ((item.kind === 'new' || item.kind === 'replaced') && item.entry.type === 'file') {
        count(builder, item);
        yield* packFile(item.entry, builder, signer, options);
      } else packOther(item, builder);
    }
  }
  yield builder.take();
}

function count({ counts }: BatchBuilder, item: PlanItem): void {
  switch (item.kind) {
    case 'problem':
      return;
    case 'deleted':
      counts.deletedFiles++;
      return;
    case 'new':
      counts.newFiles++;
      counts.newFileSize += item.entry.size;
      break;
    case 'changed':
    case 'replaced':
      counts.changedFiles++;
      counts.changedFileSize += item.entry.size;
  }
  counts.sourceFiles++;
  counts.sourceFileSize += item.entry.size;
}

/** Whatever has no content. */
function packOther(item: PlanItem, builder: BatchBuilder): void {
  count(builder, item);
  if (item.kind === 'problem') {
    builder.warn({ code: item.code, path: item.path, message: item.message });
  } else if (item.kind === 'new' || item.kind === 'replaced') {
    builder.bare('snapshot', item.entry);
    builder.record('snapshot', item.entry, NO_BYTES);
  }
}

/** A regular file as it is. */
function* packFile(
  entry: SourceEntry,
  builder: BatchBuilder,
  signer: Signer,
  { open }: PackOptions,
): Generator<PackBatch, void, undefined> {
  let file: SourceFile | undefined;
  const mark = builder.mark();
  let part = 1;
  let size = 0;
  let recorded: SourceEntry = entry;
  try {
    const source = open(entry);
    file = source;
    signer.start(blockLengthFor(entry.size));
    const fill = (target: Uint8Array, offset: number, length: number) => {
      const read = source.readInto(target, offset, length);
      signer.push(target.subarray(offset, offset + read));
      return read;
    };
    for (let last = PART_SIZE; last === PART_SIZE; part++) {
      if (part > 1 && builder.isFull) yield builder.take();
      last = builder.part('snapshot', entry, part, entry.size >= PART_SIZE, fill);
      size += last;
    }
    if (source.hasChanged()) {
      builder.warn({
        code: 'source-changed',
        path: entry.path,
        message: `${displayPath(entry.path)} changed while it was read; what was read is stored`,
      });
    }
  } catch (error) {
    if (!(error instanceof SourceProblem)) throw error;
    const lost = part === 1;
    if (lost) builder.rewind(mark);
    else closeFile(entry, builder, part);
    builder.warn({
      code: error.vanished ? 'source-vanished' : 'source-unreadable',
      path: entry.path,
      message: `${displayPath(entry.path)} ${lost ? 'is left out' : 'is stored only in part'}: ${error.message}`,
    });
    if (lost) {
      builder.counts.newFiles--;
      builder.counts.newFileSize -= entry.size;
      return;
    }
    builder.cutShort(entry.path);
    recorded = { ...entry, mtimeSeconds: 0 }; // so that the next incremental, whoever makes it, stores it anew
  } finally {
    file?.close();
  }
  builder.counts.rawDeltaSize += size;
  builder.record('signature', recorded, signer.end());
  builder.listed('new', entry.path);
}

/** Ends a file whose first parts have left already, so that what follows it can be read. */
function closeFile(entry: SourceEntry, builder: BatchBuilder, part: number): void {
  builder.part('snapshot', entry, part, true, () => 0);
}
