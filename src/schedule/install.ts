/** Puts a profile's schedule where the host looks for such things, takes it away again, and shows what is there. */

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BackupError, messageOf, systemCode } from '../errors.ts';
import { replaceFile } from '../files/whole-file.ts';
import { cronFile, cronFileName, entryOf, withEntry, withoutEntry } from './cron.ts';
import type { ScheduleHost, ScheduleKind } from './host.ts';
import { serviceUnit, timerUnit, type UnitFacts, unitName } from './systemd.ts';

export const scheduleKinds: readonly ScheduleKind[] = ['systemd', 'cron.d', 'crontab'];

/** What an installation comes to, before anything is touched. */
export interface SchedulePlan {
  readonly kind: ScheduleKind;
  /** Paths as on the host, without `root`. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** Programs to run afterwards. */
  readonly commands: readonly (readonly string[])[];
  /** One more, for the user; if it fails the schedule is there all the same, with a limit that is to be told. */
  readonly wish?: { readonly command: readonly string[]; readonly without: string };
  /** The whole of the user's crontab; only of that kind. */
  readonly crontab?: string;
}

/** Where systemd runs it is asked; else root has a file in cron.d, and others an entry in their crontab. */
export async function kindOf(host: ScheduleHost): Promise<ScheduleKind> {
  if (existsSync(join(host.root, '/run/systemd/system')) && (await hasSystemctl(host))) return 'systemd';
  if (host.uid === 0 && existsSync(join(host.root, CRON_D))) return 'cron.d';
  try {
    await crontabOf(host);
    return 'crontab';
  } catch (error) {
    throw new BackupError(
      'usage',
      `there is neither systemd nor cron on this machine (${messageOf(error)}); install cron, or have something else call "tsbackup run" in time`,
    );
  }
}

async function hasSystemctl(host: ScheduleHost): Promise<boolean> {
  try {
    await host.run('systemctl', [...scope(host), 'show-environment']);
    return true;
  } catch {
    return false; // a user without a session of systemd's
  }
}

const CRON_D = '/etc/cron.d';

/** @throws BackupError `usage` without any scheduler */
export async function planSchedule(
  facts: UnitFacts,
  host: ScheduleHost,
  kind?: ScheduleKind,
): Promise<SchedulePlan> {
  const { profile, calendar } = facts;
  const chosen = kind ?? (await kindOf(host));
  switch (chosen) {
    case 'systemd': {
      const unit = unitName(profile);
      const folder = unitFolder(host);
      return {
        kind: chosen,
        files: [
          { path: join(folder, `${unit}.service`), text: serviceUnit(facts, host) },
          { path: join(folder, `${unit}.timer`), text: timerUnit(facts) },
        ],
        commands: [
          ['systemctl', ...scope(host), 'daemon-reload'],
          ['systemctl', ...scope(host), 'enable', '--now', `${unit}.timer`],
        ],
        ...(host.uid !== 0 && {
          wish: {
            command: ['loginctl', 'enable-linger', host.user],
            without: `it runs only while ${host.user} is logged in, until you say: sudo loginctl enable-linger ${host.user}`,
          },
        }),
      };
    }
    case 'cron.d': {
      if (host.uid !== 0) throw new BackupError('usage', `only root may write to ${CRON_D}; use sudo`);
      const path = join(CRON_D, cronFileName(profile));
      return { kind: chosen, files: [{ path, text: cronFile(profile, calendar, host) }], commands: [] };
    }
    case 'crontab': {
      const crontab = withEntry(await crontabOf(host), profile, calendar, host);
      return { kind: chosen, files: [], commands: [], crontab };
    }
  }
}

/**
 * @returns what is not as it should be, in sentences
 * @throws BackupError `local-io`
 */
