import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BackupError } from '../../src/errors.ts';
import { createTestArchive } from '../support/archive.ts';
import { tempDir } from '../support/temp-dir.ts';

function fill(source: string, files: number): void {
  mkdirSync(source, { recursive: true });
  for (let i = 0; i < files; i++) writeFileSync(join(source, `file ${i}`), `content ${i}`);
}

async function stops(work: Promise<unknown>): Promise<void> {
  await assert.rejects(
    work,
    (error: unknown) => error instanceof BackupError && error.code === 'guard-stopped',
  );
}

test('backup stops before anything is stored when the source is empty though it was not', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  fill(source, 5);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source), 0);
  const before = readdirSync(archive.folder).sort();
  for (let i = 0; i < 5; i++) rmSync(join(source, `file ${i}`));
  archive.host.set(1_700_001_000);
  await stops(archive.backup(source, { allowMassDelete: false }));
  assert.deepEqual(readdirSync(archive.folder).sort(), before);

  fill(source, 5);
  archive.host.set(1_700_002_000);
  assert.equal(await archive.backup(source, { allowMassDelete: false }), 0);
  assert.equal(await archive.restore(join(base, 'restored')), 0);
  assert.equal(readdirSync(join(base, 'restored')).length, 5);
});

test('backup goes on without what it remembers of its source, where that is damaged', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  fill(source, 5);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source), 0);
  const [cache] = readdirSync(join(base, 'our cache'));
  const record = join(base, 'our cache', cache!, 'tsbackup-source.json');
  const whole = readFileSync(record, 'utf8');
  const others = ['null', '[]', '"x"', whole.replace('fileSystem', 'fileSysteM'), whole.slice(0, 30)];
  for (const [index, other] of others.entries()) {
    writeFileSync(record, other);
    archive.host.set(1_700_001_000 + index);
    assert.equal(await archive.backup(source, { allowMassDelete: false }), 0);
    assert.equal(readFileSync(record, 'utf8'), whole);
  }
});

test('backup stops when more than --max-delete of many entries are gone, and goes on when told so', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  fill(source, 300);
  const archive = createTestArchive(base);
  assert.equal(await archive.backup(source), 0);
  for (let i = 0; i < 200; i++) rmSync(join(source, `file ${i}`));
  archive.host.set(1_700_001_000);
  await stops(archive.backup(source, { allowMassDelete: false }));
  assert.equal(await archive.backup(source, { allowMassDelete: false, maxDelete: 70 }), 0);
  for (let i = 200; i < 250; i++) rmSync(join(source, `file ${i}`));
  archive.host.set(1_700_002_000);
  assert.equal(
    await archive.backup(source, { allowMassDelete: false, maxDelete: 10 }),
    0,
    'few are everyday life',
  );
});
