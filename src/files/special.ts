/** Fifos and devices: Node can't make them, so coreutils does, under a plain ASCII name in an open directory. */

import { execFileSync } from 'node:child_process';
import { bytesOf } from '../bytes.ts';
import type { Entry } from '../entry.ts';
import { systemError } from './problem.ts';
import type { TargetFolder } from './target-folder.ts';

/**
 * Makes the thing with mode 0600 at `name` (ASCII) in the folder.
 * @throws a system error; ENOSYS when the tool is not installed
 */
export function makeSpecial(folder: TargetFolder, name: string, entry: Entry): void {
  if (entry.type === 'fifo') return run('mkfifo', ['-m', '600', name], folder);
  // Only root can; asking the tool would cost a process for each.
  if (process.geteuid?.() !== 0) throw systemError('EPERM', 'only root can make devices');
  const { devMajor, devMinor } = entry;
  // To the tool a negative number would be an option.
  if (devMajor < 0 || devMinor < 0) throw systemError('EINVAL', 'no valid device number');
  const numbers = [String(devMajor), String(devMinor)];
  run('mknod', ['-m', '600', name, entry.type === 'chardev' ? 'c' : 'b', ...numbers], folder);
}

function run(tool: string, args: string[], folder: TargetFolder): void {
  try {
    // The child starts in the directory itself: its /proc/self still shows our open files when it changes there.
    execFileSync(tool, args, {
      cwd: bytesOf(folder.base).toString(),
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 60_000,
    });
  } catch (error) {
    const said = String((error as { stderr?: unknown }).stderr ?? '').trim();
    if (said === '') throw systemError('ENOSYS', `${tool} can't be run`);
    throw systemError(codeIn(said), `${tool}: ${said.replace(/\n.*/s, '').replace(/^.*: /, '')}`);
  }
}

function codeIn(text: string): string {
  return texts.find(([words]) => text.includes(words))?.[1] ?? 'EIO';
}

const texts = [
  ['Operation not permitted', 'EPERM'],
  ['Operation not supported', 'ENOTSUP'],
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Read-only file system', 'EROFS'],
  ['Permission denied', 'EACCES'],
  ['File exists', 'EEXIST'],
  ['Invalid argument', 'EINVAL'],
  ['invalid m', 'EINVAL'], // "invalid major device number"
] as const;
