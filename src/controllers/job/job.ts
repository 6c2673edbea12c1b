// Runs pods to their end as a Job asks: so many successes, so many at a time, retries with back-off, by index where it has them.
// What has ended is counted once (tracking.ts). Upstream: pkg/controller/job.
import type { Clock } from '#base/clock.ts';
import type { Job, JobCondition, JobStatus } from '#generated/api/batch-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { jobs, pods } from '#generated/resources.ts';
import type { Client, EventRecorder, Informer, InformerChange } from '#client/client.ts';
import { JOB_TRACKING_FINALIZER, isJobFinished, isManagedElsewhere, isSuspended } from '#kinds/batch/job-state.ts';
import { isPodReady } from '#kinds/core/pod/readiness.ts';
import { isConditionTrue } from '#machinery/conditions.ts';
import { controllerOf, keyOf, type ObjectKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { formatTime } from '#machinery/time.ts';
import { type ControllerDefinition, type ControllerDeps, done, type Outcome, watch } from '../runtime/controller.ts';
import { candidatesOf, claim, controlledBy, indexByController, ownerKeys, planClaims } from '../runtime/ownership.ts';
import { isNamespaceTerminating, PodControl, slowStart } from '../runtime/pod-control.ts';
import { matchesLabelSelector } from '../runtime/selection.ts';
import { WriteGuard } from '../runtime/write-guard.ts';
import { type BackoffRecord, NO_FAILURES, withEnded } from './backoff.ts';
import { gatherFacts, type JobFacts } from './facts.ts';
import { planPods } from './plan.ts';
import { podOf, podOfIndex } from './pod-template.ts';
import { isTracked } from './pods.ts';
import { countUncounted, settle, tally, tidyStatus } from './tracking.ts';
import { endOf, ensureCondition, failedBy, makeCondition, msUntilDeadline, reachedCompletions } from './verdict.ts';

export const jobController: ControllerDefinition = {
  name: 'job-controller',
  identity: 'job-controller',
  build: (deps) => {
    const jobInformer = deps.informers.informer(jobs);
    const podInformer = deps.informers.informer(pods);
    indexByController(podInformer);
    const reconciler = new JobReconciler({ ...deps, jobs: jobInformer, pods: podInformer });
    return {
      watches: [
        watch(jobInformer, (change) => jobKeys(change, podInformer, deps.enqueue)),
        watch(podInformer, (change) => podKeys(change, jobInformer, deps.enqueue)),
      ],
      reconcile: (key) => (key.startsWith(LOST_POD) ? reconciler.release(key) : reconciler.reconcile(key)),
    };
  },
};

/** Pods end in crowds: what they change is looked at together. Upstream waits a second. */
const BATCH_MS = 100;

/** Keys of pods that hold the finalizer though no Job will count them. */
const LOST_POD = 'pod/';
const lostKey = (pod: Pod): string => `${LOST_POD}${keyOf(pod)}`;

type Enqueue = ControllerDeps['enqueue'];

function* jobKeys({ key, old, object }: InformerChange<Job>, podInformer: Informer<Pod>, enqueue: Enqueue) {
  if (object !== undefined && old?.metadata.generation === object.metadata.generation) enqueue(key, BATCH_MS);
  else yield key;
  if (object === undefined || isJobFinished(object)) {
    const uid = (object ?? old)!.metadata.uid!;
    for (const pod of controlledBy(podInformer, uid).filter(isTracked)) yield lostKey(pod);
  }
}

function* podKeys(change: InformerChange<Pod>, jobInformer: Informer<Job>, enqueue: Enqueue) {
  for (const key of ownerKeys(jobs)(change)) enqueue(key, BATCH_MS);
  const pod = change.object;
  if (pod === undefined) return;
  const controller = controllerOf(pod);
  if (controller === undefined) {
    if (pod.metadata.labels !== undefined) {
      for (const job of jobInformer.listNamespace(pod.metadata.namespace!)) {
        if (matchesLabelSelector(job.spec!.selector, pod.metadata.labels)) enqueue(keyOf(job), BATCH_MS);
      }
    }
    if (isTracked(pod)) yield lostKey(pod);
  } else if (controller.kind === jobs.kind && isTracked(pod)) {
    const job = jobInformer.get(`${pod.metadata.namespace}/${controller.name}`);
    if (job === undefined || job.metadata.uid !== controller.uid || isJobFinished(job)) yield lostKey(pod);
  }
}

interface JobDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly jobs: Informer<Job>;
  readonly pods: Informer<Pod>;
}

