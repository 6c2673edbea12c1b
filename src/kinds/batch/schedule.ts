// Cron schedules: five fields (minute, hour, day of month, month, day of week), `@daily` and its like, `@every 90m`. What they
// mean, where clocks change too, is what upstream's parser (robfig/cron v3, ParseStandard) makes of them; so are the words of errors.
import { parseDuration } from '#machinery/time.ts';
import { civilTime, momentOf, type TimeZone, timeZone } from './time-zone.ts';

/** Which values of a field fit. */
interface Field {
  readonly values: ReadonlySet<number>;
  /** Written `*` or `?`: it sets no limit. */
  readonly any: boolean;
}

export type Schedule = CronSchedule | IntervalSchedule;

interface CronSchedule {
  readonly kind: 'cron';
  readonly minute: Field;
  readonly hour: Field;
  readonly dayOfMonth: Field;
  readonly month: Field;
  readonly dayOfWeek: Field;
  /** Of a `TZ=` or `CRON_TZ=` before the fields; it comes before any other. */
  readonly zone?: TimeZone;
}

interface IntervalSchedule {
  readonly kind: 'every';
  readonly everyMs: number;
}

export type ParsedSchedule = { readonly schedule: Schedule } | { readonly error: string };

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MINUTES: Bounds = { min: 0, max: 59 };
const HOURS: Bounds = { min: 0, max: 23 };
const DAYS: Bounds = { min: 1, max: 31 };
const MONTHS: Bounds = {
  min: 1,
  max: 12,
  names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
};
const WEEKDAYS: Bounds = { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] };

const DESCRIPTORS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** A schedule that fits no moment in so many years fits none. */
const YEARS_AHEAD = 5;
/** The largest number of a 64-bit integer: above it upstream speaks of a range error. */
const INT64_MAX = 2n ** 63n - 1n;

class ScheduleError extends Error {}

export function parseSchedule(text: string): ParsedSchedule {
  try {
    return { schedule: parse(text) };
  } catch (error) {
    if (error instanceof ScheduleError) return { error: error.message };
    throw error;
  }
}

function parse(text: string): Schedule {
  if (text === '') throw new ScheduleError('empty spec string');
  const prefix = /^(?:CRON_)?TZ=/.exec(text);
  if (prefix === null) return parseFields(text, undefined);
  const space = text.indexOf(' ');
  if (space < 0) throw new ScheduleError('invalid schedule format: runtime error: slice bounds out of range [:-1]');
  const name = text.slice(prefix[0].length, space);
  const zone = timeZone(name);
  if (zone === undefined) throw new ScheduleError(`provided bad location ${name}: unknown time zone ${name}`);
  return parseFields(text.slice(space).trim(), zone);
}

