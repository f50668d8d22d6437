/** Running programs the way a test wants it: no terminal, a clean environment, an end in any case. */

import { type ChildProcess, spawn } from 'node:child_process';
import { systemCode } from '../../src/errors.ts';

export interface RunOptions {
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Given on stdin, which is empty without it. */
  readonly input?: string | Uint8Array;
  /** The program and its children are killed after this time; default 2 minutes. */
  readonly timeoutMs?: number;
  /** As whom; only for root. The group is the one of the same number. */
  readonly uid?: number;
}

export interface RunResult {
  /** Exit status, or null if a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What stdout was before it became text: file names may be any bytes. */
  readonly stdoutBytes: Buffer;
}

export interface Running {
  readonly child: ChildProcess;
  readonly done: Promise<RunResult>;
  /** To the program and all its children. */
  kill(signal: NodeJS.Signals): void;
}

/** Starts a program in a process group of its own. */
export function startProgram(command: string, args: readonly string[], options: RunOptions): Running {
  const { env, cwd, input, timeoutMs = 120_000, uid } = options;
  const child = spawn(command, args, {
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => {}); // a program need not read its input
  child.stdin.end(input ?? '');

  let closed = false;
  function kill(signal: NodeJS.Signals): void {
    if (child.pid === undefined || closed) return;
    try {
      process.kill(-child.pid, signal); // also when only children are left, which hold our pipes open
    } catch (error) {
      if (systemCode(error) !== 'ESRCH') throw error;
    }
  }

  const done = new Promise<RunResult>((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      kill('SIGKILL');
    }, timeoutMs);
    child.on('error', error => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (status, signal) => {
      closed = true;
      clearTimeout(timer);
      const stdoutBytes = Buffer.concat(stdout);
      const result = {
        status,
        signal,
        stdout: stdoutBytes.toString(),
        stderr: Buffer.concat(stderr).toString(),
        stdoutBytes,
      };
      if (late) reject(new Error(`${command} ${args[0] ?? ''} took over ${timeoutMs} ms\n${tail(result)}`));
      else resolve(result);
    });
  });
  return { child, done, kill };
}

export function runProgram(
  command: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  return startProgram(command, args, options).done;
}

/** The end of what a program said, for a failing test. */
export function tail(result: RunResult): string {
  const end = result.signal ? `signal ${result.signal}` : `status ${result.status}`;
  return `${end}\n${result.stdout.slice(-2000)}\n${result.stderr.slice(-3000)}`;
}

/** Fails, with what the program said, unless it ended with `status`. */
export function expectStatus(result: RunResult, status = 0): RunResult {
  if (result.status !== status) throw new Error(`expected status ${status}, not ${tail(result)}`);
  return result;
}
