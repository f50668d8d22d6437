/** `schedule install|remove|show NAME`. */

import { mkdirSync } from 'node:fs';
import { homedir, type UserInfo, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Host } from '../commands/host.ts';
import { BackupError, exitStatus, messageOf } from '../errors.ts';
import { asctime } from '../manifest/time.ts';
import { noticeSettings } from '../profiles/notice-settings.ts';
import { requireProfileName, stateFolder } from '../profiles/places.ts';
import { loadProfile, type Profile } from '../profiles/profile.ts';
import { readState, writeState } from '../profiles/state.ts';
import { nextRun, parseCalendar, skippedRuns } from '../schedule/calendar.ts';
import { runProgram, type ScheduleHost, type ScheduleKind } from '../schedule/host.ts';
import {
  installedSchedules,
  installSchedule,
  planSchedule,
  removeSchedule,
  type SchedulePlan,
  scheduleKinds,
} from '../schedule/install.ts';
import { parseTarget } from '../storage/url.ts';
import { archiveRequest } from './common-values.ts';
import { optionNames } from './options.ts';
import { type Invocation, parseStep } from './parse.ts';
import { secretsOf } from './profile-config.ts';

/** @returns the exit status */
export async function schedule(
  verb: string,
  name: string,
  { values }: Invocation,
  host: Host,
): Promise<number> {
  const machine = scheduleHost();
  requireProfileName(name);
  const nothing = `Nothing runs ${name} on a schedule.\n`;
  switch (verb) {
    case 'install': {
      const profile = loadProfile(name, { names: optionNames }, process.env);
      const every = (values.every as string | undefined) ?? profile.schedule;
      if (every === undefined) {
        throw new BackupError(
          'usage',
          `say when: --every "Mon 21:15", or schedule = "Mon 21:15" in ${profile.file}`,
        );
      }
      const calendar = parseCalendar(every);
      const kind = kindNamed(values.kind as string | undefined);
      const credentials = secretsOf(profile).flatMap(({ form, value }) =>
        form === 'credential' ? [value] : [],
      );
      const facts = {
        ...{ profile: name, calendar, skipped: skippedRuns(calendar, host.now()), credentials },
        ...{ writes: await writtenBy(profile), startsOthers: startsOthers(profile) },
      };
      const plan = await planSchedule(facts, machine, kind);
      tellOfLogins(name, host);
      if (values.print === true) {
        await host.print(shown(plan), () => [{ type: 'schedule', ...plan, installed: false }]);
        return exitStatus.done;
      }
      // A service that may write to nothing else can't make them.
      for (const folder of facts.writes) makeFolder(folder);
      for (const message of await installSchedule(plan, name, machine)) {
        host.reporter.report({ level: 'warning', code: 'schedule', message });
      }
      rememberTime(name, values.every as string | undefined, host);
      const next = asctime(nextRun(calendar, host.now()));
      await host.print(`${name} runs by ${placeOf(plan)}; the next time on ${next}.\n`, () => [
        { type: 'schedule', ...plan, installed: true },
      ]);
      return exitStatus.done;
    }
    case 'remove': {
      const removed = await removeSchedule(name, machine);
      rememberTime(name, undefined, host);
      if (removed.length === 0) {
        await host.print(nothing, () => []);
        return exitStatus.failed;
      }
      await host.print(`Removed: ${removed.join(', ')}.\n`, () => [{ type: 'removed', removed }]);
      return exitStatus.done;
    }
    case 'show': {
      const found = await installedSchedules(name, machine);
      if (found.length === 0) {
        await host.print(nothing, () => []);
        return exitStatus.failed;
      }
      for (const { place, text } of found) {
        await host.print(`# ${place}\n${text}\n`, () => [{ type: 'schedule', place, text }]);
      }
      return exitStatus.done;
    }
    default:
      throw new BackupError('usage', `'schedule' takes install, remove or show, not '${verb}'`);
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const message = `the folder ${folder}, which runs write to, can't be made: ${messageOf(error)}`;
    throw new BackupError('local-io', message, {}, { cause: error });
  }
}

/** For `status`: when runs are due, if it is not as the profile says. */
function rememberTime(name: string, every: string | undefined, host: Host): void {
  const folder = stateFolder(name, process.env);
  const state = readState(folder);
  if (state.every === every) return;
  try {
    writeState(folder, { ...state, every });
  } catch (error) {
    host.reporter.report({ level: 'warning', code: 'state-unwritten', message: messageOf(error) });
  }
}

