/** A known fault: a target that lists empty (another disk, a wrong prefix) made the local signatures be deleted. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectStatus } from '../support/processes.ts';
import { createProgram } from '../support/program.ts';

test('a target that lists empty does not make us delete local signatures', async t => {
  const program = createProgram(t);
  const source = join(program.home, 'source');
  const target = join(program.home, 'target');
  const cache = join(program.home, '.cache/tsbackup/n');
  const url = `file://${target}`;
  const words = (...action: string[]) => [...action, '--name', 'n'];
  mkdirSync(source);
  writeFileSync(join(source, 'a'), '1');
  expectStatus(await program.run([...words('full', '--no-encryption'), source, url]));
  writeFileSync(join(source, 'a'), '22');
  expectStatus(await program.run([...words('incremental', '--no-encryption'), source, url]));
  const known = readdirSync(cache);
  assert.equal(known.filter(name => name.includes('sigtar')).length, 2);

  renameSync(target, `${target}.away`);
  mkdirSync(target);
  const everyCommand = [
    [...words('backup', '--no-encryption'), source, url],
    [...words('incremental', '--no-encryption'), source, url],
    [...words('restore'), url, 'out'],
    [...words('verify'), url, source],
    [...words('check'), url],
    [...words('list-current-files'), url],
    [...words('collection-status'), url],
    [...words('cleanup', '--force'), url],
    [...words('remove-older-than', '--force'), 'now', url],
    [...words('remove-all-but-n-full', '--force'), '1', url],
  ];
  for (const command of everyCommand) {
    await program.run(command);
    assert.deepEqual(readdirSync(cache), known, command[0]);
  }
  assert.deepEqual(readdirSync(target), []);
  rmdirSync(target);
  renameSync(`${target}.away`, target);
  const result = expectStatus(await program.run([...words('incremental', '--no-encryption'), source, url]));
  assert.doesNotMatch(result.stdout + result.stderr, /Copying/, 'nothing had to be fetched again');
});
