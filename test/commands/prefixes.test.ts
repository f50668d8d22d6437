/** Archives with different prefixes at one URL have one folder in the archive cache, and nothing else in common. */

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { check } from '../../src/commands/check.ts';
import { BackupError } from '../../src/errors.ts';
import { createTestArchive } from '../support/archive.ts';
import { createRandom } from '../support/random.ts';
import { tempDir } from '../support/temp-dir.ts';

const [a, b] = [{ prefixes: { file: 'a-' } }, { prefixes: { file: 'b-' } }];

/** Two sources, each with files of 3 MB together. */
function twoArchives(base: string) {
  const random = createRandom(3);
  const sources = ['first', 'second'].map(name => {
    const source = join(base, name);
    mkdirSync(source);
    for (let i = 0; i < 6; i++) writeFileSync(join(source, `${i}`), random.bytes(500_000));
    return source;
  });
  return { archive: createTestArchive(base), first: sources[0]!, second: sources[1]! };
}

test('a source that is empty is not backed up, whatever was backed up with another prefix since', async t => {
  const { archive, first, second } = twoArchives(tempDir(t));
  await archive.backup(first, a);
  await archive.backup(second, b);
  for (const name of readdirSync(first)) rmSync(join(first, name));
  await assert.rejects(
    archive.backup(first, { ...a, allowMassDelete: false }),
    (error: unknown) => error instanceof BackupError && error.code === 'guard-stopped',
  );
});

test('a set that was interrupted is continued after a backup with another prefix', async t => {
  const { archive, first, second } = twoArchives(tempDir(t));
  archive.host.interruptAfter(2);
  await assert.rejects(archive.backup(first, a), { code: 'interrupted' });
  archive.host.interruptAfter(undefined);
  await archive.backup(second, b);
  archive.host.clear();
  await archive.backup(first, a);
  assert.ok(archive.host.reports.some(({ code }) => code === 'continuing'));
  const catalogs = readdirSync(join(archive.common.archiveDir, readdirSync(archive.common.archiveDir)[0]!));
  assert.equal(catalogs.filter(name => name.endsWith('.sqlite')).length, 2);
});

test('samples cover an archive, though another one is checked in between', async t => {
  const base = tempDir(t);
  const { archive, first, second } = twoArchives(base);
  await archive.backup(first, a);
  await archive.backup(second, b);
  const request = { ...archive.common, url: archive.url, sample: { bytes: 1 } };
  for (let i = 0; i < 4; i++) {
    archive.host.clear();
    for (const prefixes of [b, a]) assert.equal(await check({ ...request, ...prefixes }, archive.host), 0);
  }
  assert.match(archive.host.output(), /1 of 4 objects read .*, 4 are proved, no fault found\.\n$/);
});
