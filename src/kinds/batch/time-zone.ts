// Time zones by their IANA names, from the data that comes with the runtime. Upstream: Go's time package.

/** Local time is UTC plus the offset. */
export interface TimeZone {
  readonly name: string;
  offsetMs(atMs: number): number;
}

export const UTC: TimeZone = { name: 'UTC', offsetMs: () => 0 };

const DAY_MS = 86_400_000;

/** Undefined when there is no zone of this name. Names are told apart by case, as upstream's files are. */
export function timeZone(name: string): TimeZone | undefined {
  if (name === '' || name === 'UTC') return UTC;
  // Offsets (`+0500`) are no names, though the runtime would take them.
  if (!/^[A-Za-z]/.test(name)) return undefined;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    return undefined;
  }
  const resolved = format.resolvedOptions().timeZone;
  if (resolved !== name && resolved.toLowerCase() === name.toLowerCase()) return undefined;
  return { name, offsetMs: rememberedByHour((atMs) => localMs(format, atMs) - Math.floor(atMs / 1000) * 1000) };
}

const HOUR_PART_MS = 900_000;
/** Quarters of an hour whose offset is remembered: a schedule is looked for day by day, and asks for the same ones again. */
const REMEMBERED = 1024;

/** Zones change their offset on the quarter of an hour only. */
function rememberedByHour(offset: (atMs: number) => number): (atMs: number) => number {
  const known = new Map<number, number>();
  return (atMs) => {
    const part = Math.floor(atMs / HOUR_PART_MS);
    const before = known.get(part);
    if (before !== undefined) return before;
    if (known.size >= REMEMBERED) known.clear();
    const found = offset(part * HOUR_PART_MS);
    known.set(part, found);
    return found;
  };
}

/** What the zone's clocks show, as if it were UTC. */
function localMs(format: Intl.DateTimeFormat, atMs: number): number {
  const parts: Record<string, string> = {};
  for (const { type, value } of format.formatToParts(atMs)) parts[type] = value;
  const year = parts['era'] === 'BC' ? 1 - Number(parts['year']) : Number(parts['year']);
  const day = Date.UTC(2000, Number(parts['month']) - 1, Number(parts['day']));
  const date = new Date(day);
  date.setUTCFullYear(year, Number(parts['month']) - 1, Number(parts['day']));
  return (
    date.getTime() + ((Number(parts['hour']) * 60 + Number(parts['minute'])) * 60 + Number(parts['second'])) * 1000
  );
}

/** A moment as a zone's clocks and calendar show it. Months from 1; Sunday is 0. */
export interface CivilTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

export function civilTime(atMs: number, zone: TimeZone): CivilTime {
  const local = new Date(atMs + zone.offsetMs(atMs));
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    weekday: local.getUTCDay(),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
  };
}

/**
 * The moment at which the zone's clocks show this; months and days may overflow. Where they never do (a clock put forward) or do
 * twice, it is the moment that Go's time.Date gives: the offset is the one in force at what the first guess makes of it.
 */
export function momentOf(civil: Omit<CivilTime, 'weekday'>, zone: TimeZone): number {
  const { year, month, day, hour, minute, second } = civil;
  const asUtc = Date.UTC(year, month - 1, 1, hour, minute, second) + (day - 1) * DAY_MS;
  const guess = zone.offsetMs(asUtc);
  return guess === 0 ? asUtc : asUtc - zone.offsetMs(asUtc - guess);
}

/** RFC 3339 with the zone's offset; `Z` where it is none. */
export function formatInZone(atMs: number, zone: TimeZone): string {
  const offset = zone.offsetMs(atMs);
  const local = new Date(atMs + offset).toISOString().slice(0, 19);
  if (offset === 0) return `${local}Z`;
  const minutes = Math.abs(Math.trunc(offset / 60_000));
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${local}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
