/** What one run of a program costs, its child processes included. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunResult, startProgram } from '../test/support/processes.ts';

export interface Step {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface Cost {
  readonly wallSeconds: number;
  /** User and system time of all processes. */
  readonly cpuSeconds: number;
  /** Of the largest single process: the system does not add them up. */
  readonly peakRssBytes: number;
}

const TIME = '/usr/bin/time';
const TIMEOUT_MS = 3 * 3600_000;

/** Does what GNU time does, for machines without it. */
const pythonTime = `
import json, resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump({'user': used.ru_utime, 'sys': used.ru_stime, 'kib': used.ru_maxrss}, open(sys.argv[1], 'w'))
sys.exit(status)
`;

/** Runs `step` to its end, whatever its status; `scratch` is a folder for a small file. */
export async function measure(step: Step, scratch: string): Promise<RunResult & Cost> {
  const report = join(scratch, 'cost.json');
  const [command, ...args] = existsSync(TIME)
    ? [TIME, '-o', report, '-f', '{"user":%U,"sys":%S,"kib":%M}']
    : ['python3', '-c', pythonTime, report];
  const started = process.hrtime.bigint();
  const running = startProgram(command!, [...args, step.command, ...step.args], {
    env: step.env,
    cwd: step.cwd,
    timeoutMs: TIMEOUT_MS,
  });
  const stop = () => {
    running.kill('SIGTERM'); // it has a process group of its own, so Ctrl-C does not reach it
    process.exit(130);
  };
  process.on('SIGINT', stop);
  try {
    const result = await running.done;
    const wallSeconds = Number(process.hrtime.bigint() - started) / 1e9;
    const lastLine = readFileSync(report, 'utf8').trim().split('\n').at(-1)!; // others tell of a failure
    const { user, sys, kib } = JSON.parse(lastLine) as { user: number; sys: number; kib: number };
    return { ...result, wallSeconds, cpuSeconds: user + sys, peakRssBytes: kib * 1024 };
  } finally {
    process.off('SIGINT', stop);
  }
}
