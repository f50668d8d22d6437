import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathFromText } from '../../src/bytes.ts';
import { type RemoveAction, remove } from '../../src/commands/remove.ts';
import { createTestArchive, type TestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { assertSameTree, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';

const DAY = 86_400;
const START = 1_700_000_000;

/** Three chains of a full and an incremental, a day between sets. */
async function threeChains(base: string): Promise<TestArchive> {
  const source = join(base, 'source');
  mkdirSync(source);
  const archive = createTestArchive(base);
  for (let i = 0; i < 6; i++) {
    writeFileSync(join(source, `file ${i}`), `content ${i}`);
    archive.host.set(START + i * DAY);
    assert.equal(await archive.backup(source, { mode: i % 2 === 0 ? 'full' : 'incremental' }), 0);
  }
  return archive;
}

async function call(
  archive: TestArchive,
  action: RemoveAction,
  limit: string,
  force: boolean,
): Promise<string> {
  archive.host.clear();
  const request = { ...archive.common, action, limit, url: archive.url, force, dryRun: false };
  assert.equal(await remove(request, archive.host), 0);
  return archive.host.output();
}

const setsAt = ({ folder }: TestArchive) =>
  readdirSync(folder).filter(name => name.includes('manifest')).length;

test('remove-older-than shows what would go, and removes whole old chains with --force', async t => {
  const base = tempDir(t);
  const archive = await threeChains(base);
  const shown = await call(archive, 'remove-older-than', String(START + 3.5 * DAY), false);
  assert.match(shown, /Found old backup chain\(s\)/);
  assert.equal(setsAt(archive), 6);
  await call(archive, 'remove-older-than', String(START + 3.5 * DAY), true);
  assert.equal(setsAt(archive), 2);
  const restored = join(base, 'restored');
  assert.equal(await archive.restore(restored), 0);
  assert.equal(readdirSync(restored).length, 6);
  assert.match(await call(archive, 'remove-older-than', '1s', true), /nothing deleted/);
  assert.equal(setsAt(archive), 2, 'the newest chain always stays');
});

test('remove-all-inc-of-but-n-full and remove-all-but-n-full leave what duplicity leaves', async t => {
  if (!needTool(t, 'duplicity')) return;
  const base = tempDir(t);
  const archive = await threeChains(base);
  await call(archive, 'remove-all-inc-of-but-n-full', '1', true);
  assert.equal(setsAt(archive), 4);
  await call(archive, 'remove-all-but-n-full', '2', true);
  assert.equal(setsAt(archive), 3);
  const status = await createDuplicity(t).collectionStatus(archive.url);
  assert.match(status.stdout, /No orphaned or incomplete backup sets found/);
});

test('cleanup removes the volumes of a set that was never completed, and nothing else', async t => {
  const archive = await threeChains(tempDir(t));
  const stray = 'duplicity-full.20300101T000000Z.vol1.difftar.gz';
  writeFileSync(join(archive.folder, stray), 'half a volume');
  const before = readdirSync(archive.folder).length;
  assert.match(await call(archive, 'cleanup', '', false), new RegExp(stray.replaceAll('.', '\\.')));
  assert.equal(readdirSync(archive.folder).length, before);
  await call(archive, 'cleanup', '', true);
  assert.equal(readdirSync(archive.folder).length, before - 1);
  assert.match(await call(archive, 'cleanup', '', true), /nothing deleted in cleanup/);
});

test('names at the target are told as they are, and steer no terminal', async t => {
  const archive = await threeChains(tempDir(t));
  const stray = 'fü-duplicity-full.20300101T000000Z.vol1.difftar';
  writeFileSync(join(archive.folder, `${stray}.\x1b[31m\n`), 'an editor left it');
  const prefixes = { file: pathFromText('fü-') };
  archive.host.clear();
  const request = { ...archive.common, prefixes, url: archive.url, limit: '', force: false, dryRun: false };
  assert.equal(await remove({ ...request, action: 'cleanup' }, archive.host), 0);
  const told = `${stray}.\\x1b[31m\\x0a`;
  assert.ok(archive.host.output().includes(`\n${told}\n`));
  assert.ok(archive.host.reports.some(({ message }) => message.startsWith(`${told} is not part of`)));
});

test('prune keeps what the calendar says, in words, and what is left restores', async t => {
  const base = tempDir(t);
  const archive = await threeChains(base);
  const request = { ...archive.common, action: 'prune', limit: '', url: archive.url, dryRun: false } as const;
  const prune = async (force: boolean) => {
    archive.host.clear();
    assert.equal(await remove({ ...request, force, keep: { daily: 2, fullMin: 1 } }, archive.host), 0);
    return archive.host.output();
  };
  const shown = await prune(false);
  assert.match(shown, /^Keeping the incremental backup of \S+: the newest, the last of [\d-]+\.$/m);
  assert.match(shown, /^Would remove the full backup of \S+: no rule keeps it\.$/m);
  assert.equal(setsAt(archive), 6);
  assert.match(await prune(true), /^Removing the full backup/m);
  assert.equal(setsAt(archive), 2);
  assert.equal(await archive.restore(join(base, 'restored')), 0);
  assert.equal(readdirSync(join(base, 'restored')).length, 6);
  assert.match(await prune(true), /^Nothing to remove\.$/m);
});

test('no removal takes sets without manifest from those that build on them', async t => {
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  const archive = createTestArchive(base);
  for (let i = 0; i < 4; i++) {
    writeFileSync(join(source, `file ${i}`), `content ${i}`);
    archive.host.set(START + i * DAY);
    assert.equal(await archive.backup(source, { mode: i === 0 ? 'full' : 'incremental' }), 0);
  }
  const tree = snapshotTree(source);
  archive.host.set(START + 9 * DAY);
  assert.equal(await archive.backup(source, { mode: 'full' }), 0);
  const manifests = readdirSync(archive.folder).filter(name => name.includes('manifest'));
  const lost = manifests.filter(name => !name.includes('-full')).sort();
  for (const name of lost.slice(0, 2)) rmSync(join(archive.folder, name));
  rmSync(archive.common.archiveDir, { recursive: true });
  const before = readdirSync(archive.folder);
  assert.match(await call(archive, 'cleanup', '', true), /nothing deleted in cleanup/);
  // The limit lies between sets of the chain.
  await call(archive, 'remove-older-than', String(START + 1.5 * DAY), true);
  assert.deepEqual(readdirSync(archive.folder), before);
  assert.equal(await archive.restore(join(base, 'out'), { time: String(START + 4 * DAY) }), 1);
  assertSameTree(snapshotTree(join(base, 'out')), tree);
  await call(archive, 'remove-older-than', String(START + 5 * DAY), true);
  assert.equal(readdirSync(archive.folder).length, 3, 'all of the old chain goes at last');
});

test('a removal that was interrupted is missed by no check, and ended by the next one', async t => {
  const archive = await threeChains(tempDir(t));
  const limit = String(START + 3.5 * DAY);
  const request = { ...archive.common, action: 'remove-older-than' as const, limit, url: archive.url };
  for (const deletions of [1, 2, 4]) {
    let left = deletions;
    const signal = { throwIfAborted: () => assert.ok(left-- > 0, 'interrupted') } as AbortSignal;
    await assert.rejects(remove({ ...request, force: true, dryRun: false }, { ...archive.host, signal }));
    archive.host.clear();
    assert.equal(await archive.check(), 0, archive.host.output());
  }
  assert.match(await call(archive, 'remove-all-but-n-full', '9', false), /Found old backup chain/);
  await call(archive, 'remove-all-but-n-full', '9', true);
  assert.equal(setsAt(archive), 3, 'what was begun is ended, and nothing else goes');
  assert.equal(await archive.check(), 0, archive.host.output());
  await call(archive, 'remove-older-than', limit, true);
  assert.equal(setsAt(archive), 2);
  assert.equal(readdirSync(archive.folder).length, 6, 'no volume or sigtar is left of what was removed');
});

test('a removal that broke off in the archive cache leaves nothing there that the next one does not forget', async t => {
  const archive = await threeChains(tempDir(t));
  const { archiveDir } = archive.common;
  const cache = join(archiveDir, readdirSync(archiveDir)[0]!);
  const cached = () => readdirSync(cache).filter(name => name.startsWith('duplicity-'));
  const oldest = cached().filter(name => /-full.*20231114T221320Z/.test(name));
  assert.equal(oldest.length, 2);
  const request = {
    ...archive.common,
    action: 'remove-older-than' as const,
    url: archive.url,
    dryRun: false,
  };
  const limit = String(START + 1.5 * DAY);
  let left = 6; // objects of two sets
  const throwIfAborted = () => {
    if (--left > 0) return;
    rmSync(join(cache, oldest[0]!));
    mkdirSync(join(cache, oldest[0]!)); // which can't be unlinked
  };
  const host = { ...archive.host, signal: { throwIfAborted } as AbortSignal };
  await assert.rejects(remove({ ...request, limit, force: true }, host), /archive cache fails/);
  rmSync(join(cache, oldest[0]!), { recursive: true });
  writeFileSync(join(cache, oldest[0]!), '');
  assert.equal(setsAt(archive), 4);
  assert.match(await call(archive, 'remove-older-than', limit, true), /nothing deleted/);
  assert.equal(cached().length, 8, cached().join(' '));
  archive.host.set(START + 7 * DAY);
  archive.host.clear();
  assert.equal(await archive.backup(join(archive.folder, '..', 'source')), 0);
  assert.deepEqual(
    archive.host.reports.filter(({ level }) => level === 'warning'),
    [],
  );
});

test('where the archive cache has no room for a note old backups are removed all the same', async t => {
  const archive = await threeChains(tempDir(t));
  const { archiveDir } = archive.common;
  const cache = join(archiveDir, readdirSync(archiveDir)[0]!);
  const note = join(cache, 'tsbackup-removal.json');
  mkdirSync(join(note, 'in the way'), { recursive: true });
  const request = {
    ...archive.common,
    action: 'remove-all-but-n-full' as const,
    limit: '1',
    url: archive.url,
  };
  let left = 2;
  const signal = { throwIfAborted: () => assert.ok(left-- > 0, 'interrupted') } as AbortSignal;
  await assert.rejects(remove({ ...request, force: true, dryRun: false }, { ...archive.host, signal }));
  archive.host.clear();
  assert.equal(await archive.check(), 0, 'nobody takes what was begun for a backup');
  rmSync(note, { recursive: true });
  await call(archive, 'remove-all-but-n-full', '1', true);
  await call(archive, 'cleanup', '', true);
  assert.equal(setsAt(archive), 2);
  assert.equal(readdirSync(archive.folder).length, 6);
});

test('cleanup spares a set that another machine completes while the plan is being read', async t => {
  const base = tempDir(t);
  const archive = await threeChains(base);
  const manifest = readdirSync(archive.folder).find(name => /inc.*manifest/.test(name))!;
  const names = readdirSync(archive.folder);
  renameSync(join(archive.folder, manifest), join(base, manifest));
  const other = createTestArchive(join(base, 'other'), { url: archive.url });
  const { print } = other.host;
  other.host.print = async (...result) => {
    await print(...result);
    renameSync(join(base, manifest), join(archive.folder, manifest));
  };
  assert.match(await call(other, 'cleanup', '', true), /^Deleting this file from backend:/m);
  assert.ok(other.host.reports.some(({ code }) => code === 'completed-meanwhile'));
  assert.deepEqual(readdirSync(archive.folder), names);
});
