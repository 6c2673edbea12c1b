// Which of a CronJob's times has come, and when the next one does. Pure. Upstream: pkg/controller/cronjob/utils.go.
import type { CronJob } from '#generated/api/batch-v1.ts';
import { nextTime, type Schedule } from '#kinds/batch/schedule.ts';
import type { TimeZone } from '#kinds/batch/time-zone.ts';
import { parseTime } from '#machinery/time.ts';

/** A schedule together with the zone it is meant in. */
export interface Timetable {
  readonly schedule: Schedule;
  readonly zone: TimeZone;
}

export type Due =
  | { readonly kind: 'none' }
  /** `many`: more than a hundred times were missed; only the last is made up for. */
  | { readonly kind: 'due'; readonly atMs: number; readonly many: boolean }
  | { readonly kind: 'invalid'; readonly error: string };

/** More missed times than this are worth a warning: 80 hourly ones fit in a long weekend. */
const MANY_MISSED = 100;
/** Added to the next time, so that a clock slightly behind does not wake the controller too early. */
const SAFETY_MS = 100;
const NO_INTERVAL = 'time difference between two schedules is less than 1 second';

/** The latest time that has come since the last one that was acted on, within startingDeadlineSeconds. */
export function latestDue(cronJob: CronJob, timetable: Timetable, nowMs: number): Due {
  const { dueMs, missed, error } = sinceLast(cronJob, timetable, nowMs, true);
  if (dueMs !== undefined && dueMs <= nowMs) return { kind: 'due', atMs: dueMs, many: missed > MANY_MISSED };
  return error === undefined ? { kind: 'none' } : { kind: 'invalid', error };
}

/** Milliseconds until the next time after the latest that has come; never for a schedule that has none. */
export function msUntilNext(cronJob: CronJob, timetable: Timetable, nowMs: number): number | undefined {
  const { earliestMs, dueMs, missed, error } = sinceLast(cronJob, timetable, nowMs, false);
  const fromMs = error !== undefined || (dueMs === undefined && missed > 0) ? nowMs : (dueMs ?? earliestMs);
  const next = nextTime(timetable.schedule, fromMs, timetable.zone);
  return next === undefined ? undefined : next + SAFETY_MS - nowMs;
}

interface SinceLast {
  readonly earliestMs: number;
  readonly dueMs?: number;
  /** Times missed between the last one and now, roughly. */
  readonly missed: number;
  readonly error?: string;
}

function sinceLast(cronJob: CronJob, { schedule, zone }: Timetable, nowMs: number, withDeadline: boolean): SinceLast {
  const { metadata, spec, status } = cronJob;
  let earliestMs = parseTime(status?.lastScheduleTime ?? metadata.creationTimestamp ?? '') ?? nowMs;
  if (withDeadline && spec.startingDeadlineSeconds !== undefined)
    earliestMs = Math.max(earliestMs, nowMs - spec.startingDeadlineSeconds * 1000);
  const after = (ms: number): number | undefined => nextTime(schedule, ms, zone);

  const first = after(earliestMs);
  if (first !== undefined && nowMs < first) return { earliestMs, missed: 0 };
  const second = first === undefined ? undefined : after(first);
  if (first === undefined || second === undefined) return { earliestMs, missed: 0, error: NO_INTERVAL };
  if (nowMs < second) return { earliestMs, dueMs: first, missed: 0 };
  // How many fit, by the distance of the first two; then from the last but one of these on, one by one.
  const interval = second - first;
  const missed = Math.floor((nowMs - first) / interval) + 1;
  let dueMs: number | undefined;
  for (let next = after(first + (missed - 2) * interval); next !== undefined && next <= nowMs; next = after(next))
    dueMs = next;
  return { earliestMs, missed, ...(dueMs === undefined ? {} : { dueMs }) };
}
