/** When a run that may choose begins a new chain by itself. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTestArchive } from '../support/archive.ts';
import { tempDir } from '../support/temp-dir.ts';

test('--full-if-n-inc begins a new chain when the newest has that many incrementals', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  const archive = createTestArchive(base);
  let runs = 0;
  const run = async (mode: 'auto' | 'incremental', fullIfIncrementals: number) => {
    archive.host.set(1_700_000_000 + 60 * runs++);
    assert.equal(await archive.backup(source, { mode, fullIfIncrementals }), 0);
    return readdirSync(archive.folder).filter(name => /full\..*manifest/.test(name)).length;
  };
  const fulls: number[] = [];
  for (let i = 0; i < 4; i++) fulls.push(await run('auto', 2));
  assert.deepEqual(fulls, [1, 1, 1, 2]);
  assert.equal(await run('incremental', 2), 2);
  assert.equal(await run('incremental', 1), 3, 'as with duplicity, whatever is asked for');
  assert.equal(await run('auto', 0), 4);
});
