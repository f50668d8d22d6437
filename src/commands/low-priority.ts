/** Runs that nobody waits for leave processor and disk to others. What can't be done is left: a backup matters more. */

import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';

/** @param nice 1 to 19 */
export function lowerPriority(nice: number): void {
  // On Linux a priority is a thread's, and Node has some by now; later ones inherit it.
  const threads = threadIds();
  for (const id of threads) {
    try {
      setPriority(id, nice);
    } catch {} // it has ended, or we may not
  }
  try {
    execFileSync('ionice', ['-c', '3', '-p', ...threads.map(String)], { stdio: 'ignore', timeout: 5000 });
  } catch {} // there is none, or the kernel does not know of it
}

function threadIds(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [process.pid];
  }
}
