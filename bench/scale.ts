/**
 * What large trees cost in memory: a full backup, an unchanged one, one file back, and the status, of 100,000 and of
 * 1,000,000 files. Only ours: the others are not what is in question.
 */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectStatus } from '../test/support/processes.ts';
import { removeTree } from '../test/support/temp-dir.ts';
import { prepareCorpus, tinyCorpus } from './corpora.ts';
import { type Cost, measure } from './measure.ts';
import { makeSpace, tsbackup } from './programs.ts';

export interface ScaleRow extends Cost {
  readonly files: number;
  readonly operation: string;
}

const SIZES = [100_000, 1_000_000];

/** @param root where corpora are */
export async function measureScale(root: string, work: string): Promise<ScaleRow[]> {
  const rows: ScaleRow[] = [];
  for (const files of SIZES) {
    const { tree } = prepareCorpus(tinyCorpus(`tiny-${files}`, files), root);
    removeTree(work);
    const space = makeSpace(work);
    const url = `file://${space.repository}`;
    const full = tsbackup.step('full', tree, space);
    const common = full.args.slice(-2); // --archive-dir
    const program = full.args[0]!;
    const one = '0/0/note-7.txt';
    const runs: readonly [operation: string, words: readonly string[]][] = [
      ['full', ['full', tree, url]],
      ['unchanged', ['incremental', tree, url]],
      ['restore of one file', ['restore', '--path-to-restore', one, url, join(space.target, 'one')]],
      ['collection-status', ['collection-status', url]],
    ];
    for (const [operation, words] of runs) {
      await sleep(1100); // sets are named by the second
      const cost = await measure({ ...full, args: [program, ...words, ...common] }, work);
      expectStatus(cost);
      const { wallSeconds, cpuSeconds, peakRssBytes } = cost;
      rows.push({ files, operation, wallSeconds, cpuSeconds, peakRssBytes });
      console.log(`  ${files} files, ${operation}: ${wallSeconds.toFixed(2)} s`);
    }
    removeTree(work);
  }
  return rows;
}

export function formatScale(rows: readonly ScaleRow[]): string {
  return [
    '| files | operation | wall s | CPU s | peak RSS MB |',
    '| ---: | --- | ---: | ---: | ---: |',
    ...rows.map(({ files, operation, wallSeconds, cpuSeconds, peakRssBytes }) => {
      const figures = [wallSeconds.toFixed(2), cpuSeconds.toFixed(2), (peakRssBytes / 1e6).toFixed(0)];
      return `| ${[files.toLocaleString('en'), operation, ...figures].join(' | ')} |`;
    }),
  ].join('\n');
}
