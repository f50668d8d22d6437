/** Schedules for cron: a file in /etc/cron.d, or a marked part of the user's crontab; see crontab(5). */

import { type Calendar, toCron } from './calendar.ts';
import type { ScheduleHost } from './host.ts';

/** `%` ends the command in a crontab; quotes are the shell's. */
function quoted(word: string): string {
  const safe = /^[\w@:,./+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  return safe.replaceAll('%', '\\%');
}

function command(profile: string, { node, script, environment }: ScheduleHost): string {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}`);
  return [...variables, ...[node, script, 'run', profile].map(quoted)].join(' ');
}

/** Standard output is in the log; what goes to standard error is cron's to mail. */
const QUIET = ' >/dev/null';

/** The name that cron accepts for a file in cron.d: no dots. */
export function cronFileName(profile: string): string {
  return `tsbackup-${profile}`;
}

export function cronFile(profile: string, calendar: Calendar, host: ScheduleHost): string {
  return [
    `# Backup of the profile ${profile}; made by tsbackup schedule install, removed by tsbackup schedule remove.`,
    'SHELL=/bin/sh',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    `${toCron(calendar)} ${host.user} ${command(profile, host)}${QUIET}`,
    '',
  ].join('\n');
}

const begin = (profile: string) => `# tsbackup ${profile}: begin`;
const end = (profile: string) => `# tsbackup ${profile}: end`;

/** A crontab with the part of a profile at its end; all else stays as it is. */
export function withEntry(crontab: string, profile: string, calendar: Calendar, host: ScheduleHost): string {
  const others = withoutEntry(crontab, profile);
  const joint = others === '' || others.endsWith('\n') ? '' : '\n';
  const lines = [begin(profile), `${toCron(calendar)} ${command(profile, host)}${QUIET}`, end(profile), ''];
  return `${others}${joint}${lines.join('\n')}`;
}

/** The same crontab if it has no such part. */
export function withoutEntry(crontab: string, profile: string): string {
  const span = spanOf(crontab, profile);
  return span ? crontab.slice(0, span.start) + crontab.slice(span.end) : crontab;
}

/** The part of a profile with its two marks; undefined if there is none. */
export function entryOf(crontab: string, profile: string): string | undefined {
  const span = spanOf(crontab, profile);
  return span && crontab.slice(span.start, span.end);
}

function spanOf(crontab: string, profile: string): { start: number; end: number } | undefined {
  const start = lineAt(crontab, begin(profile), 0);
  const last = start === undefined ? undefined : lineAt(crontab, end(profile), start);
  if (start === undefined || last === undefined) return undefined;
  const after = last + end(profile).length;
  return { start, end: crontab[after] === '\n' ? after + 1 : after };
}

/** Where a line stands that is that text and no more. */
function lineAt(text: string, line: string, from: number): number | undefined {
  for (let at = text.indexOf(line, from); at >= 0; at = text.indexOf(line, at + 1)) {
    const after = text[at + line.length];
    if ((at === 0 || text[at - 1] === '\n') && (after === undefined || after === '\n')) return at;
  }
  return undefined;
}