export async function installSchedule(
  plan: SchedulePlan,
  profile: string,
  host: ScheduleHost,
): Promise<string[]> {
  const files = plan.files.map(({ path }) => join(host.root, path));
  const added = files.filter(path => !existsSync(path));
  for (const [at, { text }] of plan.files.entries()) writeWhole(files[at]!, text);
  if (plan.crontab !== undefined) await host.run('crontab', ['-'], plan.crontab);
  try {
    for (const [program, ...args] of plan.commands) await host.run(program!, args);
  } catch (error) {
    for (const path of added) rmSync(path, { force: true }); // units that nothing will ever start
    throw error;
  }
  const troubles: string[] = [];
  if (plan.wish) {
    const [program, ...args] = plan.wish.command;
    await host.run(program!, args).catch(() => troubles.push(plan.wish!.without));
  }
  const own = plan.kind === 'crontab' ? ['crontab'] : plan.files.map(({ path }) => path);
  const others = (await installedSchedules(profile, host)).filter(({ place }) => !own.includes(place));
  if (others.length > 0) {
    const places = others.map(({ place }) => place).join(' and ');
    troubles.push(`${places} runs it as well: tsbackup schedule remove ${profile}, then install again`);
  }
  return troubles;
}

/**
 * Whatever there is of it.
 * @returns what was removed, in words; empty if there was nothing
 */
export async function removeSchedule(profile: string, host: ScheduleHost): Promise<string[]> {
  const removed: string[] = [];
  const unit = unitName(profile);
  const units = ['timer', 'service'].map(kind => join(unitFolder(host), `${unit}.${kind}`));
  const there = units.filter(path => existsSync(join(host.root, path)));
  if (there.length > 0) {
    await host.run('systemctl', [...scope(host), 'disable', '--now', `${unit}.timer`]).catch(() => '');
    for (const path of there) remove(join(host.root, path));
    await host.run('systemctl', [...scope(host), 'daemon-reload']).catch(() => '');
    removed.push(...there);
  }
  const file = join(CRON_D, cronFileName(profile));
  if (existsSync(join(host.root, file))) {
    remove(join(host.root, file));
    removed.push(file);
  }
  const crontab = await crontabOf(host).catch(() => '');
  if (entryOf(crontab, profile) !== undefined) {
    await host.run('crontab', ['-'], withoutEntry(crontab, profile));
    removed.push('its entry in the crontab');
  }
  return removed;
}

/** What is installed of it, as it stands there. */
export async function installedSchedules(
  profile: string,
  host: ScheduleHost,
): Promise<{ readonly place: string; readonly text: string }[]> {
  const unit = unitName(profile);
  const paths = [
    ...['timer', 'service'].map(kind => join(unitFolder(host), `${unit}.${kind}`)),
    join(CRON_D, cronFileName(profile)),
  ];
  const found = paths.flatMap(path => {
    const file = join(host.root, path);
    return existsSync(file) ? [{ place: path, text: readFileSync(file, 'utf8') }] : [];
  });
  const entry = entryOf(await crontabOf(host).catch(() => ''), profile);
  return entry === undefined ? found : [...found, { place: 'crontab', text: entry }];
}

function unitFolder({ uid, home }: ScheduleHost): string {
  return uid === 0 ? '/etc/systemd/system' : join(home, '.config/systemd/user');
}

function scope({ uid }: ScheduleHost): string[] {
  return uid === 0 ? [] : ['--user'];
}

/** The user's crontab; empty if there is none. */
async function crontabOf(host: ScheduleHost): Promise<string> {
  try {
    return await host.run('crontab', ['-l']);
  } catch (error) {
    if (/no crontab for/i.test(messageOf(error))) return '';
    throw error;
  }
}

function writeWhole(path: string, text: string): void {
  // A dot in front: cron and systemd do not read it while it is being written.
  const temporary = join(dirname(path), `.tsbackup-${process.pid}`);
  try {
    mkdirSync(dirname(path), { recursive: true });
    replaceFile(path, text, 0o644, temporary);
  } catch (error) {
    const remedy = systemCode(error) === 'EACCES' ? '; use sudo, or --print and put it there yourself' : '';
    throw new BackupError('local-io', `can't write ${path}: ${messageOf(error)}${remedy}`);
  }
}

function remove(path: string): void {
  try {
    rmSync(path);
  } catch (error) {
    throw new BackupError('local-io', `can't remove ${path}: ${messageOf(error)}; use sudo`);
  }
}
