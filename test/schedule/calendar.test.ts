import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../src/errors.ts';
import { type Calendar, nextRun, parseCalendar, toCron, toOnCalendar } from '../../src/schedule/calendar.ts';

const forms: readonly [text: string, cron: string, onCalendar: string][] = [
  ['Mon 21:15', '15 21 * * 1', 'Mon *-*-* 21:15:00'],
  ['mon,thu 21:15', '15 21 * * 1,4', 'Mon,Thu *-*-* 21:15:00'],
  ['Mon-Fri 02:00', '0 2 * * 1,2,3,4,5', 'Mon,Tue,Wed,Thu,Fri *-*-* 02:00:00'],
  ['Sat-Mon 2:05', '5 2 * * 0,1,6', 'Sun,Mon,Sat *-*-* 02:05:00'],
  ['Sunday 09:00', '0 9 * * 0', 'Sun *-*-* 09:00:00'],
  ['daily 03:30', '30 3 * * *', '*-*-* 03:30:00'],
  ['03:30', '30 3 * * *', '*-*-* 03:30:00'],
  ['daily', '0 4 * * *', '*-*-* 04:00:00'],
  ['weekly', '0 4 * * 0', 'Sun *-*-* 04:00:00'],
  ['monthly 04:00', '0 4 1 * *', '*-*-01 04:00:00'],
  ['1,15 04:00', '0 4 1,15 * *', '*-*-01,15 04:00:00'],
  ['hourly', '0 * * * *', '*-*-* *:00:00'],
  ['hourly :20', '20 * * * *', '*-*-* *:20:00'],
];

for (const [text, cron, onCalendar] of forms) {
  test(`parseCalendar() reads '${text}' for cron and for systemd`, () => {
    const calendar = parseCalendar(text);
    assert.equal(toCron(calendar), cron);
    assert.equal(toOnCalendar(calendar), onCalendar);
  });
}

const slips = ['', 'never', 'Mon', 'Mon 25:00', 'Mon 21:60', 'Mon 9', 'Mon Tue 09:00', '0 04:00', '32 04:00'];
for (const text of [
  ...slips,
  'Mon- 04:00',
  'Mon-Tue-Wed 04:00',
  ':20',
  'hourly 03:00',
  '1-Mon 04:00',
  '* * * * *',
]) {
  test(`parseCalendar() refuses '${text}' with examples`, () => {
    assert.throws(
      () => parseCalendar(text),
      (error: unknown) =>
        error instanceof BackupError && error.code === 'usage' && /Mon 21:15/.test(error.message),
    );
  });
}

const calendars: fc.Arbitrary<Calendar> = fc.record({
  weekdays: fc.option(fc.uniqueArray(fc.nat(6), { minLength: 1 }), { nil: undefined }),
  monthDays: fc.constant(undefined),
  hour: fc.option(fc.nat(23), { nil: undefined }),
  minute: fc.nat(59),
});
const days: fc.Arbitrary<Calendar> = fc.record({
  weekdays: fc.constant(undefined),
  monthDays: fc.uniqueArray(fc.integer({ min: 1, max: 31 }), { minLength: 1 }),
  hour: fc.option(fc.nat(23), { nil: undefined }),
  minute: fc.nat(59),
});

test('nextRun() gives the first minute later than now that fits', () => {
  fc.assert(
    fc.property(
      fc.oneof(calendars, days),
      fc.integer({ min: 1_600_000_000, max: 1_900_000_000 }),
      (calendar, now) => {
        const next = nextRun(calendar, now);
        assert.ok(next > now);
        assert.ok(fits(calendar, next), `${toCron(calendar)} at ${new Date(next * 1000)}`);
        // Nothing fits in between: looked at by the minute, up to two days.
        const first = Math.floor(now / 60) * 60 + 60;
        for (let at = first; at < Math.min(next, now + 172_800); at += 60) {
          assert.ok(!fits(calendar, at), `${new Date(at * 1000)} would fit, before ${new Date(next * 1000)}`);
        }
      },
    ),
    { numRuns: 60 },
  );
});

function fits({ weekdays, monthDays, hour, minute }: Calendar, seconds: number): boolean {
  const date = new Date(seconds * 1000);
  return (
    date.getMinutes() === minute &&
    (hour === undefined || date.getHours() === hour) &&
    (weekdays?.includes(date.getDay()) ?? true) &&
    (monthDays?.includes(date.getDate()) ?? true)
  );
}

test('nextRun() comes once a day where clocks are set', () => {
  const script = `
    const { nextRun, parseCalendar } = await import(${JSON.stringify(new URL('../../src/schedule/calendar.js', import.meta.url).href)});
    const runs = [];
    let at = Date.UTC(2026, 2, 27) / 1000; // two days before clocks go from 2 to 3 in Berlin
    for (let i = 0; i < 4; i++) runs.push(new Date((at = nextRun(parseCalendar('daily 02:30'), at)) * 1000).toISOString());
    at = Date.UTC(2026, 9, 24) / 1000; // and back
    for (let i = 0; i < 3; i++) runs.push(new Date((at = nextRun(parseCalendar('daily 02:30'), at)) * 1000).toISOString());
    console.log(runs.map(run => run.slice(5, 16)).join(' '));
  `;
  const args = ['--input-type=module', '-e', script];
  const text = execFileSync(process.execPath, args, {
    env: { ...process.env, TZ: 'Europe/Berlin' },
    encoding: 'utf8',
  });
  assert.equal(
    text.trim(),
    '03-27T01:30 03-28T01:30 03-29T01:30 03-30T00:30 10-24T00:30 10-25T00:30 10-26T01:30',
  );
});
