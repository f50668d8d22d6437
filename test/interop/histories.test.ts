/**
 * Any tree, any sequence of changes, each backed up by a program drawn at random (ours or the real duplicity), any
 * volume size, encrypted or not, with prefixes or not, archive caches lost or broken in between: at every set's time
 * both programs restore what was there.
 */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Prefixes } from '../../src/manifest/names.ts';
import { createTestArchive } from '../support/archive.ts';
import { createDuplicity } from '../support/duplicity.ts';
import { mutateTree } from '../support/mutations.ts';
import { createRandom, type Random } from '../support/random.ts';
import { assertSameTree, type SnapshotEntry, snapshotTree } from '../support/snapshots.ts';
import { tempDir } from '../support/temp-dir.ts';
import { needTool } from '../support/tools.ts';
import { makeTree } from '../support/trees.ts';

const histories = Number(process.env.TSBACKUP_HISTORIES ?? (process.env.CI === 'true' ? 60 : 20));
const firstSeed = Number(process.env.TSBACKUP_FIRST_SEED ?? 1);

test(`${histories} histories restore equal at every time, by both programs`, { concurrency: 2 }, async t => {
  if (!needTool(t, 'duplicity', 'gpg')) return;
  const runs: Promise<void>[] = [];
  for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
    runs.push(t.test(`history ${seed}`, scope => checkHistory(scope as Scope, seed)));
  }
  await Promise.all(runs);
});

type Scope = Parameters<typeof tempDir>[0] & { diagnostic(message: string): void };

async function checkHistory(t: Scope, seed: number): Promise<void> {
  const random = createRandom(seed);
  const base = tempDir(t);
  const source = join(base, 'source');
  mkdirSync(source);
  makeTree(source, seed, { entries: 25, large: random.chance(0.3) });
  const encrypted = random.chance(0.3);
  const passphrase = encrypted ? { passphrase: 'pä ss' } : {};
  const archive = createTestArchive(base, { ...passphrase, cores: random.pick([1, 2]) });
  const duplicity = createDuplicity(t);
  const { prefixes, options: prefixOptions } = random.pick(prefixings);
  const compress = encrypted || random.chance(0.8);
  const level = compress ? [] : ['--no-compression'];
  const volsize = random.pick([1, 1, 2, 200]);
  const states: { time: number; tree: SnapshotEntry[]; by: string }[] = [];
  const told = () => states.map(({ by }) => by).join(' → ');

  const sets = random.between(2, 6);
  for (let i = 0; i < sets; i++) {
    if (i > 0) mutateTree(source, seed * 1000 + i, { changes: 8 });
    const time = 1_600_000_000 + i * 1000;
    const isFull = i === 0 || random.chance(0.1);
    const lost = loseCache(random, archive.common.archiveDir, duplicity.archiveDir);
    if (random.chance(0.5)) {
      archive.host.set(time);
      const status = await archive.backup(source, {
        mode: isFull ? 'full' : 'incremental',
        volumeSize: volsize * 1024 * 1024,
        compress,
        prefixes,
      });
      assert.equal(status, 0, `our backup after ${told()}: ${JSON.stringify(archive.host.reports)}`);
      states.push({ time, tree: snapshotTree(source), by: `${lost}${isFull ? 'our full' : 'ours'}` });
    } else {
      const args = ['--current-time', String(time), '--volsize', String(volsize), '--allow-source-mismatch'];
      const options = { ...passphrase, args: [...args, ...level, ...prefixOptions] };
      await (isFull ? duplicity.full : duplicity.incremental)(source, archive.url, options);
      states.push({
        time,
        tree: snapshotTree(source),
        by: `${lost}${isFull ? "duplicity's full" : "duplicity's"}`,
      });
    }
  }
  for (const [index, { time, tree }] of states.entries()) {
    const what = `state ${index + 1} of ${told()}`;
    try {
      const ours = join(base, `ours ${index}`);
      assert.equal(
        await archive.restore(ours, { time: String(time), prefixes }),
        0,
        JSON.stringify(archive.host.reports),
      );
      assertSameTree(snapshotTree(ours), tree);
      const theirs = join(base, `theirs ${index}`);
      await duplicity.restore(archive.url, theirs, {
        ...passphrase,
        args: ['-t', String(time), ...prefixOptions],
      });
      assertSameTree(snapshotTree(theirs), tree);
    } catch (error) {
      t.diagnostic(what);
      throw error;
    }
  }
}

const prefixings: readonly { readonly prefixes: Prefixes; readonly options: readonly string[] }[] = [
  { prefixes: {}, options: [] },
  { prefixes: {}, options: [] },
  { prefixes: { file: 'all-' }, options: ['--file-prefix', 'all-'] },
  {
    prefixes: { file: 'p-', archive: 'a-', manifest: 'm-', signature: 's-' },
    options: [
      ...['--file-prefix', 'p-', '--file-prefix-archive', 'a-'],
      ...['--file-prefix-manifest', 'm-', '--file-prefix-signature', 's-'],
    ],
  },
];

/** Now and then, what the programs keep at home is lost, or the catalog is broken. @returns what, in a few words */
function loseCache(random: Random, ours: string, theirs: string): string {
  if (!random.chance(0.3) || !existsSync(ours)) return '';
  const what = random.pick(['both caches', 'our cache', 'the catalog', 'bytes of the catalog']);
  if (what === 'both caches') rmSync(theirs, { recursive: true, force: true });
  if (what === 'both caches' || what === 'our cache') rmSync(ours, { recursive: true });
  else {
    for (const name of readdirSync(ours, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.sqlite')) continue;
      if (what === 'the catalog') rmSync(join(ours, name));
      else writeFileSync(join(ours, name), random.bytes(20_000));
    }
  }
  return `(${what} lost) `;
}
