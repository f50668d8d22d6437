/** A source on a drive that a test can let go away and come back, under the real program. */

import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Program, ProgramOptions } from './program.ts';
import type { SourceFault } from './source-faults.ts';

export interface SleepingSource {
  /** Options for `program.run`: with them the faults happen. */
  readonly options: ProgramOptions;
  fail(fault: SourceFault): void;
  /** Resolves when a call has begun to hang since `hung` was last called or a fault was set. */
  hung(): Promise<void>;
  heal(): void;
}

const preload = fileURLToPath(new URL('./source-faults.js', import.meta.url));

export function createSleepingSource({ home }: Program): SleepingSource {
  const file = join(home, 'faults.json');
  const mark = `${file}.hung`;
  spawnSync('mkfifo', [`${file}.fifo`]);
  return {
    options: { nodeArgs: ['--import', preload], env: { SOURCE_FAULTS: file }, timeoutMs: 60_000 },
    fail(fault) {
      rmSync(mark, { force: true });
      writeFileSync(file, JSON.stringify(fault));
    },
    async hung() {
      while (!existsSync(mark)) await sleep(20);
      rmSync(mark);
    },
    heal: () => rmSync(file, { force: true }),
  };
}