function parseFields(text: string, zone: TimeZone | undefined): Schedule {
  if (text.startsWith('@every ')) {
    const duration = text.slice('@every '.length);
    const ms = parseDuration(duration);
    if (ms === undefined)
      throw new ScheduleError(`failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`);
    return { kind: 'every', everyMs: Math.max(1000, Math.floor(ms / 1000) * 1000) };
  }
  if (text.startsWith('@') && DESCRIPTORS[text] === undefined)
    throw new ScheduleError(`unrecognized descriptor: ${text}`);
  const fields = (DESCRIPTORS[text] ?? text).split(/\s+/).filter((f) => f !== '');
  if (fields.length !== 5)
    throw new ScheduleError(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`);
  return {
    kind: 'cron',
    minute: parseField(fields[0]!, MINUTES),
    hour: parseField(fields[1]!, HOURS),
    dayOfMonth: parseField(fields[2]!, DAYS),
    month: parseField(fields[3]!, MONTHS),
    dayOfWeek: parseField(fields[4]!, WEEKDAYS),
    ...(zone === undefined ? {} : { zone }),
  };
}

/** `range{,range}` */
function parseField(text: string, bounds: Bounds): Field {
  const values = new Set<number>();
  let any = false;
  for (const range of text.split(',')) {
    if (range === '') continue;
    const found = parseRange(range, bounds);
    for (let value = found.start; value <= found.end; value += found.step) values.add(value);
    any ||= found.any;
  }
  return { values, any };
}

/** `*`, `?`, `N`, `N-M`, each with `/step`; `N/step` goes to the end. */
function parseRange(text: string, bounds: Bounds): { start: number; end: number; step: number; any: boolean } {
  const [range, ...steps] = text.split('/') as [string, ...string[]];
  const limits = range.split('-');
  let { min: start, max: end } = bounds;
  let any = true;
  if (limits[0] !== '*' && limits[0] !== '?') {
    any = false;
    start = parseValue(limits[0]!, bounds);
    if (limits.length > 2) throw new ScheduleError(`too many hyphens: ${text}`);
    end = limits.length === 2 ? parseValue(limits[1]!, bounds) : start;
  }
  if (steps.length > 1) throw new ScheduleError(`too many slashes: ${text}`);
  let step = 1;
  if (steps.length === 1) {
    step = parseInteger(steps[0]!);
    if (limits.length === 1) end = bounds.max;
    // Every second day is a limit: with a day of the week beside it, either may fit.
    if (step > 1) any = false;
  }
  if (start < bounds.min)
    throw new ScheduleError(`beginning of range (${start}) below minimum (${bounds.min}): ${text}`);
  if (end > bounds.max) throw new ScheduleError(`end of range (${end}) above maximum (${bounds.max}): ${text}`);
  if (start > end) throw new ScheduleError(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (step === 0) throw new ScheduleError(`step of range should be a positive number: ${text}`);
  return { start, end, step, any };
}

function parseValue(text: string, { min, names }: Bounds): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  return named >= 0 ? named + min : parseInteger(text);
}

function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text))
    throw new ScheduleError(
      `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  const value = BigInt(text.replace(/^\+/, ''));
  if (value > INT64_MAX || value < -INT64_MAX - 1n)
    throw new ScheduleError(
      `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`,
    );
  if (value < 0n) throw new ScheduleError(`negative number (${value}) not allowed: ${text}`);
  return Number(value);
}

/** The first time after `afterMs`; undefined when there is none in the next years. Milliseconds since the epoch, whole seconds. */
export function nextTime(schedule: Schedule, afterMs: number, zone: TimeZone): number | undefined {
  const second = Math.floor(afterMs / 1000) * 1000;
  if (schedule.kind === 'every') return second + schedule.everyMs;
  return new Search(schedule, schedule.zone ?? zone).from(second + 1000);
}

/**
 * Walks forward field by field, from months to minutes; what lies below a field that had to move begins anew. Days go by the
 * calendar, hours and minutes by the clock that never jumps. So a time that a day lacks is passed over, and one that it has twice
 * is met twice, as upstream does.
 */
class Search {
  readonly #schedule: CronSchedule;
  readonly #zone: TimeZone;
  #at = 0;
  /** Something had to move: what lies below it stands at its beginning. */
  #moved = false;

  constructor(schedule: CronSchedule, zone: TimeZone) {
    this.#schedule = schedule;
    this.#zone = zone;
  }

  from(startMs: number): number | undefined {
    const { minute, hour, dayOfMonth, month, dayOfWeek } = this.#schedule;
    // A field of commas alone is accepted and never fits.
    if ([minute, hour, dayOfMonth, month, dayOfWeek].some((field) => field.values.size === 0)) return undefined;
    this.#at = startMs;
    const lastYear = this.#now().year + YEARS_AHEAD;
    while (this.#now().year <= lastYear) {
      if (this.#toMonth() && this.#toDay() && this.#toHour() && this.#toMinute() && this.#toSecond()) return this.#at;
    }
    return undefined;
  }

  /** Each of these is false when it ran into the next larger unit, which then must fit again. */
  #toMonth(): boolean {
    while (!this.#schedule.month.values.has(this.#now().month)) {
      this.#begin({ day: 1, hour: 0, minute: 0, second: 0 });
      const now = this.#now();
      this.#at = momentOf({ ...now, month: now.month + 1 }, this.#zone);
      if (this.#now().month === 1) return false;
    }
    return true;
  }

  #toDay(): boolean {
    while (!this.#dayFits()) {
      this.#begin({ hour: 0, minute: 0, second: 0 });
      const now = this.#now();
      this.#at = momentOf({ ...now, day: now.day + 1 }, this.#zone);
      // Where midnight is left out the guess is an hour off; put right as upstream does, which may pass over that day.
      const { hour } = this.#now();
      if (hour > 12) this.#at += (24 - hour) * HOUR_MS;
      else this.#at -= hour * HOUR_MS;
      if (this.#now().day === 1) return false;
    }
    return true;
  }

  #toHour(): boolean {
    while (!this.#schedule.hour.values.has(this.#now().hour)) {
      this.#begin({ minute: 0, second: 0 });
      this.#at += HOUR_MS;
      if (this.#now().hour === 0) return false;
    }
    return true;
  }

  #toMinute(): boolean {
    while (!this.#schedule.minute.values.has(this.#now().minute)) {
      if (!this.#moved) this.#at = Math.floor(this.#at / MINUTE_MS) * MINUTE_MS;
      this.#moved = true;
      this.#at += MINUTE_MS;
      if (this.#now().minute === 0) return false;
    }
    return true;
  }

  #toSecond(): boolean {
    while (this.#now().second !== 0) {
      this.#moved = true;
      this.#at += 1000;
      if (this.#now().second === 0) return false;
    }
    return true;
  }

  #begin(reset: { day?: number; hour?: number; minute: number; second: number }): void {
    if (this.#moved) return;
    this.#moved = true;
    this.#at = momentOf({ ...this.#now(), ...reset }, this.#zone);
  }

  /** Either day may fit when both are limited; a `*` leaves it to the other. */
  #dayFits(): boolean {
    const { dayOfMonth, dayOfWeek } = this.#schedule;
    const { day, weekday } = this.#now();
    const fits = [dayOfMonth.values.has(day), dayOfWeek.values.has(weekday)];
    return dayOfMonth.any || dayOfWeek.any ? fits.every(Boolean) : fits.some(Boolean);
  }

  #now() {
    return civilTime(this.#at, this.#zone);
  }
}
