/** collection-status of what has changed: one file's history, or all changes of a set, from the manifests' lists. */

import { displayPath } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import type { Chain } from '../manifest/chains.ts';
import {
  changeItem,
  changeLine,
  changesHead,
  type HistoryEntry,
  historyLines,
  type PathChange,
  pathWidth,
} from '../manifest/changes-text.ts';
import { createManifestReader } from '../manifest/manifest-reader.ts';
import { type BackupSet, describeSet } from '../manifest/sets.ts';
import { RULE } from '../manifest/status-text.ts';
import type { Archive } from './archive.ts';
import type { Host } from './host.ts';

/**
 * What the sets of a chain did to the file `path`.
 * @param others chains that are asked, oldest first, if it did nothing: the file may have been deleted before it began
 */
export async function printHistory(
  path: string,
  chain: Chain,
  others: readonly Chain[],
  archive: Archive,
  host: Host,
): Promise<void> {
  const { reporter, signal } = host;
  const entries = await historyIn(chain, path, archive, host);
  if (entries.length === 0) {
    for (const other of others) {
      try {
        entries.push(...(await historyIn(other, path, archive, host)));
      } catch (error) {
        if (signal.aborted || !(error instanceof BackupError)) throw error;
        reporter.report({ level: 'warning', code: error.code, message: error.message });
      }
    }
  }
  if (entries.length === 0) {
    const message = `no backup at the target lists the file ${displayPath(path)}; write it as list-current-files does (lists of changes have no folders)`;
    reporter.report({ level: 'warning', code: 'nothing-to-restore', message });
  }
  await host.print(`${historyLines(path, entries).join('\n')}\n`, () =>
    entries.map(({ set, change }) => changeItem(set, { change, path })),
  );
}

async function historyIn(chain: Chain, path: string, archive: Archive, host: Host): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  for (const set of chain.sets) {
    await mention(set, archive, host);
    for await (const changes of changesOf(set, archive)) {
      for (const { change } of changes.filter(change => change.path === path)) entries.push({ set, change });
    }
  }
  return entries;
}

/** What a set of a chain did; @param index 0 for the newest set, -1 for all. @throws BackupError `usage` */
export async function printChanges(index: number, chain: Chain, archive: Archive, host: Host): Promise<void> {
  const newestFirst = chain.sets.toReversed();
  const chosen = index < 0 ? newestFirst : newestFirst.slice(index, index + 1);
  if (chosen.length === 0) {
    const count = `${newestFirst.length} set${newestFirst.length === 1 ? '' : 's'}`;
    throw new BackupError(
      'usage',
      `the newest chain has ${count}; --show-changes-in-set takes 0 (the newest) to ${newestFirst.length - 1}, or -1 for all`,
    );
  }
  for (const set of chosen) {
    await mention(set, archive, host);
    await printSet(set, archive, host);
  }
}

/** The list may have a million lines, so it is read twice: for its size, and to print it. */
async function printSet(set: BackupSet, archive: Archive, host: Host): Promise<void> {
  const size = { count: 0, widest: 'File:'.length };
  for await (const changes of changesOf(set, archive)) {
    size.count += changes.length;
    for (const { path } of changes) size.widest = Math.max(size.widest, pathWidth(path));
  }
  const print = (lines: readonly string[], items: PathChange[] = []) =>
    host.print(
      () => Buffer.from(lines.map(line => `${line}\n`).join(''), 'latin1'),
      () => items.map(change => changeItem(set, change)),
    );
  await print(changesHead(set, size));
  for await (const changes of changesOf(set, archive)) {
    await print(
      changes.map(change => changeLine(change, size)),
      changes,
    );
  }
  await print([RULE]);
}

/** Fetches the set's manifest if the cache lacks it, and says so if it lists no changes because it has no such list. */
async function mention(set: BackupSet, archive: Archive, { reporter, signal }: Host): Promise<void> {
  signal.throwIfAborted();
  const { ending } = await archive.manifestOf(set);
  if (ending === 'filelist') return;
  reporter.report({
    level: 'warning',
    code: 'no-change-list',
    message: `The manifest of the ${describeSet(set.id)} does not list all that changed.`,
  });
}

/** A set's changes, some at a time; its manifest is in the cache. */
async function* changesOf(set: BackupSet, archive: Archive): AsyncGenerator<PathChange[]> {
  let changes: PathChange[] = [];
  const reader = createManifestReader((change, path) => changes.push({ change, path }));
  for await (const chunk of (await archive.openInCache(set, 'manifest'))!) {
    reader.push(chunk);
    yield changes;
    changes = [];
  }
  reader.end();
  yield changes;
}
