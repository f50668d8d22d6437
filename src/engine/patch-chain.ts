/**
 * A file that is a base and deltas, rebuilt in one go: the deltas' plans are composed as they come, so each byte is read
 * once from where it was stored and the file is written once, however long the chain is. Only where a plan would become
 * too large what there is so far is applied, and the file that comes out is the base from there on.
 */

import { BackupError } from '../errors.ts';
import {
  BASIS,
  compose,
  createDeltaPlan,
  type DeltaPlan,
  type DeltaPlanBuilder,
} from '../rsync/delta-plan.ts';
import { createDeltaReader, type DeltaReader } from '../rsync/delta-reader.ts';
import { createPatch } from '../rsync/patch.ts';
import { createSpool, type Spool } from './spool.ts';

export interface PatchChain {
  /** Begins a file; its base is pushed first. */
  start(): void;
  /** What is pushed from here on is the next delta. */
  startDelta(): void;
  /** @param bytes lent */
  push(bytes: Uint8Array): void;
  /**
   * Rebuilds the file. Nothing is written unless the whole chain holds together.
   * @param begin called once, before the first byte
   * @param write takes the new file's bytes in order; lent until it returns, or its promise is kept
   * @returns what is wrong with the chain, or undefined
   */
  finish(begin: () => void, write: Write): Promise<string | undefined>;
  /** Forgets the file. */
  abandon(): void;
  close(): void;
}

type Write = (bytes: Uint8Array) => Promise<void> | void;

/** The one that is pushed. */
interface Delta {
  /** Where it begins among all of them. */
  readonly from: number;
  readonly builder: DeltaPlanBuilder;
  readonly reader: DeltaReader;
}

const DELTAS = 1; // the source of literals in all plans
const SLAB = 256 * 1024;

/** @param folder for temporary files, where a base or deltas do not fit in memory */
export function createPatchChain(folder: string): PatchChain {
  let base = createSpool(folder);
  const deltas = createSpool(folder); // one behind the other
  let delta: Delta | undefined;
  let plan: DeltaPlan | undefined; // of the deltas before; none if the base is what they make
  let problem: string | undefined;
  const slab = Buffer.allocUnsafeSlow(SLAB);

  const attempt = (work: () => void) => {
    try {
      if (problem === undefined) work();
    } catch (error) {
      if (!(error instanceof BackupError) || error.code !== 'damaged') throw error;
      problem = error.message;
    }
  };
  const clear = () => {
    base.clear();
    deltas.clear();
    delta = undefined;
    plan = undefined;
  };
  /** Bytes of a spool; each piece is lent until the next one is asked for. */
  function* partOf(spool: Spool, from: number, end: number): Generator<Uint8Array, void, undefined> {
    for (let at = from; at < end; ) {
      const read = spool.read(at, slab.subarray(0, Math.min(SLAB, end - at)));
      if (read === 0) throw beyondBasis();
      yield slab.subarray(0, read);
      at += read;
    }
  }
  /** The file that a plan makes; or the base. */
  function* fileOf(made: DeltaPlan | undefined): Generator<Uint8Array, void, undefined> {
    if (!made) return yield* partOf(base, 0, base.size);
    for (let i = 0; i < made.count; i++) {
      const from = made.offset(i);
      yield* partOf(made.source(i) === BASIS ? base : deltas, from, from + made.start(i + 1) - made.start(i));
    }
  }
  /** What `make` pushes becomes the base. */
  const rebase = (make: (next: Spool) => void) => {
    const next = createSpool(folder);
    try {
      make(next);
    } catch (error) {
      next.close();
      throw error;
    }
    base.close();
    base = next;
    plan = undefined;
  };
  const applyPlan = () => {
    if (!plan) return;
    rebase(next => {
      for (const bytes of fileOf(plan)) next.push(bytes);
    });
  };
  /** To the base, command by command. */
  const applyDelta = ({ from }: Delta) =>
    rebase(next => {
      const gathered = gather(bytes => next.push(bytes));
      const patch = createPatch(base, gathered.push);
      for (const bytes of partOf(deltas, from, deltas.size)) patch.push(bytes);
      patch.end();
      gathered.end();
    });
  const include = (newest: Delta) => {
    if (newest.builder.isTooLong()) {
      applyPlan();
      applyDelta(newest);
      return;
    }
    const newer = newest.builder.finish();
    let both = plan ? compose(plan, newer) : newer;
    if (!both) {
      applyPlan(); // copies of copies became too many
      both = newer;
    }
    if (both.basisSize > base.size) throw beyondBasis();
    plan = both;
  };
  const endDelta = () => {
    const ended = delta;
    delta = undefined;
    if (!ended) return;
    attempt(() => {
      ended.reader.end();
      include(ended);
    });
  };

  return {
    start() {
      clear();
      problem = undefined;
    },
    startDelta() {
      endDelta();
      const builder = createDeltaPlan(DELTAS, deltas.size);
      delta = { from: deltas.size, builder, reader: createDeltaReader(builder) };
    },
    push(bytes) {
      if (!delta) return base.push(bytes);
      const { reader } = delta;
      deltas.push(bytes);
      attempt(() => reader.push(bytes));
    },
    async finish(begin, write) {
      endDelta();
      if (problem === undefined) {
        begin();
        for (const bytes of fileOf(plan)) {
          const written = write(bytes);
          if (written) await written;
        }
      }
      clear();
      return problem;
    },
    abandon: clear,
    close() {
      base.close();
      deltas.close();
    },
  };
}

function beyondBasis(): BackupError {
  return new BackupError('damaged', 'The delta of a file copies from beyond the end of its basis.');
}

/** Small pieces made large ones: a write for each byte would take hours. */
function gather(write: (bytes: Uint8Array) => void) {
  const buffer = Buffer.allocUnsafeSlow(SLAB);
  let used = 0;
  const end = () => {
    write(buffer.subarray(0, used));
    used = 0;
  };
  return {
    push(bytes: Uint8Array) {
      if (used + bytes.length > SLAB) end();
      buffer.set(bytes, used);
      used += bytes.length;
    },
    end,
  };
}