/** What the controller remembers of a Job between passes. */
interface Memory {
  readonly uid: string;
  /** resourceVersion of the newest status written: an older Job in the cache is not to be decided on. */
  readonly written: string;
  readonly backoff: BackoffRecord;
  /** Uids of pods whose finalizer was taken off, until the cache shows it. */
  readonly released: ReadonlySet<string>;
}

export class JobReconciler {
  readonly #deps: JobDeps;
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #events: EventRecorder;
  readonly #control: PodControl;
  readonly #guard: WriteGuard<Pod>;
  readonly #memory = new Map<ObjectKey, Memory>();

  constructor(deps: JobDeps) {
    this.#deps = deps;
    this.#client = deps.client;
    this.#clock = deps.clock;
    this.#events = deps.events;
    this.#control = new PodControl(deps.client, deps.events);
    this.#guard = new WriteGuard(deps.pods, deps.clock);
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const job = this.#deps.jobs.get(key);
    if (job === undefined || isJobFinished(job)) this.#memory.delete(key);
    if (job === undefined || isManagedElsewhere(job) || isJobFinished(job)) return done;
    // Its event comes, and with it this key.
    if (isOlder(job.metadata.resourceVersion!, this.#memoryOf(key, job).written)) return done;
    const pass = new Pass(key, job, this.#clock.now());
    const settled = this.#guard.settled(key);
    const owned = await this.#claim(job);
    const stillTracked = new Set(owned.filter(isTracked).map((p) => p.metadata.uid!));
    const { released } = this.#memoryOf(key, job);
    this.#remember(key, job, { released: released.intersection(stillTracked) });
    pass.gather(owned, this.#memoryOf(key, job).released);
    await this.#act(pass, settled);
    await this.#account(pass);
    if (pass.failure !== undefined) throw pass.failure;
    return pass.waits.length === 0 ? done : { requeueAfterMs: Math.min(...pass.waits) };
  }

  /** Takes the finalizer off a pod that no Job will count. */
  async release(key: string): Promise<Outcome> {
    const pod = this.#deps.pods.get(key.slice(LOST_POD.length));
    if (pod === undefined || !isTracked(pod)) return done;
    const controller = controllerOf(pod);
    if (controller !== undefined) {
      if (controller.kind !== jobs.kind || controller.apiVersion !== 'batch/v1') return done;
      const job = this.#deps.jobs.get(`${pod.metadata.namespace}/${controller.name}`);
      if (job?.metadata.uid === controller.uid && (isManagedElsewhere(job) || !isJobFinished(job))) return done;
    }
    await this.#takeFinalizer(pod);
    return done;
  }

  async #claim(job: Job): Promise<readonly Pod[]> {
    const plan = planClaims(job, candidatesOf(this.#deps.pods, job), (pod) =>
      matchesLabelSelector(job.spec!.selector, pod.metadata.labels),
    );
    return claim(job, plan, {
      owners: this.#client.resource(jobs),
      objects: this.#client.resource(pods),
      finalizer: JOB_TRACKING_FINALIZER,
    });
  }

  /** Pods are made and removed; the pass learns how the Job stands afterwards. */
  async #act(pass: Pass, settled: boolean): Promise<void> {
    const { facts, nowMs } = pass;
    const { job } = facts;
    pass.end = endOf(facts, nowMs);
    if (pass.end !== undefined) {
      const removed = await this.#removeActive(pass);
      // Pods that are still to be removed, or still to be seen, must be counted before the Job is finished.
      if (removed !== facts.active.length || !settled) pass.end = undefined;
      return;
    }
    const deadline = msUntilDeadline(job, nowMs);
    if (deadline !== undefined) pass.waits.push(deadline);
    const goesOn = settled && job.metadata.deletionTimestamp === undefined;
    if (goesOn) await this.#manage(pass);
    const { completions } = facts.spec;
    const complete = completions === undefined ? facts.succeeded > 0 : facts.succeeded >= completions;
    if (complete && pass.active === 0) pass.end = reachedCompletions(nowMs);
    else if (goesOn) pass.showSuspension();
  }

  /** The Job ends: its pods are deleted and keep their finalizers, to be counted. Returns how many were. */
  async #removeActive(pass: Pass): Promise<number> {
    const { active, job } = pass.facts;
    const results = await Promise.allSettled(
      active.map((pod) => this.#control.delete(pod, { object: job, ref: jobs })),
    );
    return pass.removed(active, results);
  }

  async #manage(pass: Pass): Promise<void> {
    const { facts, key, nowMs } = pass;
    const { job } = facts;
    const owner = { object: job, ref: jobs };
    const backoff = withEnded(this.#memoryOf(key, job).backoff, facts.newSucceeded, facts.newFailed);
    const plan = planPods(facts, backoff, nowMs);
    if (plan.waitMs !== undefined) pass.waits.push(plan.waitMs);
    if (plan.remove.length > 0) {
      const results = await Promise.allSettled(
        plan.remove.map((pod) =>
          this.#guard.delete(key, pod, async () => {
            // Not an end of its own: it is not counted.
            await this.#takeFinalizer(pod);
            await this.#control.delete(pod, owner);
          }),
        ),
      );
      pass.removed(plan.remove, results);
      return;
    }
    const make = (i: number): Pod => {
      const index = plan.indexes?.[i];
      return index === undefined ? podOf(job) : podOfIndex(job, index, facts.indexes?.awaitingReplacement.get(index));
    };
    const { succeeded, error } = await slowStart(plan.create, (i) =>
      this.#guard.create(key, () => this.#control.create(make(i), owner)),
    );
    pass.active += succeeded;
    if (error !== undefined && !isNamespaceTerminating(error)) pass.failure ??= error as Error;
  }

  /** Counts what has ended and ends the Job when it is time: uids into the status, finalizers off, uids into counts. */
  async #account(pass: Pass): Promise<void> {
    const { facts, key, nowMs } = pass;
    const tallied = tally(facts, pass.status(), pass.end);
    let status = tallied.status;
    let changed = tallied.changed || pass.statusDiffers;
    let end = pass.end;
    if (end?.type === 'FailureTarget' || end?.type === 'SuccessCriteriaMet') {
      // Written down before anything is released, so that a successor ends the Job for the same reason.
      if (!isConditionTrue(status.conditions, end.type)) {
        status = { ...status, conditions: [...(status.conditions ?? []), end] };
        changed = true;
      }
      end = end.type === 'FailureTarget' ? failedBy(end, nowMs) : { ...end, ...makeCondition('Complete', nowMs) };
    }
    if (changed) {
      status = await this.#write(pass, status);
      this.#tellSuspension(pass);
    }
    const counted = new Set(tallied.release.map((p) => p.metadata.uid!));
    const ofThese = (list: readonly Pod[]) => list.filter((p) => counted.has(p.metadata.uid!));
    const { backoff } = this.#memoryOf(key, facts.job);
    this.#remember(key, facts.job, {
      backoff: withEnded(backoff, ofThese(facts.newSucceeded), ofThese(facts.newFailed)),
    });

    const { released, failure } = await this.#releaseAll(pass, tallied.release);
    const left = facts.pods.filter((p) => isTracked(p) && !facts.released.has(p.metadata.uid!));
    const tracked = new Set(left.map((p) => p.metadata.uid!)).difference(released);
    const after = settle(status, tracked);
    if (failure !== undefined) {
      if (after !== status) await this.#write(pass, after);
      throw failure;
    }
    const finished = !tallied.more && end !== undefined && countUncounted(after) === 0 && pass.terminating === 0;
    if (!finished) {
      if (after !== status) await this.#write(pass, after);
      return;
    }
    await this.#write(pass, finishedStatus(after, end!, nowMs));
    this.#tellFinished(pass.job, end!);
  }

  async #releaseAll(pass: Pass, release: readonly Pod[]) {
    const results = await Promise.allSettled(release.map((pod) => this.#takeFinalizer(pod)));
    const released = new Set(release.filter((_, i) => results[i]!.status === 'fulfilled').map((p) => p.metadata.uid!));
    const before = this.#memoryOf(pass.key, pass.job).released;
    this.#remember(pass.key, pass.job, { released: before.union(released) });
    const failed = results.find((r) => r.status === 'rejected');
    return { released, failure: failed?.reason as Error | undefined };
  }

  async #takeFinalizer(pod: Pod): Promise<void> {
    if (!isTracked(pod)) return;
    const { namespace, name, uid } = pod.metadata;
    const patch = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [JOB_TRACKING_FINALIZER] } };
    try {
      await this.#client.resource(pods).patch(namespace, name!, 'application/strategic-merge-patch+json', patch);
    } catch (error) {
      // Gone, or another pod of that name by now.
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
      if (isStatus(error, 'Conflict') && this.#deps.pods.get(keyOf(pod))?.metadata.uid === uid) throw error;
    }
  }

  async #write(pass: Pass, status: JobStatus): Promise<JobStatus> {
    const written = await this.#client.resource(jobs).updateStatus({ ...pass.job, status: tidyStatus(status) });
    pass.job = written;
    this.#remember(pass.key, written, { written: written.metadata.resourceVersion! });
    return written.status!;
  }

  #tellSuspension({ suspension, job }: Pass): void {
    if (suspension === undefined) return;
    this.#events.event(job, jobs, 'Normal', suspension, suspension === 'Suspended' ? 'Job suspended' : 'Job resumed');
  }

  #tellFinished(job: Job, end: JobCondition): void {
    if (end.type === 'Failed') {
      this.#events.event(job, jobs, 'Warning', end.reason!, end.message!);
      return;
    }
    const { completions } = job.spec!;
    if (completions !== undefined && (job.status?.succeeded ?? 0) > completions) {
      const message = 'Too many succeeded pods running after completion count reached';
      this.#events.event(job, jobs, 'Warning', 'TooManySucceededPods', message);
    }
    this.#events.event(job, jobs, 'Normal', 'Completed', 'Job completed');
  }

  #memoryOf(key: ObjectKey, job: Job): Memory {
    const known = this.#memory.get(key);
    const uid = job.metadata.uid!;
    if (known?.uid === uid) return known;
    return { uid, written: '0', backoff: NO_FAILURES, released: new Set() };
  }

  #remember(key: ObjectKey, job: Job, what: Partial<Memory>): void {
    this.#memory.set(key, { ...this.#memoryOf(key, job), ...what });
  }
}

