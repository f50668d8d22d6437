/**
 * Restore of one small file, changed now and then, from a chain of 1 full and 20 incrementals: what a long chain costs
 * a reader.
 */

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectStatus } from '../test/support/processes.ts';
import { removeTree } from '../test/support/temp-dir.ts';
import { measure } from './measure.ts';
import { makeSpace, type Program, type Space } from './programs.ts';
import type { Sample } from './tables.ts';

const INCREMENTALS = 20;
const WANTED = 'project-1/wanted.txt';
/** The wanted file is changed by one incremental in so many; other files by all. */
const WANTED_EVERY = 5;

/** @param packages the tree of corpus a; a part of it is copied and edited */
export async function measureChain(program: Program, packages: string, work: string): Promise<Sample[]> {
  removeTree(work);
  const space: Space = makeSpace(work);
  const source = join(work, 'source');
  mkdirSync(source);
  cpSync(join(packages, 'project-1'), join(source, 'project-1'), {
    recursive: true,
    preserveTimestamps: true,
  });
  const edit = (round: number) => {
    if (round % WANTED_EVERY === 0) writeFileSync(join(source, WANTED), `as of round ${round}\n`);
    for (let i = 0; i < 50; i++)
      writeFileSync(join(source, `project-1/changed-${i}.txt`), `${round} `.repeat(2000));
  };
  try {
    for (let round = 0; round <= INCREMENTALS; round++) {
      edit(round);
      const operation = round === 0 ? 'full' : 'edited';
      expectStatus(await measure(program.step(operation, source, space), work));
      await sleep(1100); // sets and changes are told apart by the second
    }
    rmSync(space.target, { recursive: true, force: true });
    const step = program.step('restore', source, space);
    const target = join(space.target, 'one file');
    mkdirSync(space.target, { recursive: true });
    const args = step.args.map(arg => (arg === space.target ? target : arg));
    const cost = await measure({ ...step, args: [...args, '--file-to-restore', WANTED] }, work);
    expectStatus(cost);
    if (readFileSync(target, 'utf8') !== `as of round ${INCREMENTALS}\n`)
      throw new Error('restored another file');
    const { wallSeconds, cpuSeconds, peakRssBytes } = cost;
    const name = { corpus: 'chain', operation: 'restore', program: program.name } as const;
    return [{ ...name, wallSeconds, cpuSeconds, peakRssBytes, storedBytes: 0 }];
  } finally {
    removeTree(work);
  }
}
