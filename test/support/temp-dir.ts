/** Temporary folders that go away with their test, whatever a test has put into them. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A TestContext, or what `node:test` gives to a suite: anything that runs a function at its end. */
export interface Scope {
  after(work: () => void | Promise<void>): void;
}

/** A new empty folder of mode 0700 with a short path, removed after the test. */
export function tempDir(t: Scope): string {
  const dir = mkdtempSync(join(tmpdir(), 'tsb-'));
  t.after(() => removeTree(dir));
  return dir;
}

/** Removes a tree with closed directories, names of any bytes and paths of any length; `path` itself is text. */
export function removeTree(path: string): void {
  const remove = () => spawnSync('rm', ['-rf', '--', path], { encoding: 'utf8' });
  if (remove().status === 0) return;
  // Only now, when it can't be a symlink: chmod would follow it, out of the test's own folder.
  spawnSync('chmod', ['-R', 'u+rwx', '--', path], { stdio: 'ignore' });
  const { status, stderr } = remove();
  if (status !== 0) throw new Error(`could not remove ${path}: ${stderr}`);
}
