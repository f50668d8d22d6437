/**
 * What a backup remembers of its source's root, so that the next one sees that a disk is not mounted before it stores
 * anything. Device numbers are no use, because those of network drives and USB disks change with every boot: what
 * counts is whether the root is a mount point, the kind of file system, and whether anything is there at all. The
 * record is a small file in the archive cache; without it (a new machine, a cleared cache) only the deletions that
 * the backup finds can stop it.
 */

import { displayPath } from '../bytes.ts';
import { BackupError } from '../errors.ts';
import type { SourceRoot } from '../files/wake.ts';
import { canonicalLocaldir } from '../manifest/source.ts';
import type { Reporter } from '../report.ts';
import { type OwnFolder, readOwn, writeOwn } from './own-files.ts';

const NOTE = 'source.json';

interface RootRecord {
  /** Latin1 path; the record says nothing of another source. */
  readonly source: string;
  readonly isMountPoint: boolean;
  readonly fileSystem: number;
  readonly isEmpty: boolean;
}

/** @throws BackupError `guard-stopped` when something else seems to be where the source was */
export function checkRoot(archive: OwnFolder, source: string, root: SourceRoot): void {
  const before = readRecord(archive);
  if (before?.source !== canonicalLocaldir(source)) return;
  const what = differenceOf(before, root);
  if (what === undefined) return;
  throw new BackupError(
    'guard-stopped',
    `the source ${displayPath(source)} ${what}; is its disk mounted? If that is as it should be, use --allow-mass-delete`,
  );
}

function differenceOf(before: RootRecord, root: SourceRoot): string | undefined {
  if (before.isMountPoint && !root.isMountPoint)
    return 'was a mount point at the last backup and is none now';
  if (familyOf(before.fileSystem) !== familyOf(root.fileSystem)) {
    const [then, now] = [before.fileSystem, root.fileSystem].map(type => `0x${type.toString(16)}`);
    return `lay on another kind of file system at the last backup (${then}, now ${now})`;
  }
  if (root.isEmpty && !before.isEmpty) return 'is empty and was not at the last backup';
  return undefined;
}

/** Linux tells SMB shares by one number or another, depending on its version and the server's. */
function familyOf(fileSystem: number): number {
  return [0xff534d42, 0xfe534d42].includes(fileSystem >>> 0) ? 0x517b : fileSystem;
}

/** To be called when something is stored, which counts without it: what goes wrong here is told and no more. */
export async function rememberRoot(
  archive: OwnFolder,
  source: string,
  root: SourceRoot,
  reporter: Reporter,
): Promise<void> {
  const { isMountPoint, fileSystem, isEmpty } = root;
  const record: RootRecord = { source: canonicalLocaldir(source), isMountPoint, fileSystem, isEmpty };
  if (JSON.stringify(record) === JSON.stringify(readRecord(archive))) return;
  try {
    await writeOwn(archive, NOTE, record);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    reporter.report({ level: 'warning', code: 'not-remembered', message: error.message });
  }
}

/** @returns undefined also for one that is damaged */
function readRecord(archive: OwnFolder): RootRecord | undefined {
  const record = readOwn(archive, NOTE) as RootRecord | null | undefined;
  return typeof record?.fileSystem === 'number' ? record : undefined;
}
