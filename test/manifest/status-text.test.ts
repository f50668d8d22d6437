import assert from 'node:assert/strict';
import test from 'node:test';
import { collectSets } from '../../src/manifest/chains.ts';
import { statusLines } from '../../src/manifest/status-text.ts';
import { full, inc, listed, unsigned, volume, whole } from './listing.ts';

process.env.TZ = 'UTC';
const status = (...names: (string | string[])[]) =>
  statusLines(collectSets(listed(...names)), { backend: 'BackendWrapper', archiveDir: '/cache/n' });

test('statusLines() of a chain has the columns that programs read', () => {
  assert.equal(
    status(whole(full(0)), whole(inc(0, 5), 2)).join('\n'),
    `Last full backup date: Tue Nov 14 22:13:20 2023
Collection Status
-----------------
Connecting with backend: BackendWrapper
Archive dir: /cache/n

Found 0 secondary backup chains.

Found primary backup chain with matching signature chain:
-------------------------
Chain start time: Tue Nov 14 22:13:20 2023
Chain end time: Tue Nov 14 22:13:25 2023
Number of contained backup sets: 2
Total number of contained volumes: 3
 Type of backup set:                            Time:      Num volumes:
                Full         Tue Nov 14 22:13:20 2023                 1
         Incremental         Tue Nov 14 22:13:25 2023                 2
-------------------------
No orphaned or incomplete backup sets found.`,
  );
});

test('statusLines() of an empty target says so', () => {
  assert.deepEqual(status().slice(0, 1), ['Last full backup date: none']);
  assert.deepEqual(status().slice(5), [
    '',
    'Found 0 secondary backup chains.',
    'No backup chains with active signatures found',
    'No orphaned or incomplete backup sets found.',
  ]);
});

test('statusLines() counts leftovers, and a last set without signatures among them', () => {
  assert.deepEqual(status(whole(full(0)), unsigned(inc(7, 9)), volume(inc(0, 5))).slice(-3), [
    'Also found 1 backup set not part of any chain,',
    'and 1 incomplete backup set.',
    'These may be deleted by running duplicity with the "cleanup" command.',
  ]);
  const discarded = status(whole(full(0)), whole(inc(0, 5)), unsigned(inc(5, 9)));
  assert.equal(discarded.filter(line => /^ +Incremental/.test(line)).length, 1);
  assert.ok(discarded.includes('and 1 incomplete backup set.'));
});

test('statusLines() lists older chains as secondary', () => {
  const lines = status(whole(full(0)), whole(full(20)), unsigned(full(40)));
  assert.ok(lines.includes('Found 3 secondary backup chains.'));
  assert.ok(lines.includes('Secondary chain 3 of 3:'));
  assert.ok(lines.includes('No backup chains with active signatures found'));
});
