/** Hands a letter to a program that takes it as sendmail does. */

import { spawn } from 'node:child_process';
import { BackupError } from '../errors.ts';

export interface Envelope {
  readonly from: string;
  readonly to: readonly string[];
}

/**
 * Ends when the program does; one that takes too long is killed with all that it has started, and may have sent it.
 * @param message RFC 5322, with the line ends of Unix
 * @throws BackupError `notice-failed` for one that is late or killed; else what the system says, or the program
 */
export async function runSendmail(
  program: string,
  { from, to }: Envelope,
  message: Uint8Array,
  limit: AbortSignal,
): Promise<void> {
  if ([from, ...to].some(address => address.startsWith('-'))) {
    throw new BackupError('notice-failed', 'an address of the mail begins with -');
  }
  limit.throwIfAborted();
  const child = spawn(program, ['-i', '-f', from, ...to], {
    ...{ detached: true, stdio: ['pipe', 'ignore', 'pipe'] },
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-1000);
  });
  child.stdin.on('error', () => {}); // how it ended says more
  child.stdin.end(message);
  const kill = () => {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {} // it has ended, or never began
  };
  limit.addEventListener('abort', kill, { once: true });
  try {
    const how = await new Promise<string | undefined>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, killed) =>
        resolve(code === 0 ? undefined : `it ended with ${killed ?? `status ${code}`}`),
      );
    });
    if (limit.aborted && how !== undefined)
      throw new BackupError(
        'notice-failed',
        `${program} did not end in time and was killed; the mail may be on its way`,
      );
    if (how !== undefined) throw new Error(said.trim() === '' ? how : `${how}: ${said.trim()}`);
  } finally {
    limit.removeEventListener('abort', kill);
    child.stderr.destroy(); // what it has left in the background may keep it open
  }
}
