/** A source that holds what the run itself works with, as a home folder does: its archive cache and its locks. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { acquireRunLock } from '../../src/cache/lock.ts';
import { createTestArchive } from '../support/archive.ts';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';
import { tempDir } from '../support/temp-dir.ts';

/** @returns the code of the error that another process gets who wants the lock; '' if it gets it */
function lockElsewhere(folder: string): string {
  const script = `
    const { acquireRunLock } = await import(${JSON.stringify(new URL('../../src/cache/lock.js', import.meta.url).href)});
    await acquireRunLock(process.argv[1]).catch(error => process.stdout.write(error.code));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script, folder]);
  return String(stdout);
}

test('a backup keeps the locks of its own process that lie in its source', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  const state = join(source, 'state');
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, 'state.json'), '{}');
  const archive = createTestArchive(base);
  const lock = await acquireRunLock(state);
  try {
    assert.equal(await archive.backup(source), 0);
    assert.equal(lockElsewhere(state), 'locked');
  } finally {
    lock.release();
  }
  assert.equal(await archive.backup(source, { mode: 'full' }), 0); // nobody's lock any more
  assert.equal(await archive.restore(join(base, 'restored')), 0);
});

test('a backup of the folder that holds its archive cache leaves that out, and verify finds nothing new', async t => {
  const program = createProgram(t);
  const url = `file://${join(program.home, '..', 'target')}`;
  writeFileSync(join(program.home, 'letter'), 'Dear Ann');
  const run = async (...args: string[]) => {
    const result = await program.run([...args, '--no-encryption']);
    expectStatus(result, 0);
    return result.stdout;
  };
  await run('full', program.home, url);
  writeFileSync(join(program.home, 'letter'), 'Dear Ben');
  await run('incremental', program.home, url);
  const listed = await run('list-current-files', url);
  assert.match(listed, / letter$/m);
  assert.doesNotMatch(listed, /\.cache\/tsbackup\/./);
  await run('verify', '--compare-data', url, program.home);
});
