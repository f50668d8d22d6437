/** Duply, a wrapper that many use, told that our program is its duplicity: its whole cycle. */

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectStatus, runProgram } from '../support/processes.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';

const bundle = fileURLToPath(new URL('../../bin/cli.js', import.meta.url));

test('duply runs its whole cycle with our program as its duplicity', async t => {
  if (!needTool(t, 'duply', 'gpg')) return;
  const home = tempDir(t);
  const at = (...parts: string[]) => join(home, ...parts);
  const profile = at('.duply', 'p');
  for (const folder of [at('bin'), profile, at('source', 'docs')]) mkdirSync(folder, { recursive: true });
  chmodSync(profile, 0o700);
  chmodSync(bundle, 0o755);
  symlinkSync(bundle, at('bin', 'duplicity'));
  symlinkSync(process.execPath, at('bin', 'node'));
  writeFileSync(at('source', 'docs', 'letter'), 'to whom it may concern');
  writeFileSync(at('source', 'skipped'), 'left out');
  writeFileSync(join(profile, 'exclude'), '- **/skipped\n');
  writeFileSync(
    join(profile, 'conf'),
    [
      "GPG_KEY='disabled'",
      `TARGET='file://${at('target')}'`,
      `SOURCE='${at('source')}'`,
      'MAX_AGE=1Y',
      'MAX_FULL_BACKUPS=1',
      'MAX_FULLS_WITH_INCRS=1',
      'MAX_FULLBKP_AGE=1M',
      'DUPL_PARAMS="$DUPL_PARAMS --full-if-older-than $MAX_FULLBKP_AGE "',
      'VOLSIZE=25',
      'DUPL_PARAMS="$DUPL_PARAMS --volsize $VOLSIZE "',
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
  const env = { PATH: `${at('bin')}:/usr/bin:/bin`, HOME: home, LC_ALL: 'C.UTF-8' };
  const duply = async (...words: string[]) => {
    const result = expectStatus(await runProgram('duply', ['p', ...words], { env, cwd: home }));
    assert.match(result.stdout, /Finished state OK/, words.join(' '));
    return result.stdout + result.stderr;
  };

  for (const words of [['status'], ['purge', '--force'], ['cleanup', '--force']]) {
    assert.match(await duply(...words), /^Warning: the target .* does not exist/m, 'there is no backup yet');
  }
  assert.match(await duply('full'), /^NewFiles 3$/m);
  writeFileSync(at('source', 'docs', 'second'), 'one more');
  assert.match(await duply('incr'), /^RawDeltaSize 8 .*$/m);
  for (const words of [['status'], ['status', '--dry-run']]) {
    assert.match(await duply(...words), /Number of contained backup sets: 2/);
  }
  assert.match(await duply('verify'), /Verify complete: 4 files compared, 0 differences found\./);
  assert.match(await duply('list'), / docs\/second$/m);
  await duply('fetch', 'docs/letter', at('letter'));
  assert.equal(readFileSync(at('letter'), 'utf8'), 'to whom it may concern');
  await duply('restore', at('out'));
  const wanted = snapshotTree(at('source')).filter(({ path }) => path !== 'skipped');
  assertSameTree(snapshotTree(at('out')), wanted);
  await duply('full');
  await duply('purgeIncr', '--force');
  assert.match(await duply('purgeFull', '--force'), /^Deleting backup chain/m);
  await duply('purge', '--force');
  await duply('cleanup', '--force');
  const manifests = readdirSync(at('target')).filter(name => name.includes('manifest'));
  assert.equal(manifests.length, 1, manifests.join());
});
