/**
 * When a profile's runs are due, in the words of people: `Mon 21:15`, `Mon,Thu 21:15`, `Mon-Fri 02:00`, `daily 03:30`,
 * `1,15 04:00` (days of the month), `monthly 04:00`, `hourly`, `hourly :20`. All in local time. From it come the fields
 * of crontab(5), the expression of systemd.time(7), and the moment of the next run.
 */

import { BackupError } from '../errors.ts';

export interface Calendar {
  /** 0 is Sunday; undefined: every day. */
  readonly weekdays: readonly number[] | undefined;
  /** 1 to 31; undefined: every day. Not together with weekdays. */
  readonly monthDays: readonly number[] | undefined;
  /** 0 to 23; undefined: every hour. */
  readonly hour: number | undefined;
  readonly minute: number;
}

const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const DAY_MS = 86_400_000;

/** @throws BackupError `usage` with examples */
export function parseCalendar(text: string): Calendar {
  const wrong = (): never => {
    throw new BackupError(
      'usage',
      `'${text}' is no time to run at; write for example "Mon 21:15", "Mon-Fri 02:00", "daily 03:30", "1,15 04:00", "monthly 04:00" or "hourly"`,
    );
  };
  const words = text.trim().toLowerCase().split(/\s+/);
  const last = words.at(-1)!;
  const clock = /^(\d{1,2}|):(\d{2})$/.exec(last);
  const days = clock ? words.slice(0, -1) : words;
  if (days.length > 1) wrong();
  const [day = 'daily'] = days;
  const minute = Number(clock?.[2] ?? 0);
  const isHourly = day === 'hourly';
  // `:20` is a minute of every hour, and `hourly` needs no more than that.
  if (clock && (clock[1] === '') !== isHourly) wrong();
  if (!clock && !isHourly && !['daily', 'weekly', 'monthly'].includes(day)) wrong();
  const hour = isHourly ? undefined : clock ? Number(clock[1]) : DEFAULT_HOUR;
  if (minute > 59 || (hour ?? 0) > 23) wrong();
  const at = { hour, minute };
  if (isHourly || day === 'daily') return { weekdays: undefined, monthDays: undefined, ...at };
  if (day === 'weekly') return { weekdays: [0], monthDays: undefined, ...at };
  if (day === 'monthly') return { weekdays: undefined, monthDays: [1], ...at };
  if (/^\d/.test(day))
    return { weekdays: undefined, monthDays: listOf(day, monthDayOf, 1, 31) ?? wrong(), ...at };
  return { weekdays: listOf(day, weekdayOf, 0, 6) ?? wrong(), monthDays: undefined, ...at };
}

/** At night, but not at the hour when clocks are set. */
const DEFAULT_HOUR = 4;

/** `a,b-c` → sorted numbers; ranges may wrap around (`Sat-Mon`). Undefined for what is none. */
function listOf(
  text: string,
  numberOf: (word: string) => number | undefined,
  least: number,
  most: number,
): number[] | undefined {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const [from, to, ...more] = part.split('-').map(numberOf);
    if (from === undefined || more.length > 0 || (part.includes('-') && to === undefined)) return undefined;
    for (let at = from; ; at = at === most ? least : at + 1) {
      found.add(at);
      if (at === (to ?? from)) break;
    }
  }
  return [...found].sort((a, b) => a - b);
}

function weekdayOf(word: string): number | undefined {
  const full = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
  const at = Math.max(dayNames.indexOf(word), full.indexOf(word));
  return at < 0 ? undefined : at;
}

function monthDayOf(word: string): number | undefined {
  const day = /^\d{1,2}$/.test(word) ? Number(word) : 0;
  return day >= 1 && day <= 31 ? day : undefined;
}

/** The five fields of crontab(5). */
export function toCron({ weekdays, monthDays, hour, minute }: Calendar): string {
  return [minute, hour ?? '*', monthDays?.join(',') ?? '*', '*', weekdays?.join(',') ?? '*'].join(' ');
}

/** An expression for `OnCalendar=`, see systemd.time(7). */
export function toOnCalendar({ weekdays, monthDays, hour, minute }: Calendar): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const names = weekdays?.map(day => dayNames[day]![0]!.toUpperCase() + dayNames[day]!.slice(1));
  const date = `*-*-${monthDays?.map(two).join(',') ?? '*'}`;
  const time = `${hour === undefined ? '*' : two(hour)}:${two(minute)}:00`;
  return [...(names ? [names.join(',')] : []), date, time].join(' ');
}

/**
 * The first moment later than `after` at which a run is due, by the zone of the process. Where clocks are set forward a
 * time that does not exist is taken as the same span after midnight; where they are set back it comes once.
 * @param after seconds since 1970
 * @returns whole seconds since 1970
 */
export function nextRun(calendar: Calendar, after: number): number {
  const start = new Date(after * 1000);
  // 4 years and a day hold a 29 February; a 31st comes far earlier.
  for (let day = 0; day <= 1462; day++) {
    const date = new Date(start.getFullYear(), start.getMonth(), start.getDate() + day);
    if (!isDue(calendar, date)) continue;
    const found = timesOf(calendar, date).find(seconds => seconds > after);
    if (found !== undefined) return found;
  }
  throw new Error(`no day fits ${toCron(calendar)}`);
}

/** For so long the rules of a zone are known well enough. */
const YEARS_AHEAD = 10;

/**
 * When those runs of the coming years are due, as `nextRun` says, whose time of the day the clock skips when it is set
 * forward; whole seconds since 1970. Of runs in every hour none is missed that way.
 */
export function skippedRuns(calendar: Calendar, after: number): number[] {
  const { hour, minute } = calendar;
  if (hour === undefined) return [];
  const start = new Date(after * 1000);
  const found: number[] = [];
  for (let day = 0; day <= YEARS_AHEAD * 366; day++) {
    const date = new Date(start.getFullYear(), start.getMonth(), start.getDate() + day);
    const [time] = timesOf(calendar, date);
    const then = new Date(time! * 1000);
    const isSkipped = then.getHours() !== hour || then.getMinutes() !== minute;
    if (isSkipped && time! > after && isDue(calendar, date)) found.push(time!);
  }
  return found;
}

function isDue({ weekdays, monthDays }: Calendar, date: Date): boolean {
  return (weekdays?.includes(date.getDay()) ?? true) && (monthDays?.includes(date.getDate()) ?? true);
}

/** Of one day, in order. */
function timesOf({ hour, minute }: Calendar, date: Date): number[] {
  const at = (hours: number) =>
    new Date(date.getFullYear(), date.getMonth(), date.getDate(), hours, minute).getTime() / 1000;
  if (hour !== undefined) return [at(hour)];
  // Every hour that passes, of which a day may have 23 or 25.
  const first = new Date(date.getFullYear(), date.getMonth(), date.getDate(), 0, minute).getTime();
  const end = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
  const times: number[] = [];
  for (let time = first; time < Math.min(end, first + 2 * DAY_MS); time += 3_600_000) times.push(time / 1000);
  return times;
}
