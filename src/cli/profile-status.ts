/** `status [NAME]`: what the state of profiles has to say; the worst one decides the exit status. */

import type { Host } from '../commands/host.ts';
import { formatProfileStatus, type ProfileStatus, statusOfProfile } from '../commands/profile-status.ts';
import { BackupError, exitStatus, messageOf } from '../errors.ts';
import { parseInterval } from '../manifest/time.ts';
import { formatMetrics, writeMetrics } from '../profiles/metrics.ts';
import { profileNames, stateFolder } from '../profiles/places.ts';
import { loadProfile } from '../profiles/profile.ts';
import { type ProfileState, readState } from '../profiles/state.ts';
import { nextRun, parseCalendar } from '../schedule/calendar.ts';
import { installedSchedules } from '../schedule/install.ts';
import { optionNames } from './options.ts';
import type { Invocation } from './parse.ts';
import { scheduleHost } from './profile-schedule.ts';

/** @returns the exit status */
export async function statusOfProfiles(
  name: string | undefined,
  { values }: Invocation,
  host: Host,
): Promise<number> {
  const names = name === undefined ? profileNames(process.env) : [name];
  if (names.length === 0) {
    throw new BackupError('usage', 'there is no profile; make one with tsbackup init NAME');
  }
  const maxAge = ageOf(values['max-age'] as string | undefined);
  const metrics = new Map<string, [profile: string, state: ProfileState][]>();
  let worst: number = exitStatus.done;
  for (const one of names) {
    let status: ProfileStatus;
    try {
      const profile = loadProfile(one, { names: optionNames }, process.env);
      const state = readState(stateFolder(profile.name, process.env));
      const schedule = state.every ?? profile.schedule;
      const calendar = schedule === undefined ? undefined : parseCalendar(schedule);
      status = statusOfProfile({
        ...{ profile: profile.name, state, now: host.now() },
        maxAge: maxAge ?? profile.maxAgeSeconds,
        nextRun: calendar && nextRun(calendar, host.now()),
      });
      const file = (values['metrics-file'] as string | undefined) ?? profile.metricsFile;
      if (file !== undefined) metrics.set(file, [...(metrics.get(file) ?? []), [profile.name, state]]);
    } catch (error) {
      if (name !== undefined || !(error instanceof BackupError)) throw error;
      host.reporter.report({ level: 'error', code: error.code, message: messageOf(error) });
      worst = exitStatus.failed;
      continue;
    }
    if (worst === exitStatus.done || status.status === exitStatus.failed) worst = status.status;
    const item = { type: 'profile', ...status, lastRun: status.lastRun ?? null };
    const isInstalled = status.nextRun === undefined || (await hasSchedule(one));
    await host.print(formatProfileStatus(status, host.now(), isInstalled), () => [item]);
  }
  for (const [file, states] of metrics) publish(file, formatMetrics(states), host);
  return worst;
}

/** Where that can't be found out, nothing is said against it. */
async function hasSchedule(profile: string): Promise<boolean> {
  try {
    return (await installedSchedules(profile, scheduleHost())).length > 0;
  } catch {
    return true;
  }
}

/** Monitoring writes `8d`, and duplicity 8D; of days, weeks and years there is but one kind. */
function ageOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseInterval(text.replace(/[dwy]/g, unit => unit.toUpperCase()));
}

/** Who only looks need not have the right to write them. */
function publish(file: string, text: string, { reporter }: Host): void {
  try {
    writeMetrics(file, text);
  } catch (error) {
    reporter.report({ level: 'warning', code: 'state-unwritten', message: messageOf(error) });
  }
}
