/** A source on a drive that a test can let go away and come back, under the real program. */

import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Program, ProgramOptions } from './program.ts';
import type { SourceFault } from './source-faults.ts';

export interface SleepingSource {
  /** Options for `program.run`: with them the faults happen. */
  readonly options: ProgramOptions;
  fail(fault: SourceFault): void;
  heal(): void;
}

const preload = fileURLToPath(new URL('./source-faults.js', import.meta.url));

export function createSleepingSource({ home }: Program): SleepingSource {
  const file = join(home, 'faults.json');
  spawnSync('mkfifo', [`${file}.fifo`]);
  return {
    options: { nodeArgs: ['--import', preload], env: { SOURCE_FAULTS: file }, timeoutMs: 60_000 },
    fail: fault => writeFileSync(file, JSON.stringify(fault)),
    heal: () => rmSync(file, { force: true }),
  };
}
