/** The benchmark's own arithmetic and manners; what it measures is not tested. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { drawChart } from '../../bench/charts.ts';
import { applyEdits } from '../../bench/edits.ts';
import { measure } from '../../bench/measure.ts';
import { formatMarkdown, formatText, median, mediansOf, rowsOf, type Sample } from '../../bench/tables.ts';
import { assertSameTree, snapshotTree, treeDifferences } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';
import { setMtime } from '../support/trees.ts';

test('applyEdits() changes every so many files and takes all of it back', t => {
  const base = tempDir(t);
  const place = { tree: join(base, 'tree'), editedMark: join(base, 'edited') };
  mkdirSync(place.tree);
  for (let i = 0; i < 20; i++) {
    const path = join(place.tree, `file ${i}`);
    writeFileSync(path, 'x'.repeat(i * 15_000));
    setMtime(path, 1_000_000_000 + i);
  }
  setMtime(place.tree, 1_000_000_000);
  const before = snapshotTree(place.tree);
  const takeBack = applyEdits(place, 7);
  const told = treeDifferences(snapshotTree(place.tree), before, { without: entry => entry.path === '' });
  assert.equal(told.length, 3 + 1); // files 0, 15 and 3 in byte order, and a new one
  takeBack();
  assertSameTree(snapshotTree(place.tree), before);
});

test('measure() counts the children of a program and gives its status', async t => {
  if (!needTool(t, 'python3')) return;
  const dir = tempDir(t);
  mkdirSync(join(dir, 'home'));
  const script = `${process.execPath} -e 'Buffer.alloc(150e6, 1)'; exit 3`;
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin' };
  const result = await measure({ command: 'sh', args: ['-c', script], env, cwd: join(dir, 'home') }, dir);
  assert.equal(result.status, 3);
  assert.ok(result.peakRssBytes > 150e6, `${result.peakRssBytes}`);
  assert.ok(result.cpuSeconds > 0 && result.wallSeconds > 0);
});

test('median() is the middle, or the mean of the two in the middle', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([1, 2, 10, 4]), 3);
});

const sample = (program: string, wallSeconds: number): Sample => ({
  ...{ corpus: 'a', operation: 'full', program, wallSeconds, cpuSeconds: 1, peakRssBytes: 2 ** 20 },
  storedBytes: 1e6,
});

test('rowsOf() compares with duplicity and with the faster of restic and borg', () => {
  const runs = [
    sample('tsbackup', 9),
    sample('duplicity', 8),
    sample('restic', 4),
    sample('borg', 2),
    sample('tsbackup', 1),
  ];
  const rows = rowsOf(mediansOf(runs));
  assert.deepEqual(rows[1], ['a', 'full', 'tsbackup', '5.00', '1.00', '1', '1.0', '0.63', '2.50']);
  assert.equal(rows.length, 5);
  assert.equal(formatMarkdown(rows).split('\n').length, 6);
  assert.match(formatText(rows), /^a {7}full {7}tsbackup/m);
});

test('rowsOf() leaves ratios empty where there is nobody to compare with', () => {
  assert.deepEqual(rowsOf([sample('tsbackup', 1)])[1]!.slice(-2), ['', '']);
});

test('drawChart() draws a bar for each program, as long as it took', () => {
  const chart = drawChart([sample('tsbackup', 2), sample('duplicity', 8)]);
  const widths = [...chart.matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)"/g)].map(match =>
    Number(match[1]),
  );
  assert.equal(widths.length, 2);
  assert.equal(widths[0]! * 4, widths[1]);
  assert.match(chart, />a, full<\/text>/);
  assert.match(chart, />tsbackup 2\.00 s<\/text>/);
});