/** One look at a Job: what is known, and how the Job stands after what was done. */
class Pass {
  readonly key: ObjectKey;
  readonly nowMs: number;
  job: Job;
  facts!: JobFacts;
  active = 0;
  ready = 0;
  terminating = 0;
  end: JobCondition | undefined;
  failure: Error | undefined;
  suspension: 'Suspended' | 'Resumed' | undefined;
  /** When to look again, whatever happens. */
  readonly waits: number[] = [];
  #startTime: string | undefined;
  #conditions: readonly JobCondition[];

  constructor(key: ObjectKey, job: Job, nowMs: number) {
    this.key = key;
    this.nowMs = nowMs;
    this.#startTime = job.status?.startTime ?? (isSuspended(job) ? undefined : formatTime(nowMs));
    this.#conditions = job.status?.conditions ?? [];
    this.job = { ...job, status: { ...job.status, startTime: this.#startTime } };
  }

  gather(owned: readonly Pod[], released: ReadonlySet<string>): void {
    this.facts = gatherFacts(this.job, owned, released);
    this.active = this.facts.active.length;
    this.ready = this.facts.ready;
    this.terminating = this.facts.terminating;
  }

  /** Takes note of deletions; returns how many there were. */
  removed(list: readonly Pod[], results: readonly PromiseSettledResult<unknown>[]): number {
    const gone = list.filter((_, i) => results[i]!.status === 'fulfilled');
    this.active -= gone.length;
    this.terminating += gone.length;
    this.ready -= gone.filter(isPodReady).length;
    const failed = results.find((r) => r.status === 'rejected');
    this.failure ??= failed?.reason as Error | undefined;
    return gone.length;
  }

  /** Suspended as the spec says. The time a Job has for its work begins anew when it resumes. */
  showSuspension(): void {
    const suspended = isSuspended(this.job);
    const wanted = suspended
      ? makeCondition('Suspended', this.nowMs, 'JobSuspended', 'Job suspended')
      : makeCondition('Suspended', this.nowMs, 'JobResumed', 'Job resumed', 'False');
    const next = ensureCondition(this.#conditions, wanted);
    if (next === this.#conditions) return;
    this.#conditions = next;
    this.suspension = suspended ? 'Suspended' : 'Resumed';
    this.#startTime = suspended ? undefined : formatTime(this.nowMs);
  }

  status(): JobStatus {
    return {
      ...this.job.status,
      conditions: this.#conditions,
      startTime: this.#startTime,
      active: this.active,
      ready: this.ready,
      terminating: this.terminating,
    };
  }

  /** Whether what every pass writes differs from what the Job has. A start time alone goes with the first pods. */
  get statusDiffers(): boolean {
    const { active = 0, ready, terminating } = this.job.status ?? {};
    return (
      this.suspension !== undefined ||
      active !== this.active ||
      ready !== this.ready ||
      terminating !== this.terminating
    );
  }
}

function finishedStatus(status: JobStatus, end: JobCondition, nowMs: number): JobStatus {
  return {
    ...status,
    // A Job that was suspended has none, and a finished one must.
    startTime: status.startTime ?? formatTime(nowMs),
    conditions: ensureCondition(status.conditions, end),
    ...(end.type === 'Complete' ? { completionTime: end.lastTransitionTime } : {}),
  };
}

/** resourceVersions of one resource are numbers that grow. */
function isOlder(version: string, than: string): boolean {
  return BigInt(version) < BigInt(than);
}
