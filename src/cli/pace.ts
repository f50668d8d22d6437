/** Rate and time left, from how far a run was over the last half minute: old times say little about what is to come. */

import type { Progress } from '../report.ts';

export interface Pace {
  /** Seconds since the first progress. */
  readonly elapsed: number;
  /** Bytes per second; undefined until there is something to tell it from. */
  readonly rate: number | undefined;
  /** Undefined without a total or a rate. */
  readonly secondsLeft: number | undefined;
  /** 0 to 100; undefined without a total. */
  readonly percent: number | undefined;
}

const WINDOW_MS = 30_000;
const SAMPLE_MS = 500;

/** @param now milliseconds */
export function createPace(now: () => number): (progress: Progress) => Pace {
  let began: number | undefined;
  let stageOf = '';
  let samples: { readonly at: number; readonly bytes: number }[] = [];
  return ({ stage, bytesDone, bytesTotal }) => {
    const at = now();
    began ??= at;
    if (stage !== stageOf || bytesDone < (samples.at(-1)?.bytes ?? 0)) samples = [];
    stageOf = stage;
    const last = samples.at(-1);
    if (!last || at - last.at >= SAMPLE_MS) samples.push({ at, bytes: bytesDone });
    while (samples.length > 2 && at - samples[1]!.at >= WINDOW_MS) samples.shift();
    const first = samples[0]!;
    const rate = at > first.at ? (1000 * (bytesDone - first.bytes)) / (at - first.at) : undefined;
    const left = bytesTotal === undefined ? undefined : Math.max(0, bytesTotal - bytesDone);
    return {
      elapsed: (at - began) / 1000,
      rate,
      secondsLeft: left === 0 ? 0 : left !== undefined && rate ? left / rate : undefined,
      percent: bytesTotal ? Math.min(100, Math.floor((100 * bytesDone) / bytesTotal)) : undefined,
    };
  };
}

/** `1:02:03`, `2:03`, or `-:--` for nobody knows. */
export function clock(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return '-:--';
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
