// Makes Jobs at the times a CronJob names, one a time: a Job's name says its time, so nothing is started twice, whatever was
// forgotten in between. Upstream: pkg/controller/cronjob (v2).
import type { Clock } from '#base/clock.ts';
import type { CronJob, CronJobStatus, Job } from '#generated/api/batch-v1.ts';
import type { ObjectReference } from '#generated/api/core-v1.ts';
import { cronjobs, jobs } from '#generated/resources.ts';
import type { Client, EventRecorder, Informer, InformerChange } from '#client/client.ts';
import { SCHEDULED_TIMESTAMP, finishedCondition, isJobFinished } from '#kinds/batch/job-state.ts';
import { parseSchedule } from '#kinds/batch/schedule.ts';
import { formatInZone, timeZone, UTC } from '#kinds/batch/time-zone.ts';
import { controllerOf, keyOf, makeControllerRef, type ObjectKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { formatTime, parseTime } from '#machinery/time.ts';
import { type ControllerDefinition, type ControllerDeps, done, type Outcome, watch } from '../runtime/controller.ts';
import { sameValue } from '../runtime/equality.ts';
import { controlledBy, indexByController, ownerKeys } from '../runtime/ownership.ts';
import { isNamespaceTerminating } from '../runtime/pod-control.ts';
import { latestDue, msUntilNext, type Timetable } from './due.ts';

export const cronJobController: ControllerDefinition = {
  name: 'cronjob-controller',
  identity: 'cronjob-controller',
  build: (deps) => {
    const cronJobInformer = deps.informers.informer(cronjobs);
    const jobInformer = deps.informers.informer(jobs);
    indexByController(jobInformer);
    const reconciler = new CronJobReconciler({ ...deps, jobs: jobInformer, cronJobs: cronJobInformer });
    return {
      watches: [watch(cronJobInformer, (change) => cronJobKeys(change, deps)), watch(jobInformer, ownerKeys(cronjobs))],
      reconcile: (key) => reconciler.reconcile(key),
    };
  },
};

/** A new schedule holds from now on: what it would have started in the past is not made up for. */
function cronJobKeys(change: InformerChange<CronJob>, { enqueue, clock }: ControllerDeps): readonly ObjectKey[] {
  const { key, old, object } = change;
  const changed =
    old !== undefined &&
    object !== undefined &&
    (old.spec.schedule !== object.spec.schedule || old.spec.timeZone !== object.spec.timeZone);
  const timetable = changed ? timetableOf(object) : undefined;
  if (timetable === undefined || 'error' in timetable) return [key];
  const waitMs = msUntilNext(object!, timetable, clock.now());
  if (waitMs !== undefined) enqueue(key, waitMs);
  return [];
}

interface CronJobDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly cronJobs: Informer<CronJob>;
  readonly jobs: Informer<Job>;
}

type EventType = 'Normal' | 'Warning';

export class CronJobReconciler {
  readonly #deps: CronJobDeps;
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #events: EventRecorder;

  constructor(deps: CronJobDeps) {
    this.#deps = deps;
    this.#client = deps.client;
    this.#clock = deps.clock;
    this.#events = deps.events;
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const cached = this.#deps.cronJobs.get(key);
    if (cached === undefined) return done;
    const children = controlledBy(this.#deps.jobs, cached.metadata.uid!);
    const pass: Pass = { cronJob: cached, status: cached.status ?? {} };
    let outcome: Outcome;
    try {
      await this.#removeOldJobs(pass, children);
      await this.#notice(pass, children);
      outcome = await this.#schedule(pass);
    } finally {
      // What is known by now is written down even when the rest failed.
      if (!sameValue(pass.status, pass.cronJob.status))
        await this.#client.resource(cronjobs).updateStatus({ ...pass.cronJob, status: pass.status });
    }
    return outcome;
  }

  /** Finished Jobs beyond the history limits go, the oldest first. */
  async #removeOldJobs(pass: Pass, children: readonly Job[]): Promise<void> {
    const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = pass.cronJob.spec;
    for (const [type, limit] of [
      ['Complete', successfulJobsHistoryLimit],
      ['Failed', failedJobsHistoryLimit],
    ] as const) {
      if (limit === undefined) continue;
      for (const job of beyondLimit(
        children.filter((j) => finishedCondition(j)?.type === type),
        limit,
      ))
        await this.#deleteJob(pass, job);
    }
  }

