import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  asctime,
  compactTime,
  formatTime,
  parseInterval,
  parseNameTime,
  parseTimeArgument,
} from '../../src/manifest/time.ts';

const NOW = 1_795_400_000;
const utc = (text: string) => Date.parse(text) / 1000;

/** Runs with the host in another time zone; Node reads TZ anew when it is set. */
function inZone<T>(zone: string, work: () => T): T {
  const before = process.env.TZ;
  process.env.TZ = zone;
  try {
    return work();
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
}

test('formatTime() writes 16 characters in UTC, and parseNameTime() reads them', () => {
  assert.equal(formatTime(1_795_395_462), '20261123T005742Z');
  assert.equal(parseNameTime('20261123T005742Z'), 1_795_395_462);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_102_444_799 }), seconds => {
      assert.equal(formatTime(seconds).length, 16);
      assert.equal(parseNameTime(formatTime(seconds).toLowerCase()), seconds);
    }),
  );
});

test('compactTime() writes any time of a file in the same form', () => {
  assert.equal(compactTime(0), '19700101T000000Z');
  assert.equal(compactTime(-1), '19691231T235959Z');
  assert.equal(compactTime(4_102_444_800), '21000101T000000Z');
  assert.equal(compactTime(2 ** 60), String(2 ** 60));
});

test('parseNameTime() reads the old form with zone, with any separator', () => {
  assert.equal(parseNameTime('2026-11-23T00:57:42+05:30'), 1_795_375_662);
  assert.equal(parseNameTime('2026-11-23T00_57_42+05_30'), 1_795_375_662);
  assert.equal(parseNameTime('2026-11-23T00:57:42Z'), 1_795_395_462);
  assert.equal(parseNameTime('2026-11-23T00:57:42-03:30'), utc('2026-11-23T04:27:42Z'));
});

test('parseNameTime() takes leap seconds and days past the end of a month, and nothing out of range', () => {
  assert.equal(parseNameTime('20261123T005761Z'), utc('2026-11-23T00:58:01Z'));
  assert.equal(parseNameTime('20260231T000000Z'), utc('2026-03-03T00:00:00Z'));
  const wrong = [
    '19700101T000000Z',
    '19691231T235959Z',
    '20261323T005742Z',
    '20261100T005742Z',
    '20261123T245742Z',
  ];
  wrong.push(
    '20261123T006042Z',
    '20261123T005762Z',
    '21000101T000000Z',
    '20991231T235961Z',
    '2026-11-23T00:57:42',
  );
  wrong.push('2026-11-23T00:57_42Z', '1795395462', 'now', '3D', '2026-11-23', '20261123T005742', '');
  for (const text of wrong) assert.equal(parseNameTime(text), undefined, text);
});

test('parseTimeArgument() reads every form of a time', () =>
  inZone('UTC', () => {
    const forms: Record<string, number> = {
      now: NOW,
      '5': 5,
      '1795395462': 1_795_395_462,
      '20261123T005742Z': 1_795_395_462,
      '2026-11-23T00:57:42Z': 1_795_395_462,
      '2026-11-23T00:57:42+05:30': 1_795_375_662,
      '2026-11-23T00:57:42': 1_795_395_462,
      '1W2D3h': NOW - (7 * 86400 + 2 * 86400 + 3 * 3600),
      '1M1m': NOW - (30 * 86400 + 60),
      '1s1h1s': NOW - 3602,
      '2Y': NOW - 730 * 86400,
      '0D': NOW,
      '2026-11-23': utc('2026-11-23'),
      '2026/1/2': utc('2026-01-02'),
      '2026/1-2': utc('2026-01-02'),
      '11-23-2026': utc('2026-11-23'),
      '7/1/2026': utc('2026-07-01'),
      '20261123Z': utc('2026-11-23'),
      '20260701': 20_260_701,
      '02/29/2027': utc('2027-03-01'),
      '1901-01-01': utc('1901-01-01'),
    };
    for (const [text, seconds] of Object.entries(forms)) {
      assert.equal(parseTimeArgument(text, NOW), seconds, text);
    }
  }));

test('parseTimeArgument() takes a time without zone as local standard time, also in summer', () => {
  const cases: [zone: string, text: string, expected: string][] = [
    ['Europe/Berlin', '2026-07-01T00:00:00', '2026-06-30T23:00:00Z'],
    ['Europe/Berlin', '2026-07-01', '2026-06-30T23:00:00Z'],
    ['Europe/Berlin', '20260701Z', '2026-06-30T23:00:00Z'],
    ['Europe/Berlin', '2026-01-01', '2025-12-31T23:00:00Z'],
    ['Australia/Sydney', '2026-01-01', '2025-12-31T14:00:00Z'],
    ['America/Caracas', '2012-03-03', '2012-03-03T04:30:00Z'], // the zone moved in 2016
    ['America/Caracas', '2020-03-03', '2020-03-03T04:00:00Z'],
    ['Europe/Berlin', '2026-07-01T00:00:00+02:00', '2026-06-30T22:00:00Z'],
  ];
  for (const [zone, text, expected] of cases) {
    assert.equal(
      inZone(zone, () => parseTimeArgument(text, NOW)),
      utc(expected),
      `${zone} ${text}`,
    );
  }
});

test('parseTimeArgument() refuses what is no time, and says what would be one', () => {
  const wrong = ['3d', '1.5D', '-3D', 'yesterday', '', ' now', 'NOW', '1D ', '1h2', '26-11-23', '1900-01-01'];
  wrong.push('2100-01-01', '20261123t005742z', '2026-11-23T00:57', '2026-11-23T00:57:42z', '20260701T000000');
  wrong.push('2026-11-23T00:57:42+0530', '2026-11-23T00_57_42Z', '2026-11-23T24:00:00Z', '999999999999');
  for (const text of wrong) {
    assert.throws(() => parseTimeArgument(text, NOW), { code: 'usage', message: /3D, 2W.*2026-11-23/ }, text);
  }
});

test('parseInterval() adds up its parts and refuses all else', () => {
  assert.equal(parseInterval('1W2D3h'), 788_400);
  assert.equal(parseInterval('1Y1M1m'), 395 * 86400 + 60);
  for (const text of ['', 'D', '2026-11-23', '1 D', '-1D', '3d', 'now', '7']) {
    assert.throws(() => parseInterval(text), { code: 'usage' }, text);
  }
});

test('asctime() prints local time as C does', () => {
  inZone('UTC', () => {
    assert.equal(asctime(1_795_396_353), 'Mon Nov 23 01:12:33 2026');
    assert.equal(asctime(1_000_000_000), 'Sun Sep  9 01:46:40 2001');
  });
  assert.equal(asctime(Number.MAX_SAFE_INTEGER), '9007199254740991', 'not what no calendar has');
  inZone('Europe/Berlin', () => assert.equal(asctime(1_000_000_000), 'Sun Sep  9 03:46:40 2001'));
});
