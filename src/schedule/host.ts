/** What a schedule is installed on, and how it is reached; handed in, so that tests have a host of their own. */

import { execFile } from 'node:child_process';
import { BackupError, systemCode } from '../errors.ts';

export interface ScheduleHost {
  /** What stands before absolute paths: '' but in tests. */
  readonly root: string;
  readonly uid: number;
  readonly user: string;
  readonly home: string;
  /** Absolute paths of Node and of our own script: a schedule has no PATH worth trusting. */
  readonly node: string;
  readonly script: string;
  /** Variables that a run needs to find what is ours; a schedule starts with next to none. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runs a program and gives what it prints. @throws BackupError `local-io` when it fails */
  run(program: string, args: readonly string[], input?: string): Promise<string>;
}

export type ScheduleKind = 'systemd' | 'cron.d' | 'crontab';

const TIMEOUT_MS = 60_000;

/** @throws BackupError `local-io` with the program's own words */
export function runProgram(program: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const isMissing = systemCode(error) === 'ENOENT';
      const words = isMissing ? 'it is not installed' : lastLine(stderr) || error.message.split('\n')[0]!;
      reject(
        new BackupError('local-io', `${program} ${args[0] ?? ''} failed: ${words}`, {}, { cause: error }),
      );
    });
    child.stdin?.on('error', () => {}); // it may not want any
    child.stdin?.end(input ?? '');
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!;
}
