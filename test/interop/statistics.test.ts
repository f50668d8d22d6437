/** The statistics block says of a tree, and of each kind of change, what the real duplicity's says. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { createRandom } from '../support/random.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';

/** All that does not depend on clocks and on how well it is compressed. */
const numbersOf = (text: string) =>
  text.match(/^(SourceFile|NewFile|DeletedFiles|Changed|DeltaEntries|RawDelta|Errors).*$/gm);

test('the statistics of full and incremental backups are those of duplicity', async t => {
  if (!needTool(t, 'duplicity')) return;
  const base = tempDir(t);
  const source = join(base, 'source');
  const at = (...names: string[]) => join(source, ...names);
  for (const folder of ['touched', 'becomes a file', 'stays', 'goes'])
    mkdirSync(at(folder), { recursive: true });
  writeFileSync(at('edited'), createRandom(5).bytes(100_000));
  for (const name of ['touched file', 'becomes a folder', 'becomes a link', 'goes too'])
    writeFileSync(at(name), name);
  symlinkSync('edited', at('link'));
  symlinkSync('edited', at('link becomes a file'));
  execFileSync('mkfifo', [at('pipe')]);
  const settle = () => utimesSync(source, 1_600_000_000, 1_600_000_000);
  settle();
  const archive = createTestArchive(base, { now: 1_700_000_000 });
  const duplicity = createDuplicity(t);
  const theirs = `file://${join(base, 'theirs')}`;
  assert.equal(await archive.backup(source, { mode: 'full' }), 0);
  const time = ['--current-time', '1700000000'];
  const full = await duplicity.full(source, theirs, { args: time });
  assert.deepEqual(numbersOf(archive.host.output()), numbersOf(full.stdout));
  assert.match(full.stdout, /^NewFiles 13$/m);

  for (const name of ['touched', 'touched file', 'pipe']) utimesSync(at(name), 1_650_000_000, 1_650_000_000);
  writeFileSync(at('edited'), 'x'.repeat(1000), { flag: 'r+' });
  for (const name of ['becomes a folder', 'becomes a link', 'link', 'link becomes a file', 'goes too'])
    rmSync(at(name));
  for (const name of ['becomes a file', 'goes']) rmdirSync(at(name));
  mkdirSync(at('becomes a folder'));
  for (const name of ['becomes a file', 'link becomes a file', 'new']) writeFileSync(at(name), name);
  for (const name of ['becomes a link', 'link']) symlinkSync('elsewhere', at(name));
  utimesSync(at('edited'), 1_650_000_000, 1_650_000_000);
  settle();
  archive.host.clear();
  archive.host.set(1_700_001_000);
  assert.equal(await archive.backup(source, { mode: 'incremental' }), 0);
  const incremental = await duplicity.incremental(source, theirs, { args: ['--current-time', '1700001000'] });
  assert.deepEqual(numbersOf(archive.host.output()), numbersOf(incremental.stdout));
  assert.match(incremental.stdout, /^ChangedFiles 2$/m);
});
