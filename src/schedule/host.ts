/** What a schedule is installed on, and how it is reached; handed in, so that tests have a host of their own. */

import { execFile } from 'node:child_process';
import { bytesOf, pathFromText, pathOf, textFromPath } from '../bytes.ts';
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
  /**
   * Runs a program and gives what it prints. In texts bytes that are no UTF-8 are as `textFromPath` has them: a crontab
   * may have such jobs, and keeps them.
   * @throws BackupError `local-io` when it fails
   */
  run(program: string, args: readonly string[], input?: string): Promise<string>;
}

export type ScheduleKind = 'systemd' | 'cron.d' | 'crontab';

const TIMEOUT_MS = 60_000;

/** @throws BackupError `local-io` with the program's own words */
export function runProgram(program: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: TIMEOUT_MS, encoding: 'buffer' } as const;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (!error) return resolve(textFromPath(pathOf(stdout)));
      const isMissing = systemCode(error) === 'ENOENT';
      const said = lastLine(stderr.toString('utf8'));
      const words = isMissing ? 'it is not installed' : said || error.message.split('\n')[0]!;
      reject(
        new BackupError('local-io', `${program} ${args[0] ?? ''} failed: ${words}`, {}, { cause: error }),
      );
    });
    child.stdin?.on('error', () => {}); // it may not want any
    child.stdin?.end(bytesOf(pathFromText(input ?? '')));
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!;
}