/** Where profile, state, archive cache, keys and credentials are looked for; none of them is a secret. */
const places: readonly string[] = [
  'TSBACKUP_SYSTEM_CONFIG',
  'XDG_CONFIG_HOME',
  'XDG_STATE_HOME',
  'XDG_CACHE_HOME',
  'GNUPGHOME',
].concat(...['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_PROFILE']);

/** The way to servers that a run has to know as well. */
const proxies = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'].flatMap(name => [name, name.toLowerCase()]);
const authorities = ['AWS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'];

export function scheduleHost(): ScheduleHost {
  const { username, homedir, uid } = user();
  const kept = [...places, ...proxies, ...authorities].flatMap(name => {
    const value = process.env[name];
    if (!value || holdsLogin(name, value)) return [];
    return [[name, authorities.includes(name) ? resolve(value) : value]];
  });
  return {
    ...{ root: '', uid, user: username, home: homedir },
    environment: Object.fromEntries(kept),
    ...{ node: process.execPath, script: resolve(process.argv[1]!), run: runProgram },
  };
}

/** A schedule can be read by others. */
function holdsLogin(name: string, value: string): boolean {
  return proxies.includes(name) && value.includes('@');
}

function tellOfLogins(profile: string, { reporter }: Host): void {
  for (const name of proxies.filter(name => holdsLogin(name, process.env[name] ?? ''))) {
    const message = `${name} holds a password, so it is not written into the schedule, and its runs do not have it; give it to them with "systemctl edit tsbackup-${profile}.service", or in a line of its own at the top of the crontab`;
    reporter.report({ level: 'warning', code: 'schedule', message });
  }
}

function kindNamed(text: string | undefined): ScheduleKind | undefined {
  if (text === undefined) return undefined;
  const kind = scheduleKinds.find(known => known === text);
  if (!kind) throw new BackupError('usage', `--kind takes ${scheduleKinds.join(', ')}, not '${text}'`);
  return kind;
}

/** Folders that a run of the profile writes to. */
async function writtenBy(profile: Profile): Promise<string[]> {
  const { values } = parseStep('backup', [profile.source, profile.target], [], profile, process.env);
  const { archiveDir } = await archiveRequest(values);
  const target = parseTarget(profile.target);
  const files = [values['log-file'] as string | undefined, profile.metricsFile];
  const usesKeys = ['encrypt-key', 'hidden-encrypt-key', 'sign-key', 'encrypt-sign-key'].some(
    long => values[long] !== undefined,
  );
  return [
    textOf(archiveDir),
    stateFolder(profile.name, process.env),
    ...(target.scheme === 'file' ? [textOf(target.path)] : []),
    ...files.flatMap(file => (file === undefined ? [] : [dirname(file)])),
    ...(values.tempdir === undefined ? [] : [values.tempdir as string]),
    // gpg locks its keyring, and begins its agent there.
    ...(usesKeys ? [process.env.GNUPGHOME ?? join(homedir(), '.gnupg')] : []),
  ];
}

/** Paths of units are UTF-8. */
function textOf(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

/** See UnitFacts. */
function startsOthers(profile: Profile): boolean {
  const { mail } = noticeSettings(profile, process.env);
  return (
    (mail !== undefined && 'sendmail' in mail.transport) ||
    secretsOf(profile).some(({ form }) => form === 'command') ||
    ['pre-command', 'post-command', 'passphrase-command'].some(long => profile.options.has(long))
  );
}

function placeOf({ kind, files }: SchedulePlan): string {
  return kind === 'crontab' ? 'the crontab' : files.map(({ path }) => path).join(' and ');
}

function shown({ files, commands, crontab, wish }: SchedulePlan): string {
  return [
    ...files.map(({ path, text }) => `# ${path}\n${text}\n`),
    ...(crontab === undefined ? [] : [`# crontab\n${crontab}`]),
    ...[...commands, ...(wish ? [wish.command] : [])].map(command => `# then: ${command.join(' ')}\n`),
  ].join('');
}

function user(): UserInfo<string> {
  try {
    return userInfo();
  } catch (cause) {
    const uid = process.geteuid?.();
    const message = `the user with the number ${uid} has no name on this machine, so nothing can be scheduled for them`;
    throw new BackupError('usage', message, {}, { cause });
  }
}
