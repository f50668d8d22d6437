/** Debian tools that interop tests trade bytes with. */

import { execFileSync, spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { messageOf } from '../../src/errors.ts';

const found = new Map<string, boolean>();

/** Whether a program is on the PATH. */
export function haveTool(name: string): boolean {
  let answer = found.get(name);
  if (answer === undefined) {
    answer = spawnSync('sh', ['-c', 'command -v -- "$1"', 'sh', name], { stdio: 'ignore' }).status === 0;
    found.set(name, answer);
  }
  return answer;
}

/**
 * For tests that need a Debian tool: skips with a printed reason on a user's machine, fails when CI=true.
 * @returns whether the test can go on: `if (!needTool(t, 'rdiff')) return;`
 */
export function needTool(t: TestContext, ...names: string[]): boolean {
  const missing = names.filter(name => !haveTool(name));
  if (missing.length === 0) return true;
  return skip(t, `needs ${missing.join(', ')} (Debian packages of these names)`);
}

function skip(t: TestContext, reason: string): false {
  if (process.env.CI === 'true') throw new Error(`${reason}; in CI nothing may be skipped`);
  t.skip(reason);
  return false;
}

let generation: number | undefined;

/** Of the duplicity on the PATH: 0 in Debian 12, 3 in Debian 13. */
export function duplicityGeneration(): number {
  generation ??= Number(
    /^duplicity (\d+)\./.exec(execFileSync('duplicity', ['--version'], { encoding: 'utf8' }))![1],
  );
  return generation;
}

/** For tests that only root can make: skips with a printed reason, fails when CI=true. */
export function needRoot(t: TestContext, reason: string): boolean {
  return process.getuid?.() === 0 || skip(t, reason);
}

/**
 * For tests that give up root's rights for a while: skips with a printed reason where Node.js lets nobody do so, as
 * Debian 13's does, because it may use io_uring. Fails when CI=true.
 */
export function needOrdinaryUser(t: TestContext): boolean {
  if (process.getuid?.() !== 0) return true;
  try {
    process.seteuid!(0);
    return true;
  } catch (error) {
    return skip(t, messageOf(error));
  }
}
