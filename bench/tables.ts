/** Samples → medians and ratios → tables. */

import type { Cost } from './measure.ts';
import { type Operation, operations } from './programs.ts';

export interface Sample extends Cost {
  readonly corpus: string;
  readonly operation: Operation;
  readonly program: string;
  /** How much larger the repository is afterwards. */
  readonly storedBytes: number;
}

/** Of at least one number. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** One sample for each corpus, operation and program, in this order; each figure is a median of its own. */
export function mediansOf(samples: readonly Sample[]): Sample[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = `${sample.corpus} ${sample.operation} ${sample.program}`;
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  const medians = [...groups.values()].map(group => ({
    ...group[0]!,
    wallSeconds: median(group.map(one => one.wallSeconds)),
    cpuSeconds: median(group.map(one => one.cpuSeconds)),
    peakRssBytes: median(group.map(one => one.peakRssBytes)),
    storedBytes: median(group.map(one => one.storedBytes)),
  }));
  const rank = (sample: Sample) => operations.indexOf(sample.operation);
  return medians.sort((a, b) => (a.corpus < b.corpus ? -1 : a.corpus > b.corpus ? 1 : rank(a) - rank(b)));
}

const head = [
  'corpus',
  'operation',
  'program',
  'wall s',
  'CPU s',
  'peak RSS MiB',
  'stored MB',
  '÷ duplicity',
  '÷ restic/borg',
];

/** Rows of text, the head first; the ratios are of wall time, the last one to the faster of restic and borg. */
export function rowsOf(medians: readonly Sample[]): string[][] {
  const rows = medians.map(sample => {
    const wallOf = (...names: string[]) => {
      const rivals = medians.filter(
        one =>
          one.corpus === sample.corpus && one.operation === sample.operation && names.includes(one.program),
      );
      return rivals.length === 0 ? undefined : Math.min(...rivals.map(one => one.wallSeconds));
    };
    return [
      sample.corpus,
      sample.operation,
      sample.program,
      sample.wallSeconds.toFixed(2),
      sample.cpuSeconds.toFixed(2),
      (sample.peakRssBytes / 2 ** 20).toFixed(0),
      sample.operation === 'restore' ? '' : (sample.storedBytes / 1e6).toFixed(1),
      ratio(sample.wallSeconds, wallOf('duplicity')),
      ratio(sample.wallSeconds, wallOf('restic', 'borg')),
    ];
  });
  return [head, ...rows];
}

function ratio(value: number, base: number | undefined): string {
  return base === undefined ? '' : (value / base).toFixed(2);
}

const TEXT_COLUMNS = 3;

/** For a terminal: text to the left, numbers to the right. */
export function formatText(rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(...rows.map(row => row[i]!.length)));
  const pad = (cell: string, i: number) =>
    i < TEXT_COLUMNS ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!);
  return rows.map(row => row.map(pad).join('  ').trimEnd()).join('\n');
}

export function formatMarkdown(rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, i) => (i < TEXT_COLUMNS ? '---' : '---:'));
  return [rows[0]!, rule, ...rows.slice(1)].map(row => `| ${row.join(' | ')} |`).join('\n');
}
