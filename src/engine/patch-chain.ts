/**
 * A file that is a base and deltas, rebuilt in one go: the deltas' plans are composed, so each byte is read once from
 * where it was stored and the file is written once, however long the chain is.
 */

import { BackupError } from '../errors.ts';
import { compose, createDeltaPlan, type DeltaPlan, type DeltaPlanBuilder } from '../rsync/delta-plan.ts';
import { createDeltaReader, type DeltaReader } from '../rsync/delta-reader.ts';
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

interface Source {
  readonly spool: Spool;
  readonly builder: DeltaPlanBuilder | undefined;
  readonly reader: DeltaReader | undefined;
}

const SLAB = 256 * 1024;

/** @param folder for temporary files, where a base or delta does not fit in memory */
export function createPatchChain(folder: string): PatchChain {
  const spools: Spool[] = []; // used again for the next file
  let sources: Source[] = [];
  let problem: string | undefined;
  const slab = Buffer.allocUnsafeSlow(SLAB);

  const note = (error: unknown): undefined => {
    if (!(error instanceof BackupError) || error.code !== 'damaged') throw error;
    problem ??= error.message;
  };
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (error) {
      note(error);
    }
  };
  const add = (isDelta: boolean) => {
    const number = sources.length;
    spools[number] ??= createSpool(folder);
    const builder = isDelta ? createDeltaPlan(number) : undefined;
    sources.push({ spool: spools[number], builder, reader: builder && createDeltaReader(builder) });
  };
  const clear = () => {
    for (const { spool } of sources) spool.clear();
    sources = [];
  };
  const copy = async (plan: DeltaPlan, write: Write) => {
    for (let i = 0; i < plan.count; i++) {
      const { spool } = sources[plan.source(i)]!;
      const from = plan.offset(i);
      const end = from + plan.start(i + 1) - plan.start(i);
      for (let at = from; at < end; ) {
        const read = spool.read(at, slab.subarray(0, Math.min(SLAB, end - at)));
        if (read === 0) throw new BackupError('damaged', 'The delta of a file copies from beyond its basis.');
        const written = write(slab.subarray(0, read));
        if (written) await written;
        at += read;
      }
    }
  };
  /** Applies a plan for good: its file becomes the base. */
  const rebase = async (plan: DeltaPlan) => {
    const next = createSpool(folder);
    await copy(plan, bytes => next.push(bytes));
    sources[0]!.spool.close();
    spools[0] = next;
    sources[0] = { spool: next, builder: undefined, reader: undefined };
  };
  const composed = async (): Promise<DeltaPlan> => {
    let plan: DeltaPlan | undefined;
    let basisSize = sources[0]!.spool.size;
    for (const { builder } of sources.slice(1)) {
      const newer = builder!.finish();
      let both = plan ? compose(plan, newer) : newer;
      if (!both) {
        await rebase(plan!); // copies of copies became too many
        basisSize = plan!.size;
        both = newer;
      }
      if (both.basisSize > basisSize) {
        throw new BackupError('damaged', 'The delta of a file copies from beyond the end of its basis.');
      }
      plan = both;
    }
    return plan!;
  };

  return {
    start() {
      clear();
      problem = undefined;
      add(false);
    },
    startDelta() {
      endDelta();
      add(true);
    },
    push(bytes) {
      const { spool, reader } = sources.at(-1)!;
      spool.push(bytes);
      if (problem === undefined) attempt(() => reader?.push(bytes));
    },
    async finish(begin, write) {
      endDelta();
      const plan = problem === undefined ? await composed().catch(note) : undefined;
      if (plan) {
        begin();
        await copy(plan, write);
      }
      clear();
      return problem;
    },
    abandon: clear,
    close() {
      for (const spool of spools) spool.close();
    },
  };

  function endDelta(): void {
    if (problem === undefined) attempt(() => sources.at(-1)!.reader?.end());
  }
}
