/** How far a run is: a bar on a terminal, elsewhere a line a minute. */

import type { SingleBar } from 'cli-progress';
import type { Progress } from '../report.ts';
import { formatSize } from '../text.ts';

export interface ProgressDisplay {
  show(progress: Progress): void;
  /** Takes the bar away, so that text can be printed below it. */
  clear(): void;
  stop(): void;
}

const LINE_INTERVAL_MS = 60_000;
const PATH_WIDTH = 40;

/** @param stream where the bar or the lines go */
export async function createProgressDisplay(
  stream: NodeJS.WriteStream,
  now: () => number,
): Promise<ProgressDisplay> {
  return stream.isTTY ? createBar(stream) : createLines(stream, now);
}

async function createBar(stream: NodeJS.WriteStream): Promise<ProgressDisplay> {
  const { default: cliProgress } = await import('cli-progress');
  let bar: SingleBar | undefined;
  return {
    show({ bytesDone, bytesTotal, entriesDone, path }) {
      if (!bar) {
        const format =
          bytesTotal === undefined
            ? '{done}  {entries} entries  {path}'
            : '[{bar}] {percentage}%  {done} of {all}  ETA {eta_formatted}  {path}';
        bar = new cliProgress.SingleBar({ format, stream, clearOnComplete: true, hideCursor: true, fps: 5 });
        bar.start(bytesTotal ?? 0, 0, { done: '', all: '', entries: 0, path: '' });
      }
      const all = formatSize(bytesTotal ?? 0);
      bar.update(bytesDone, {
        done: formatSize(bytesDone),
        all,
        entries: entriesDone,
        path: shorten(path ?? ''),
      });
    },
    clear() {
      if (!bar) return;
      stream.clearLine(0);
      stream.cursorTo(0);
    },
    stop() {
      bar?.stop();
      bar = undefined;
    },
  };
}

function createLines(stream: NodeJS.WriteStream, now: () => number): ProgressDisplay {
  let last = now();
  return {
    show({ stage, bytesDone, bytesTotal, entriesDone, path }) {
      if (now() - last < LINE_INTERVAL_MS) return;
      last = now();
      const share = bytesTotal
        ? ` of ${formatSize(bytesTotal)} (${Math.floor((100 * bytesDone) / bytesTotal)}%)`
        : '';
      const place = path === undefined ? '' : `, at ${path}`;
      stream.write(`${stage}: ${formatSize(bytesDone)}${share}, ${entriesDone} entries${place}\n`);
    },
    clear() {},
    stop() {},
  };
}

function shorten(path: string): string {
  return path.length <= PATH_WIDTH ? path : `…${path.slice(1 - PATH_WIDTH)}`;
}
