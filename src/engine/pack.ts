/**
 * The packer: what the plan says of a tree becomes difftar members, sigtar records and manifest lines, in batches.
 * It is synchronous between batches, so that it runs at the speed of the disk on whatever thread it is put.
 *
 * The content of a file is read once: the same bytes go into the difftar and through the signature, so a file that
 * changes while it is read has the signature of what was stored, and the next incremental sees the difference.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { displayPath } from '../bytes.ts';
import { doubtful } from '../catalog/fingerprint.ts';
import { FULL_SET, type SignaturePlace } from '../catalog/versions.ts';
import type { Attributes, Entry } from '../entry.ts';
import { BackupError } from '../errors.ts';
import { SourceError, type SourceProblem } from '../files/problem.ts';
import type { ReadableFile } from '../files/read.ts';
import type { SourceEntry } from '../files/walk.ts';
import { createDelta } from '../rsync/delta.ts';
import type { Kernel } from '../rsync/kernel.ts';
import { blockLengthFor, createSigner } from '../rsync/signature.ts';
import { MAX_NAME_LENGTH } from '../volumes/tar-header.ts';
import type { OpenFile, PackBatch, Passed } from './batch.ts';
import { type BatchBuffers, BatchBuilder, type Fill, PART_SIZE } from './batch-builder.ts';
import type { Counts } from './counts.ts';
import { createDeltaBuffers, DeltaSource } from './delta-source.ts';
import type { ChangedItem, PlanItem, UnchangedItem } from './plan-item.ts';
import type { Recorder } from './recorder.ts';

export interface PackOptions {
  readonly kernel: Kernel;
  /** Opens a regular file of the source. @returns also what it is by then @throws SourceError */
  open(entry: SourceEntry): { readonly file: ReadableFile; readonly entry: SourceEntry };
  /** A whole signature file; undefined if it can't be had, and then the file is stored whole. */
  signatureAt(place: SignaturePlace, path: string): Uint8Array | undefined;
  readonly buffers: BatchBuffers;
  readonly recorder: Recorder;
  /** See catalog/fingerprint.ts. */
  fingerprintOf(entry: SourceEntry): string;
  /** Where a run that broke off is to be continued. */
  readonly resume?: PackStart | undefined;
  /** Upper limit of the signature block length, bytes; very large files pass it. */
  readonly maxBlockLength: number;
  /** Hears how far a delta is that takes long. */
  passed?(passed: Passed): void;
}

/** What earlier runs have packed of the set. */
export interface PackStart {
  readonly counts: Readonly<Counts>;
  /** Bytes of sigtar members. */
  readonly sigtarLength: number;
  /** A file of which so many parts are packed: it comes first, and only its other parts are to be packed. */
  readonly cut?: (OpenFile & { readonly path: string; readonly parts: number }) | undefined;
}

const leavesOut = 'it is not in this backup';
const keeps = 'the backup keeps its previous version';

const NO_BYTES = new Uint8Array(0);
const nothingMade: readonly PackBatch[] = [];
/** Bytes of a file that are read without a turn for others: for signals, timers and progress. */
const TURN = 8 * 1024 * 1024;
/** The same for batches of the plan: of what is unchanged nothing is made for hours. */
const TURN_BATCHES = 16;
/** Room is left for the prefix and the number of a part. */
const MAX_PATH = MAX_NAME_LENGTH - 64;

/**
 * Packs items, which come in walk order. @returns batches in order, the last one perhaps without members
 * @throws BackupError `cut-file-changed` if the file that is to be continued is not what it was
 */
export async function* pack(
  items: Iterable<readonly PlanItem[]>,
  options: PackOptions,
): AsyncGenerator<PackBatch, void, undefined> {
  const packer = createPacker(options);
  let batches = 0;
  for (const batch of items) {
    if (++batches % TURN_BATCHES === 0) await turn();
    for (const item of batch) {
      if (packer.builder.isFull) yield packer.builder.take();
      for (const made of packer.item(item)) {
        if ('difftar' in made) yield made;
        else {
          options.passed?.(made);
          await turn();
        }
      }
    }
  }
  packer.end();
  yield packer.builder.take();
}

