/** status: how the runs of profiles went, from what they left of themselves; nothing is looked up at the targets. */

import { exitStatus } from '../errors.ts';
import { asctime, isToCome } from '../manifest/time.ts';
import { isFullDue, type ProfileState, type RunRecord } from '../profiles/state.ts';
import { formatAge, formatDuration, formatSize } from '../text.ts';

export interface StatusRequest {
  readonly profile: string;
  readonly state: ProfileState;
  /** Seconds; the last success may be that old. */
  readonly maxAge: number | undefined;
  /** Seconds since 1970; undefined without a schedule. */
  readonly nextRun: number | undefined;
  readonly now: number;
}

export interface ProfileStatus {
  readonly profile: string;
  readonly verdict: 'ok' | 'warn' | 'error' | 'too-old' | 'never';
  readonly status: number;
  readonly lastRun: RunRecord | undefined;
  /** Seconds since 1970. */
  readonly lastSuccess: number | undefined;
  /** Seconds; undefined too if a wrong clock dated the success. */
  readonly age: number | undefined;
  readonly nextRun: number | undefined;
  readonly running: number | undefined;
  readonly archive: ProfileState['archive'];
  readonly lastCheck: ProfileState['lastCheck'];
}

export function statusOfProfile({ profile, state, maxAge, nextRun, now }: StatusRequest): ProfileStatus {
  const { lastSuccess, running, archive, lastCheck } = state;
  const lastRun = state.runs.at(-1);
  const isDated = lastSuccess !== undefined && !isToCome(lastSuccess, now);
  const age = isDated ? Math.max(0, now - lastSuccess) : undefined;
  const verdict = (() => {
    if (lastSuccess === undefined && lastRun?.verdict !== 'warn') return lastRun ? 'error' : 'never';
    if (lastRun?.verdict === 'error') return 'error';
    // A backup that left something out is told as that, as long as it is young enough.
    const stored = state.runs.filter(run => run.verdict !== 'error').at(-1)?.ended ?? 0;
    // What a clock that went wrong has dated says nothing of its age, for years.
    const isYoung = (time: number) => now - time <= maxAge! && !isToCome(time, now);
    if (maxAge !== undefined && !isYoung(stored) && !isYoung(lastSuccess ?? 0)) return 'too-old';
    return lastRun?.verdict ?? 'never';
  })();
  const status = { ok: exitStatus.done, warn: exitStatus.partial }[verdict as string] ?? exitStatus.failed;
  return { profile, verdict, status, lastRun, lastSuccess, age, nextRun, running, archive, lastCheck };
}

const words: Readonly<Record<ProfileStatus['verdict'], string>> = {
  ok: 'ok',
  warn: 'backed up, but not all is well',
  error: 'the last run failed',
  'too-old': 'the last success is too old',
  never: 'it has never run',
};

/** @param isInstalled whether this machine has something that begins the runs */
export function formatProfileStatus(status: ProfileStatus, now: number, isInstalled = true): string {
  const { profile, verdict, lastRun, lastSuccess, age, nextRun, running, archive, lastCheck } = status;
  const row = (name: string, text: string) => `  ${name.padEnd(14)} ${text}`;
  const time = (seconds: number) => asctime(Math.floor(seconds));
  const ago = age === undefined ? 'the clock was wrong then, or is now' : `${formatAge(age)} ago`;
  const lines = [`${profile}: ${words[verdict]}`];
  lines.push(row('last success', lastSuccess === undefined ? 'never' : `${time(lastSuccess)} (${ago})`));
  if (lastRun) {
    const took = formatDuration(Math.max(0, lastRun.ended - lastRun.started));
    lines.push(row('last run', `${time(lastRun.ended)}, status ${lastRun.status}, took ${took}`));
    if (lastRun.verdict !== 'ok') lines.push(row('', lastRun.summary));
  }
  if (running !== undefined) lines.push(row('running since', `${time(running)}, unless it was killed`));
  if (nextRun !== undefined) {
    const doubt = isInstalled ? '' : `, but no schedule is installed: tsbackup schedule install ${profile}`;
    lines.push(row('next run', `${time(nextRun)} (in ${formatAge(nextRun - now)})${doubt}`));
  }
  if (archive) {
    const { chains, sets, bytes, chainLength, lastFull } = archive;
    lines.push(
      row(
        'archive',
        `sets ${sets}, chains ${chains}, ${formatSize(bytes)}; sets of the newest chain ${chainLength}`,
      ),
    );
    if (lastFull !== undefined) lines.push(row('last full', time(lastFull)));
  }
  if (lastCheck) {
    const found = lastCheck.faults ? 'faults found' : 'no fault';
    const next = isFullDue(status, archive?.lastFull) ? '; the next run makes a full backup' : '';
    lines.push(row('last check', `${time(lastCheck.time)}, ${found}${next}`));
  }
  return `${lines.join('\n')}\n`;
}
