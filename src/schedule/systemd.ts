/** Schedules for systemd: a timer and the service that it starts; see systemd.timer(5), systemd.service(5), systemd.exec(5). */

import { stampOf } from '../text.ts';
import { type Calendar, toOnCalendar } from './calendar.ts';
import type { ScheduleHost } from './host.ts';

export interface UnitFacts {
  readonly profile: string;
  readonly calendar: Calendar;
  /** Of the calendar, see `skippedRuns`. */
  readonly skipped: readonly number[];
  /** Folders that a run writes to: archive cache, state, a target in the file system; absolute. */
  readonly writes: readonly string[];
  /** Names of credentials that the profile wants of systemd. */
  readonly credentials: readonly string[];
  /** Whether a run starts programs of others (commands, sendmail), which may need more rights than ours. */
  readonly startsOthers: boolean;
}

export function unitName(profile: string): string {
  return `tsbackup-${profile}`;
}

/** A word of a list, with `%` as it is. */
function quoted(word: string): string {
  const escaped = word.replaceAll('%', '%%');
  return /^[\w@:,./+%$-]+$/.test(escaped) ? escaped : `"${escaped.replace(/[\\"]/g, '\\$&')}"`;
}

export function timerUnit({ profile, calendar, skipped }: UnitFacts): string {
  return [
    '[Unit]',
    `Description=When the backup ${profile} is due`,
    '',
    '[Timer]',
    `OnCalendar=${toOnCalendar(calendar)}`,
    ...(skipped.length === 0
      ? []
      : ['# Days on which clocks are set forward over that time: it would be left out until the next one.']),
    ...skipped.map(seconds => `OnCalendar=${stampOf(seconds)}`),
    '# What was missed while the machine was off is made up for.',
    'Persistent=true',
    'RandomizedDelaySec=5min',
    '',
    '[Install]',
    'WantedBy=timers.target',
    '',
  ].join('\n');
}

export function serviceUnit(
  { profile, writes, credentials, startsOthers }: UnitFacts,
  { node, script, uid, environment }: ScheduleHost,
): string {
  const isSystem = uid === 0;
  const folder = isSystem ? '/etc/credstore' : '%h/.config/credstore';
  return [
    '[Unit]',
    `Description=Backup ${profile}`,
    ...(isSystem ? ['Wants=network-online.target', 'After=network-online.target'] : []),
    '',
    '[Service]',
    'Type=oneshot',
    `ExecStart=${[node, script, 'run', profile].map(word => quoted(word.replaceAll('$', '$$$$'))).join(' ')}`,
    ...Object.entries(environment).map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`),
    'TimeoutStartSec=infinity',
    '# A signal ends a run in order; the next one continues it.',
    'TimeoutStopSec=30',
    'Nice=10',
    'IOSchedulingClass=idle',
    ...credentials.map(name => `LoadCredential=${name}:${folder}/${name}`),
    ...(startsOthers
      ? [
          '# No more limits: a run starts programs of others, commands or sendmail, which may need what is not ours.',
        ]
      : limits),
    ...(isSystem && !startsOthers
      ? [
          // What is not there (yet) must not keep the service from starting.
          `ReadWritePaths=${writes.map(path => quoted(`-${path}`)).join(' ')}`,
          ...systemLimits,
        ]
      : []),
    '',
  ].join('\n');
}

const limits = [
  'NoNewPrivileges=true',
  'LockPersonality=true',
  'RestrictRealtime=true',
  'RestrictSUIDSGID=true',
  'SystemCallArchitectures=native',
];

const systemLimits = [
  'ProtectSystem=strict',
  'PrivateTmp=true',
  'ProtectKernelTunables=true',
  'ProtectKernelModules=true',
  'ProtectControlGroups=true',
  'ProtectClock=true',
  'ProtectHostname=true',
  'RestrictNamespaces=true',
  'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
  '# All files can be read, whoever they belong to; no more than that.',
  'CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER CAP_SYS_NICE',
];