  async #deleteJob(pass: Pass, job: Job): Promise<boolean> {
    const { namespace, name, uid } = job.metadata;
    if (job.metadata.deletionTimestamp !== undefined) return true;
    try {
      await this.#client.resource(jobs).delete(namespace, name!, { propagationPolicy: 'Background' });
    } catch (error) {
      this.#tell(pass, 'Warning', 'FailedDelete', `Deleted job: ${(error as Error).message}`);
      return false;
    }
    this.#forget(pass, uid!);
    this.#tell(pass, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
    return true;
  }

  /** What has become of its Jobs: the list of active ones, and the last success. */
  async #notice(pass: Pass, children: readonly Job[]): Promise<void> {
    for (const job of children) {
      const { uid, name } = job.metadata;
      const active = isActive(pass.status, uid!);
      if (!active && !isJobFinished(job)) {
        // The list may be newer than the cache shows; otherwise the Job was made and not written down, or by somebody else.
        const live = await this.#client
          .resource(cronjobs)
          .get(pass.cronJob.metadata.namespace, pass.cronJob.metadata.name!);
        if (live !== undefined && isActive(live.status ?? {}, uid!)) {
          pass.cronJob = live;
          pass.status = live.status!;
        } else {
          const message = `Saw a job that the controller did not create or forgot: ${name}`;
          this.#tell(pass, 'Warning', 'UnexpectedJob', message);
        }
        continue;
      }
      const finished = finishedCondition(job);
      if (active && finished !== undefined) {
        this.#forget(pass, uid!);
        this.#tell(pass, 'Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${finished.type}`);
      }
      const completedMs = finished?.type === 'Complete' ? parseTime(job.status?.completionTime ?? '') : undefined;
      if (completedMs !== undefined && completedMs > (parseTime(pass.status.lastSuccessfulTime ?? '') ?? -Infinity))
        pass.status = { ...pass.status, lastSuccessfulTime: job.status!.completionTime! };
    }
    const known = new Set(children.map((j) => j.metadata.uid));
    for (const { uid, namespace, name } of pass.status.active ?? []) {
      if (known.has(uid) || (await this.#client.resource(jobs).get(namespace, name!)) !== undefined) continue;
      this.#tell(pass, 'Normal', 'MissingJob', `Active job went missing: ${name}`);
      this.#forget(pass, uid!);
    }
  }

  async #schedule(pass: Pass): Promise<Outcome> {
    const { cronJob } = pass;
    const { spec } = cronJob;
    if (cronJob.metadata.deletionTimestamp !== undefined) return done;
    const timetable = timetableOf(cronJob);
    if ('error' in timetable) {
      this.#tell(pass, 'Warning', timetable.reason, timetable.error);
      return done;
    }
    if (spec.suspend === true) return done;
    const nowMs = this.#clock.now();
    const due = latestDue({ ...cronJob, status: pass.status }, timetable, nowMs);
    if (due.kind === 'invalid') {
      this.#tell(pass, 'Warning', 'InvalidSchedule', `invalid schedule: ${spec.schedule} : ${due.error}`);
      return done;
    }
    const later = (): Outcome => {
      const waitMs = msUntilNext({ ...cronJob, status: pass.status }, timetable, nowMs);
      return waitMs === undefined ? done : { requeueAfterMs: waitMs };
    };
    if (due.kind === 'none') return later();
    if (due.many) {
      const message = 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
      this.#tell(pass, 'Warning', 'TooManyMissedTimes', message);
    }
    const { atMs } = due;
    if (spec.startingDeadlineSeconds !== undefined && atMs + spec.startingDeadlineSeconds * 1000 < nowMs) {
      this.#tell(pass, 'Warning', 'MissSchedule', `Missed scheduled time to start a job: ${rfc1123(atMs)}`);
      return later();
    }
    const job = jobAt(cronJob, atMs, timetable);
    const isStarted = pass.status.active?.some((a) => a.name === job.metadata.name) === true;
    if (isStarted || parseTime(pass.status.lastScheduleTime ?? '') === atMs) return later();
    const running = pass.status.active ?? [];
    if (spec.concurrencyPolicy === 'Forbid' && running.length > 0) {
      const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
      this.#tell(pass, 'Normal', 'JobAlreadyActive', message);
      return later();
    }
    if (spec.concurrencyPolicy === 'Replace') await this.#replace(pass, running);
    await this.#start(pass, job, atMs);
    return later();
  }

  async #replace(pass: Pass, running: readonly ObjectReference[]): Promise<void> {
    for (const { namespace, name, uid } of running) {
      const job = await this.#client.resource(jobs).get(namespace, name!);
      if (job === undefined) this.#forget(pass, uid!);
      else if (!(await this.#deleteJob(pass, job))) throw new Error(`could not replace job ${namespace}/${name}`);
      else this.#forget(pass, uid!);
    }
  }

  async #start(pass: Pass, job: Job, atMs: number): Promise<void> {
    let made: Job;
    try {
      made = await this.#client.resource(jobs).create(job);
      this.#tell(pass, 'Normal', 'SuccessfulCreate', `Created job ${made.metadata.name}`);
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) {
        if (!isNamespaceTerminating(error))
          this.#tell(pass, 'Warning', 'FailedCreate', `Error creating job: ${(error as Error).message}`);
        throw error;
      }
      // Made before, and not written down; or it is somebody else's, and not ours to count.
      const present = await this.#client.resource(jobs).get(job.metadata.namespace, job.metadata.name!);
      if (present === undefined) throw error;
      if (controllerOf(present)?.uid !== pass.cronJob.metadata.uid) return;
      made = present;
    }
    if (isActive(pass.status, made.metadata.uid!)) return;
    const active = isJobFinished(made) ? pass.status.active : [...(pass.status.active ?? []), referenceTo(made)];
    pass.status = { ...pass.status, ...(active === undefined ? {} : { active }), lastScheduleTime: formatTime(atMs) };
  }

  #forget(pass: Pass, uid: string): void {
    if (!isActive(pass.status, uid)) return;
    pass.status = { ...pass.status, active: pass.status.active!.filter((a) => a.uid !== uid) };
  }

  #tell({ cronJob }: Pass, type: EventType, reason: string, message: string): void {
    this.#events.event(cronJob, cronjobs, type, reason, message);
  }
}

