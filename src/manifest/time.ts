/**
 * Times as names carry them, as people type them, and as C prints them. Everywhere else a time is whole seconds since
 * 1970 UTC. Nothing here asks a clock; the host's time zone is asked where a text names none.
 * @see FORMAT.md, "Times"
 */

import assert from 'node:assert/strict';
import { BackupError } from '../errors.ts';

/** The form in which every name is written: `20261123T005742Z`, 16 characters, UTC. */
export function formatTime(seconds: number): string {
  assert(canBeNamed(seconds), `no time for a name: ${seconds}`);
  return compactTime(seconds);
}

/** The same form for any time, such as a file's; the number itself where there is no such date. */
export function compactTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return String(seconds);
  return date.toISOString().replace(/(?!^)[-:]|\.\d+/g, '');
}

/** Whether names can carry this time: whole seconds after 1970 and before 2100. */
export function canBeNamed(seconds: number): boolean {
  return Number.isSafeInteger(seconds) && seconds > 0 && seconds < LATEST;
}

const LATEST = Date.UTC(2100, 0) / 1000;

/** Clocks are set right by more than that only if they were wrong. */
const CORRECTED_SECONDS = 3600;

/** Whether a time was dated by a clock that was ahead of the one that says `now`, or this one is late. */
export function isToCome(time: number, now: number): boolean {
  return time > now + CORRECTED_SECONDS;
}

/**
 * The time in a name: the form above, or that of old archives, `2026-11-23T00:57:42+05:30` or `…Z`, with any mark in
 * place of the colon. Letters count in both cases.
 * @returns seconds, or undefined if the text is no time that a name can carry
 */
export function parseNameTime(text: string): number | undefined {
  const seconds = parseCompact(text.toUpperCase()) ?? parseZoned(text.toUpperCase());
  return seconds !== undefined && canBeNamed(seconds) ? seconds : undefined;
}

/** Seconds that an interval such as `1W2D3h` spans: s, m, h, D, W, M (30 days) and Y (365 days), added up. */
export function parseInterval(text: string): number {
  const seconds = intervalSeconds(text);
  if (seconds === undefined) {
    throw new BackupError(
      'usage',
      `${JSON.stringify(text)} is not an interval: write numbers with units, such as 30D, 2W or 1h30m (s, m, h, D, W, M, Y; M and m differ).`,
      { interval: text },
    );
  }
  return seconds;
}

/**
 * A time as a person types it: `now`, seconds since 1970, the form of names, a date with time (with or without zone),
 * an interval back from now, or a date. Without a zone it is local standard time, also in summer; real duplicity
 * counts so, and a restore by the same words should find the same set.
 * @param nowSeconds what `now` and intervals count from
 * @throws BackupError 'usage' when it is none of these
 */
export function parseTimeArgument(text: string, nowSeconds: number): number {
  if (text === 'now') return nowSeconds;
  const interval = intervalSeconds(text);
  const seconds =
    parseEpoch(text) ??
    parseCompact(text) ??
    (ODD_SEPARATOR.test(text) ? undefined : parseZoned(text)) ??
    parseLocal(text) ??
    (interval === undefined ? undefined : nowSeconds - interval) ??
    parseDate(text);
  if (seconds === undefined) {
    throw new BackupError(
      'usage',
      `${JSON.stringify(text)} is not a time: write now, an interval back from now (3D, 2W, 1h30m; units s m h D W M Y), a date (2026-11-23), or a date with time (2026-11-23T01:15:22, with Z or +02:00 at the end for a zone).`,
      { time: text },
    );
  }
  return seconds;
}

/** Local time as C's asctime prints it: `Sun Sep  9 01:46:40 2001`; the number itself where there is no such date. */
export function asctime(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return String(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${DAYS[date.getDay()]} ${MONTHS[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${clock} ${date.getFullYear()}`;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function parseEpoch(text: string): number | undefined {
  if (!/^\d{1,12}$/.test(text)) return undefined;
  const seconds = Number(text);
  return seconds < LATEST ? seconds : undefined;
}

function parseCompact(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  return match ? utcSeconds(match.slice(1)) : undefined;
}

const ZONED = /^(\d{4})-(\d\d)-(\d\d)T(\d\d)([^-+\dA-Z])(\d\d)\5(\d\d)(?:Z|([+-])(\d\d)\5(\d\d))$/s;
const ODD_SEPARATOR = /T\d\d[^:]/;

function parseZoned(text: string): number | undefined {
  const match = ZONED.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, , minute, second, sign, zoneHours, zoneMinutes] = match;
  const fields = utcSeconds([year, month, day, hour, minute, second]);
  if (fields === undefined || sign === undefined) return fields;
  const zone = Number(zoneHours) * 3600 + Number(zoneMinutes) * 60;
  return sign === '+' ? fields - zone : fields + zone;
}

function parseLocal(text: string): number | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)$/.exec(text);
  return match ? standardSeconds(match.slice(1)) : undefined;
}

function parseDate(text: string): number | undefined {
  const yearFirst = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})$/.exec(text) ?? /^(\d{4})(\d\d)(\d\d)Z$/.exec(text);
  if (yearFirst) return standardSeconds(yearFirst.slice(1));
  const monthFirst = /^(\d{1,2})[-/](\d{1,2})[-/](\d{4})$/.exec(text);
  return monthFirst ? standardSeconds([monthFirst[3], monthFirst[1], monthFirst[2]]) : undefined;
}

const UNITS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  D: 86400,
  W: 7 * 86400,
  M: 30 * 86400,
  Y: 365 * 86400,
};

function intervalSeconds(text: string): number | undefined {
  if (!/^(?:\d{1,9}[smhDWMY]){1,20}$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([a-zA-Z])/g)) sum += Number(count) * UNITS[unit!]!;
  return sum;
}

/** Year, month, day, hour, minute, second in digits; the last three may be missing. A 31st of June is the 1st of July. */
function utcSeconds(fields: readonly (string | undefined)[]): number | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields.map(Number);
  const possible =
    year >= 1901 &&
    year <= 2099 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= 31 &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 61; // leap seconds
  return possible ? Date.UTC(year, month - 1, day, hour, minute, second) / 1000 : undefined;
}

function standardSeconds(fields: readonly (string | undefined)[]): number | undefined {
  const seconds = utcSeconds(fields);
  if (seconds === undefined) return undefined;
  // Standard time is what is further west of the two seasons, in that year.
  const year = Number(fields[0]);
  const west = Math.max(new Date(year, 0, 1).getTimezoneOffset(), new Date(year, 6, 1).getTimezoneOffset());
  return seconds + west * 60;
}
