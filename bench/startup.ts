/** What every run pays before it does anything: `--version` beside Node itself, and the status of a long archive. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectStatus } from '../test/support/processes.ts';
import { cliPath } from '../test/support/program.ts';
import { removeTree } from '../test/support/temp-dir.ts';
import { measure, type Step } from './measure.ts';
import { makeSpace, tsbackup } from './programs.ts';
import { median } from './tables.ts';

const SETS = 100;
const TIMES = 15;

export interface StartupRow {
  readonly what: string;
  readonly wallSeconds: number;
  readonly peakRssBytes: number;
}

export async function measureStartup(work: string): Promise<StartupRow[]> {
  removeTree(work);
  const space = makeSpace(work);
  const source = join(work, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'content');
  const { args, ...step } = tsbackup.step('full', source, space);
  const common = args.slice(-2); // --archive-dir
  const url = `file://${space.repository}`;
  const run = (...words: string[]): Step => ({ ...step, args: [cliPath, ...words] });
  try {
    for (let set = 0; set < SETS; set++) {
      const action = set % 10 === 0 ? 'full' : 'incremental';
      const time = String(1_700_000_000 + 86_400 * set);
      expectStatus(await measure(run(action, source, url, '--current-time', time, ...common), work));
    }
    const rows: readonly [what: string, step: Step][] = [
      ['node -e 0', { ...step, args: ['-e', '0'] }],
      ['tsbackup --version', run('--version')],
      [`collection-status of ${SETS} sets`, run('collection-status', url, ...common)],
    ];
    const costs = new Map<string, { wall: number[]; rss: number[] }>(
      rows.map(([what]) => [what, { wall: [], rss: [] }]),
    );
    for (let time = 0; time < TIMES; time++) {
      for (const [what, one] of rows) {
        const cost = await measure(one, work);
        expectStatus(cost);
        costs.get(what)!.wall.push(cost.wallSeconds);
        costs.get(what)!.rss.push(cost.peakRssBytes);
      }
    }
    return [...costs].map(([what, { wall, rss }]) => ({
      what,
      wallSeconds: median(wall),
      peakRssBytes: median(rss),
    }));
  } finally {
    removeTree(work);
  }
}

export function formatStartup(rows: readonly StartupRow[]): string {
  return [
    '| what | wall s | peak RSS MB |',
    '| --- | ---: | ---: |',
    ...rows.map(
      ({ what, wallSeconds, peakRssBytes }) =>
        `| ${what} | ${wallSeconds.toFixed(3)} | ${(peakRssBytes / 1e6).toFixed(0)} |`,
    ),
  ].join('\n');
}
