/**
 * Output for programs: JSON Lines on standard output and nothing else there; docs/json.md has the types of lines. The
 * last line is the result, however a run ends.
 */

import { BackupError, exitStatus } from '../errors.ts';
import type { Item, Reporter } from '../report.ts';
import { rank } from './reporters.ts';

export interface JsonOutput {
  readonly reporter: Reporter;
  print(items: readonly Item[]): Promise<void>;
  /** @param error what ended the run, if anything did */
  result(action: string | undefined, status: number, error?: unknown): Promise<void>;
}

/** Between two lines of progress. */
const PROGRESS_MS = 1000;

const outcomes: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(exitStatus).map(([outcome, status]) => [status, outcome]),
);

/** @param verbosity of messages */
export function createJsonOutput(
  stream: NodeJS.WritableStream,
  verbosity: number,
  withProgress: boolean,
): JsonOutput {
  const write = (items: readonly Item[]) =>
    new Promise<void>(resolve => {
      const text = items.map(item => `${JSON.stringify(item)}\n`).join('');
      stream.write(text, () => resolve()); // called too when nobody listens any more
    });
  let nextProgress = 0;
  return {
    reporter: {
      report(event) {
        if (rank[event.level] <= verbosity) void write([{ type: 'message', ...event }]);
      },
      progress(progress) {
        const now = performance.now();
        if (!withProgress || now < nextProgress) return;
        nextProgress = now + PROGRESS_MS;
        void write([{ type: 'progress', ...progress }]);
      },
    },
    print: items => (items.length === 0 ? Promise.resolve() : write(items)),
    result(action, status, error) {
      const outcome = status > 128 ? 'interrupted' : (outcomes[status] ?? 'failed');
      const told = error !== undefined && {
        error: {
          code: error instanceof BackupError ? error.code : 'unexpected',
          message: error instanceof Error ? error.message : String(error),
        },
      };
      return write([{ type: 'result', action: action ?? null, status, outcome, ...told }]);
    },
  };
}
