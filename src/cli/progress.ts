/** How far a run is: a bar on a terminal, elsewhere a line a minute. */

import type { SingleBar } from 'cli-progress';
import type { Progress } from '../report.ts';
import { formatSize } from '../text.ts';
import { clock, createPace, type Pace } from './pace.ts';

export interface ProgressDisplay {
  show(progress: Progress): void;
  /** Takes the bar away, so that text can be printed below it. */
  clear(): void;
  stop(): void;
}

const LINE_INTERVAL_MS = 60_000;
const PATH_WIDTH = 40;
/** What is beside the bar, and some of the path. */
const BESIDE_BAR = 60;
const MOST_BAR = 40;
/** A shorter one tells nothing. */
const LEAST_BAR = 10;

/**
 * @param stream where the bar or the lines go
 * @param now milliseconds
 * @param term the kind of terminal; a dumb one can't move back to the begin of a line
 */
export async function createProgressDisplay(
  stream: NodeJS.WriteStream,
  now: () => number,
  term: string | undefined,
): Promise<ProgressDisplay> {
  return stream.isTTY && term !== 'dumb' ? createBar(stream, now) : createLines(stream, now);
}

async function createBar(stream: NodeJS.WriteStream, now: () => number): Promise<ProgressDisplay> {
  const { default: cliProgress } = await import('cli-progress');
  const pace = createPace(now);
  let bar: SingleBar | undefined;
  return {
    show(progress) {
      const { bytesDone, bytesTotal, entriesDone, path } = progress;
      const { rate, secondsLeft } = pace(progress);
      const payload = {
        done: formatSize(bytesDone),
        all: formatSize(bytesTotal ?? 0),
        rate: rateOf(rate),
        left: clock(secondsLeft),
        entries: entriesDone,
        path: shorten(path ?? ''),
      };
      if (!bar) {
        const barsize = Math.min(MOST_BAR, (stream.columns || 80) - BESIDE_BAR);
        const format =
          bytesTotal === undefined
            ? '{done}  {rate}  {entries} entries  {path}'
            : `${barsize < LEAST_BAR ? '' : '[{bar}] '}{percentage}%  {done} of {all}  {rate}  ETA {left}  {path}`;
        const look = { clearOnComplete: true, hideCursor: true, fps: 5 };
        bar = new cliProgress.SingleBar({ format, barsize: Math.max(0, barsize), stream, ...look });
        bar.start(bytesTotal ?? 0, bytesDone, payload);
      } else {
        if (bytesTotal !== undefined) bar.setTotal(bytesTotal);
        bar.update(bytesDone, payload);
      }
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
  const pace = createPace(now);
  let last = now();
  return {
    show(progress) {
      const current = pace(progress);
      if (now() - last < LINE_INTERVAL_MS) return;
      last = now();
      stream.write(`${progressLine(progress, current)}\n`);
    },
    clear() {},
    stop() {},
  };
}

/** `backup: 57.2 MB of 343 MB (16%), 31 entries, 11.4 MB/s, ETA 0:26, at a/b`, as far as it is known. */
export function progressLine(
  { stage, bytesDone, bytesTotal, entriesDone, path }: Progress,
  { rate, secondsLeft, percent }: Pace,
): string {
  const share = percent === undefined ? '' : ` of ${formatSize(bytesTotal!)} (${percent}%)`;
  const time = secondsLeft === undefined ? '' : `, ETA ${clock(secondsLeft)}`;
  const place = path === undefined ? '' : `, at ${path}`;
  return `${stage}: ${formatSize(bytesDone)}${share}, ${entriesDone} entries, ${rateOf(rate)}${time}${place}`;
}

function rateOf(rate: number | undefined): string {
  return `${formatSize(Math.round(rate ?? 0))}/s`;
}

function shorten(path: string): string {
  return path.length <= PATH_WIDTH ? path : `…${path.slice(1 - PATH_WIDTH)}`;
}
