import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';

/** How long a thread may take to end by itself, and how long it is waited for in all; it may hang in a system call. */
const GRACE_MS = 1500;
const PATIENCE_MS = 3000;

/**
 * Asks a thread to end, by the message `null`, and ends it if it does not: to terminate one while it starts or works can
 * take the whole process with it. A thread that hangs is left behind, and keeps the process alive.
 */
export async function endThread(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return; // it has ended
  const exited = new Promise(resolve => worker.once('exit', resolve));
  worker.postMessage(null);
  const timer = setTimeout(() => void worker.terminate(), GRACE_MS);
  await Promise.race([exited, sleep(PATIENCE_MS, undefined, { ref: false })]);
  clearTimeout(timer);
}