function createPacker(options: PackOptions) {
  const { kernel, open, signatureAt, buffers, recorder, maxBlockLength, resume } = options;
  const builder = new BatchBuilder(buffers);
  const { counts } = builder;
  let cut = resume?.cut;
  if (resume) {
    Object.assign(counts, resume.counts);
    builder.sigtarLength = resume.sigtarLength;
  }
  const signer = createSigner(kernel);
  const delta = createDelta(kernel);
  const deltaBuffers = createDeltaBuffers();

  function seen(entry: SourceEntry): void {
    counts.sourceFiles++;
    counts.sourceFileSize += entry.statSize;
  }

  function unchanged({ entry, known }: UnchangedItem): void {
    if (isTooLong(entry.path)) return tooLong(entry.path, keeps);
    seen(entry);
    recorder.unchanged(entry, known, known.stat); // which is the same, or it would be no such item
  }

  function tooLong(path: string, fate: string): void {
    warn({ path, systemCode: 'ENAMETOOLONG', during: 'lstat', vanished: false }, fate);
  }

  function item(item: PlanItem): Iterable<PackBatch | Passed> {
    if (cut) return rest(item, cut);
    if (item.kind !== 'unchanged') return differing(item);
    unchanged(item); // as most are, and without anything to make
    return nothingMade;
  }

  function* differing(
    item: Exclude<PlanItem, UnchangedItem>,
  ): Generator<PackBatch | Passed, void, undefined> {
    switch (item.kind) {
      case 'problem':
        warn(item.problem, item.isKnown ? keeps : leavesOut);
        return;
      case 'deleted':
        removed(item.path, item.wasFile);
        return;
    }
    const { entry } = item;
    if (isTooLong(entry.path)) return tooLong(entry.path, item.kind === 'new' ? leavesOut : keeps);
    seen(entry);
    if (item.kind !== 'changed' && entry.mtimeNs < 0n) dateLost(entry.path);
    if (item.kind === 'changed') yield* changed(item);
    else if (entry.type === 'file') yield* whole(entry, item.kind);
    else {
      builder.bare('snapshot', entry);
      builder.record('snapshot', entry, NO_BYTES);
      stored(entry, options.fingerprintOf(entry), undefined);
      counted(entry, item.kind);
    }
  }

  /** The file in the middle of which an earlier run broke off; that run has counted it. */
  function* rest(item: PlanItem, { path, fingerprint }: NonNullable<typeof cut>) {
    if (item.kind === 'problem' || item.kind === 'deleted' || item.kind === 'unchanged')
      throw cutFileChanged(path);
    const { entry } = item;
    if (entry.path !== path || entry.type !== 'file') throw cutFileChanged(path);
    if (options.fingerprintOf(entry) !== fingerprint) throw cutFileChanged(path);
    yield* item.kind === 'changed' ? changed(item) : whole(entry, item.kind);
    end();
  }

  /** @throws BackupError `cut-file-changed` if the file that is to be continued did not come */
  function end(): void {
    if (cut) throw cutFileChanged(cut.path);
  }

  function stored(entry: SourceEntry, fingerprint: string, signatureOffset: number | undefined): void {
    builder.fingerprinted(fingerprint);
    recorder.stored(entry, fingerprint, signatureOffset);
  }

  function warn({ path, vanished, systemCode }: SourceProblem, fate: string): void {
    const what = vanished ? 'vanished during the backup' : `can't be read (${systemCode})`;
    const code = vanished ? 'source-vanished' : 'source-unreadable';
    builder.warn({ code, path, message: `${displayPath(path)} ${what}; ${fate}` });
  }

  function dateLost(path: string): void {
    const message = `${displayPath(path)} is older than 1970, which archives can't say: it is stored with the date 1970-01-01`;
    builder.tell({ code: 'date-lost', path, message });
  }

  function removed(path: string, wasFile: boolean): void {
    const entry: Entry = { ...nothing, path };
    builder.bare('deleted', entry);
    builder.record('deleted', entry, NO_BYTES);
    if (wasFile) builder.listed('deleted', path);
    recorder.removed(path);
    counts.deletedFiles++;
  }

  function counted(entry: SourceEntry, kind: 'new' | 'changed' | 'replaced'): void {
    counts[`${kind}Files`]++;
    counts[`${kind}FileSize`] += entry.statSize;
  }

  /** A regular file as it is. */
  function whole(entry: SourceEntry, kind: 'new' | 'changed' | 'replaced') {
    let isCut = false;
    let passed = 0;
    return content(entry, kind, function* (source) {
      return {
        member: 'snapshot',
        inParts: entry.size >= PART_SIZE,
        fill(target, offset, length) {
          if (isCut) return 0;
          const read = source.readInto(target, offset, length);
          signer.push(target.subarray(offset, offset + read));
          passed += read;
          return read;
        },
        cut() {
          isCut = true;
        },
        passed: () => passed,
      };
    });
  }

  /** A regular file as a delta; nothing at all if only its times were touched within the second. */
  function changed({ entry, signature: place, mustStore }: ChangedItem) {
    const signature = signatureAt(place, entry.path);
    if (!signature) return whole(entry, 'changed');
    return content(entry, 'changed', function* (source) {
      const deltaSource = new DeltaSource(source, signature, { delta, signer, buffers: deltaBuffers });
      const prepare = function* () {
        for (;;) {
          deltaSource.prepare(PART_SIZE, TURN);
          if (deltaSource.isReady(PART_SIZE)) return;
          const left = Math.max(0, entry.size - deltaSource.size);
          yield { bytes: counts.sourceFileSize - left, path: entry.path };
        }
      };
      yield* prepare();
      const ready = deltaSource.prepare(PART_SIZE);
      if (!mustStore && deltaSource.isWholeCopy()) return undefined;
      // A small file that changes again and again: whoever restores it then needs none of its older versions.
      const whole = place.set === FULL_SET ? undefined : deltaSource.wholeIfNoLarger();
      const passed = () => deltaSource.size;
      if (whole) return { member: 'snapshot', inParts: false, fill: readFrom(whole), cut() {}, passed };
      return {
        member: 'diff',
        inParts: ready >= PART_SIZE,
        fill: (target, offset, length) => deltaSource.readInto(target, offset, length),
        cut: () => deltaSource.end(),
        prepare,
        passed,
      };
    });
  }

  /** What the members of a file are made of. */
  interface Content {
    readonly member: 'snapshot' | 'diff';
    readonly inParts: boolean;
    readonly fill: Fill;
    /** No more can be read: what comes from `fill` now must make a whole of what was read. */
    cut(): void;
    /** Makes ready what `fill` gives next, with turns for others. */
    prepare?(): Generator<Passed, void, undefined>;
    /** Bytes of the file that are read. */
    passed(): number;
  }

  function* content(
    listed: SourceEntry,
    kind: 'new' | 'changed' | 'replaced',
    begin: (source: ReadableFile) => Generator<Passed, Content | undefined, undefined>,
  ): Generator<PackBatch | Passed, void, undefined> {
    const mark = builder.mark();
    let file: ReadableFile | undefined;
    let made: Content | undefined;
    let part = 0; // parts that are in the batches
    let isContinued = false; // the first ones are in those of an earlier run
    let length = PART_SIZE; // of the last part
    let size = 0;
    let entry = listed;
    let recorded = listed;
    let fingerprint = '';
    try {
      ({ file, entry } = open(listed));
      recorded = entry;
      fingerprint = options.fingerprintOf(entry);
      if (file.isFresh) fingerprint = doubtful(fingerprint);
      signer.start(blockLengthFor(entry.size, maxBlockLength));
      made = yield* begin(file);
      if (!made) {
        recorder.unchanged(entry, undefined, fingerprint);
        return;
      }
      builder.setOpen({ fingerprint, member: made.member });
      if (cut) {
        part = passOver(cut, made, file, fingerprint);
        size = part * PART_SIZE;
        isContinued = true;
        cut = undefined;
      }
      for (; length === PART_SIZE; size += length) {
        if (part > 0 && made.prepare) yield* made.prepare();
        builder.left = Math.max(0, entry.size - made.passed());
        if (part > 0 && builder.isFull) yield builder.take();
        length = builder.part(made.member, entry, part + 1, part > 0 || made.inParts, made.fill);
        part++;
      }
      if (file.hasChanged()) {
        const message = `${displayPath(entry.path)} changed while it was read; what was read is stored`;
        builder.warn({ code: 'source-changed', path: entry.path, message });
      }
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      const isLost = part === 0 || (!isContinued && builder.holds(mark));
      const fate = kind === 'new' ? leavesOut : keeps;
      warn(error.problem, isLost ? fate : 'only its beginning is in this backup');
      if (isLost) {
        builder.rewind(mark);
        return;
      }
      // Its first parts have left already: it ends here, and says so to whoever restores it.
      made!.cut();
      while (length === PART_SIZE) {
        if (builder.isFull) yield builder.take();
        // The end of a delta is not what it has there if more of the file can be read: nobody may go on within it.
        builder.setOpen({ fingerprint: doubtful(fingerprint), member: made!.member });
        length = builder.part(made!.member, entry, ++part, true, made!.fill);
      }
      builder.cutShort(entry.path);
      recorded = { ...entry, mtimeSeconds: entry.mtimeSeconds === 0 ? 1 : 0 }; // so that the next incremental, whoever makes it, stores it anew
    } finally {
      builder.setOpen(undefined);
      builder.left = 0;
      file?.close();
    }
    const offset = builder.record('signature', recorded, signer.end());
    builder.listed(made?.member === 'diff' ? 'changed' : 'new', entry.path);
    stored(recorded, fingerprint, offset);
    counted(entry, kind);
    counts.rawDeltaSize += size;
  }

  /** Reads the parts again that are packed already; their bytes go through the signature. @returns how many */
  function passOver(
    { path, member, parts, fingerprint }: NonNullable<typeof cut>,
    made: Content,
    file: ReadableFile,
    fingerprintNow: string,
  ): number {
    const scratch = new Uint8Array(PART_SIZE);
    let passed = made.member === member && fingerprint === fingerprintNow ? 0 : parts + 1;
    while (passed < parts && made.fill(scratch, 0, PART_SIZE) === PART_SIZE) passed++;
    if (passed !== parts || file.hasChanged({ ctime: true })) throw cutFileChanged(path);
    return parts;
  }

  return { builder, item, end };
}

function isTooLong(path: string): boolean {
  return path.length > MAX_PATH;
}

function readFrom(bytes: Uint8Array): Fill {
  let at = 0;
  return (target, offset, length) => {
    const part = bytes.subarray(at, at + length);
    target.set(part, offset);
    at += part.length;
    return part.length;
  };
}

function cutFileChanged(path: string): BackupError {
  return new BackupError(
    'cut-file-changed',
    `${displayPath(path)} has changed since the backup of it was interrupted`,
    { path },
  );
}

const nothing: Attributes = {
  ...{ type: 'file' as const, mode: 0, uid: 0, gid: 0, uname: '', gname: '' },
  ...{ mtimeSeconds: 0, linkname: '', devMajor: 0, devMinor: 0 },
};
