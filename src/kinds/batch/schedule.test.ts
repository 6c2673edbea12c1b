import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatTime, parseTime } from '#machinery/time.ts';
import { nextTime, parseSchedule } from './schedule.ts';
import { formatInZone, timeZone, UTC } from './time-zone.ts';

/** The next `count` times after `from`, in the zone's own clock. */
function times(text: string, from: string, count = 1, zoneName = 'UTC'): readonly string[] {
  const parsed = parseSchedule(text);
  assert.ok('schedule' in parsed, JSON.stringify(parsed));
  const zone = timeZone(zoneName)!;
  const found: string[] = [];
  let at = parseTime(from)!;
  while (found.length < count) {
    const next = nextTime(parsed.schedule, at, zone);
    if (next === undefined) return found;
    found.push(formatInZone(next, zone));
    at = next;
  }
  return found;
}

describe('nextTime', () => {
  for (const [text, from, expected] of [
    ['* * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z'],
    ['* * * * *', '2026-01-01T00:00:59Z', '2026-01-01T00:01:00Z'],
    ['*/15 * * * *', '2026-01-01T00:01:30Z', '2026-01-01T00:15:00Z'],
    ['20-35/15 * * * *', '2026-01-01T00:21:00Z', '2026-01-01T00:35:00Z'],
    ['5/20 * * * *', '2026-01-01T00:26:00Z', '2026-01-01T00:45:00Z'],
    ['0 0 1 1 *', '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['0 0 29 2 *', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['0 12 * Feb-Apr/2 Mon', '2026-02-24T00:00:00Z', '2026-04-06T12:00:00Z'],
    ['30 6 * * MON,wed', '2026-01-01T00:00:00Z', '2026-01-05T06:30:00Z'],
    // Both days are limited: either fits.
    ['0 0 13 * FRI', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
    ['0 0 */2 * SUN', '2026-01-01T00:00:00Z', '2026-01-03T00:00:00Z'],
    // One of them is not: the other must fit.
    ['0 0 ? * FRI', '2026-01-03T00:00:00Z', '2026-01-09T00:00:00Z'],
    ['0 0 13 * *', '2026-01-14T00:00:00Z', '2026-02-13T00:00:00Z'],
    ['59 23 31 12 *', '2026-12-31T23:59:00Z', '2027-12-31T23:59:00Z'],
    ['@hourly', '2026-01-01T10:20:00Z', '2026-01-01T11:00:00Z'],
    ['@daily', '2026-01-01T10:20:00Z', '2026-01-02T00:00:00Z'],
    ['@midnight', '2026-01-01T10:20:00Z', '2026-01-02T00:00:00Z'],
    ['@weekly', '2026-01-01T10:20:00Z', '2026-01-04T00:00:00Z'],
    ['@monthly', '2026-01-01T10:20:00Z', '2026-02-01T00:00:00Z'],
    ['@yearly', '2026-01-01T10:20:00Z', '2027-01-01T00:00:00Z'],
    ['@annually', '2026-01-01T10:20:00Z', '2027-01-01T00:00:00Z'],
    ['@every 1h30m', '2026-01-01T10:20:05Z', '2026-01-01T11:50:05Z'],
    ['@every 10ms', '2026-01-01T10:20:05Z', '2026-01-01T10:20:06Z'],
    ['CRON_TZ=Asia/Kolkata 0 9 * * *', '2026-01-01T00:00:00Z', '2026-01-01T03:30:00Z'],
  ] as const) {
    it(`finds ${expected} for ${text} after ${from}`, () => assert.deepEqual(times(text, from), [expected]));
  }

  for (const text of ['59 23 31 2 *', '0 0 30 Feb *', ', * * * *', '* * , * *']) {
    it(`finds nothing for ${text}`, () => assert.deepEqual(times(text, '2026-01-01T00:00:00Z'), []));
  }

  it('skips a time that a day lacks', () => {
    assert.deepEqual(times('30 2 * * *', '2026-03-28T00:00:00Z', 3, 'Europe/Berlin'), [
      '2026-03-28T02:30:00+01:00',
      '2026-03-30T02:30:00+02:00',
      '2026-03-31T02:30:00+02:00',
    ]);
  });

  it('meets a time twice that a day has twice', () => {
    assert.deepEqual(times('30 2 * * *', '2026-10-24T12:00:00Z', 3, 'Europe/Berlin'), [
      '2026-10-25T02:30:00+02:00',
      '2026-10-25T02:30:00+01:00',
      '2026-10-26T02:30:00+01:00',
    ]);
  });

  it('goes on hour by hour through both changes of the clock', () => {
    const spring = times('0 * * * *', '2026-03-29T00:30:00+01:00', 3, 'Europe/Berlin');
    assert.deepEqual(
      spring.map((t) => t.slice(11)),
      ['01:00:00+01:00', '03:00:00+02:00', '04:00:00+02:00'],
    );
    const autumn = times('0 * * * *', '2026-10-25T01:30:00+02:00', 3, 'Europe/Berlin');
    assert.deepEqual(
      autumn.map((t) => t.slice(11)),
      ['02:00:00+02:00', '02:00:00+01:00', '03:00:00+01:00'],
    );
  });

  it('finds midnight again after a day that begins at one', () => {
    // Beirut puts its clocks forward at midnight: 2026-03-29 begins at 01:00.
    assert.deepEqual(times('0 0 * * *', '2026-03-27T12:00:00Z', 3, 'Asia/Beirut'), [
      '2026-03-28T00:00:00+02:00',
      '2026-03-30T00:00:00+03:00',
      '2026-03-31T00:00:00+03:00',
    ]);
  });

  it('passes such a day over when it comes to it day by day, as upstream', () => {
    assert.deepEqual(times('0 5 * * *', '2026-03-28T12:00:00Z', 1, 'Asia/Beirut'), ['2026-03-29T05:00:00+03:00']);
    assert.deepEqual(times('0 5 29 3 *', '2026-03-01T12:00:00Z', 1, 'Asia/Beirut'), ['2027-03-29T05:00:00+03:00']);
  });

  it('knows zones with odd offsets', () => {
    assert.deepEqual(times('15 8 * * 1-5', '2026-07-03T12:00:00Z', 2, 'Asia/Kathmandu'), [
      '2026-07-06T08:15:00+05:45',
      '2026-07-07T08:15:00+05:45',
    ]);
    assert.deepEqual(times('0 0 * * *', '2026-07-03T12:00:00Z', 1, 'Pacific/Chatham'), ['2026-07-05T00:00:00+12:45']);
  });

  it('keeps to the hour of the zone all year, wherever it begins', () => {
    for (const zone of [
      'Europe/Berlin',
      'America/New_York',
      'Australia/Lord_Howe',
      'Africa/Casablanca',
      'America/Sao_Paulo',
    ]) {
      const year = times('45 17 * * *', '2026-01-01T12:00:00Z', 365, zone);
      assert.ok(
        year.every((t) => t.slice(11, 19) === '17:45:00'),
        zone,
      );
      assert.equal(new Set(year.map((t) => t.slice(0, 10))).size, 365, zone);
    }
  });
});

describe('parseSchedule', () => {
  for (const [text, error] of [
    ['', 'empty spec string'],
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['0 * * * * *', 'expected exactly 5 fields, found 6: [0 * * * * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['* * * * 7', 'end of range (7) above maximum (6): 7'],
    ['30-10 * * * *', 'beginning of range (30) beyond end of range (10): 30-10'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
    ['x * * * *', 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
    ['* * * Foo *', 'failed to parse int from Foo: strconv.Atoi: parsing "Foo": invalid syntax'],
    ['@fortnightly', 'unrecognized descriptor: @fortnightly'],
    ['@every soon', 'failed to parse duration @every soon: time: invalid duration "soon"'],
    ['TZ=Mars/Base 0 0 * * *', 'provided bad location Mars/Base: unknown time zone Mars/Base'],
    ['TZ=0', 'invalid schedule format: runtime error: slice bounds out of range [:-1]'],
  ] as const) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.deepEqual(parseSchedule(text), { error }));
  }
});

describe('timeZone', () => {
  for (const name of ['Europe/Berlin', 'UTC', 'Etc/GMT+5', 'US/Pacific', 'Asia/Calcutta', 'EST5EDT']) {
    it(`knows ${name}`, () => assert.equal(timeZone(name)?.name, name));
  }
  for (const name of ['Mars/Base', 'europe/berlin', 'utc', '+0500', 'Local']) {
    it(`does not know ${name}`, () => assert.equal(timeZone(name), undefined));
  }
  it('has offsets of the moment', () => {
    const berlin = timeZone('Europe/Berlin')!;
    assert.equal(berlin.offsetMs(Date.UTC(2026, 0, 1)), 3_600_000);
    assert.equal(berlin.offsetMs(Date.UTC(2026, 6, 1)), 7_200_000);
    assert.equal(berlin.offsetMs(Date.UTC(2026, 2, 29, 0, 59, 59, 999)), 3_600_000);
    assert.equal(berlin.offsetMs(Date.UTC(2026, 2, 29, 1)), 7_200_000);
    assert.equal(formatInZone(Date.UTC(2026, 0, 1), UTC), formatTime(Date.UTC(2026, 0, 1)));
  });
});