/** One look at a CronJob, and its status as it is to become. */
interface Pass {
  cronJob: CronJob;
  status: CronJobStatus;
}

const isActive = (status: CronJobStatus, uid: string): boolean => status.active?.some((a) => a.uid === uid) === true;

/** The zone named, else UTC: what controllers have for local time in a container. */
function timetableOf(cronJob: CronJob): Timetable | { readonly reason: string; readonly error: string } {
  const { schedule: text, timeZone: name = '' } = cronJob.spec;
  const zone = name === '' ? UTC : timeZone(name);
  if (zone === undefined) {
    const error = `invalid timeZone: ${JSON.stringify(name)}: unknown time zone ${name}`;
    return { reason: 'UnknownTimeZone', error };
  }
  const parsed = parseSchedule(text);
  if ('error' in parsed)
    return { reason: 'UnparseableSchedule', error: `unparseable schedule: ${JSON.stringify(text)} : ${parsed.error}` };
  return { schedule: parsed.schedule, zone };
}

/** The Job of one time. Its name has the time's minutes since the epoch. */
export function jobAt(cronJob: CronJob, atMs: number, { zone }: Pick<Timetable, 'zone'>): Job {
  const { labels, annotations } = cronJob.spec.jobTemplate.metadata ?? {};
  return {
    metadata: {
      name: `${cronJob.metadata.name}-${Math.floor(atMs / 60_000)}`,
      namespace: cronJob.metadata.namespace,
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...annotations, [SCHEDULED_TIMESTAMP]: formatInZone(atMs, zone) },
      ownerReferences: [makeControllerRef(cronJob, cronjobs)],
    },
    ...(cronJob.spec.jobTemplate.spec === undefined ? {} : { spec: cronJob.spec.jobTemplate.spec }),
  };
}

function referenceTo(job: Job): ObjectReference {
  const { namespace, name, uid, resourceVersion } = job.metadata;
  return { kind: jobs.kind, namespace: namespace!, name: name!, uid: uid!, apiVersion: 'batch/v1', resourceVersion };
}

/** Those that are too many, oldest start first. */
export function beyondLimit(finished: readonly Job[], limit: number): readonly Job[] {
  const started = (job: Job): number => parseTime(job.status?.startTime ?? '') ?? Infinity;
  return finished
    .toSorted((a, b) => {
      const [left, right] = [started(a), started(b)];
      return left === right ? (keyOf(a) < keyOf(b) ? -1 : 1) : left - right;
    })
    .slice(0, Math.max(0, finished.length - limit));
}

/** `Mon, 02 Jan 2006 15:04:05 +0000` */
const rfc1123 = (atMs: number): string => new Date(atMs).toUTCString().replace(/GMT$/, '+0000');
