// Deletes finished Jobs, with their pods, once spec.ttlSecondsAfterFinished has passed. Upstream: pkg/controller/ttlafterfinished.
import type { Clock } from '#base/clock.ts';
import type { Job } from '#generated/api/batch-v1.ts';
import { jobs } from '#generated/resources.ts';
import type { Client, Informer } from '#client/client.ts';
import { finishedCondition } from '#kinds/batch/job-state.ts';
import { type ObjectKey, splitKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { parseTime } from '#machinery/time.ts';
import { type ControllerDefinition, done, type Outcome, ownKey, watch } from './runtime/controller.ts';

export const ttlAfterFinishedController: ControllerDefinition = {
  name: 'ttl-after-finished-controller',
  identity: 'ttl-after-finished-controller',
  build: ({ informers, client, clock }) => {
    const informer = informers.informer(jobs);
    const reconciler = new TtlAfterFinishedReconciler({ jobs: informer, client, clock });
    return { watches: [watch(informer, ownKey)], reconcile: (key) => reconciler.reconcile(key) };
  },
};

interface TtlAfterFinishedDeps {
  readonly jobs: Informer<Job>;
  readonly client: Client;
  readonly clock: Clock;
}

export class TtlAfterFinishedReconciler {
  readonly #deps: TtlAfterFinishedDeps;

  constructor(deps: TtlAfterFinishedDeps) {
    this.#deps = deps;
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const { clock, client } = this.#deps;
    const left = msUntilExpiry(this.#deps.jobs.get(key), clock.now());
    if (left === undefined) return done;
    if (left > 0) return { requeueAfterMs: left };
    // The cached time to live may be stale: decide again on a live read before deleting.
    const { namespace, name } = splitKey(key);
    const live = await client.resource(jobs).get(namespace, name);
    const really = msUntilExpiry(live, clock.now());
    if (really === undefined) return done;
    if (really > 0) return { requeueAfterMs: really };
    try {
      const preconditions = { uid: live!.metadata.uid };
      await client.resource(jobs).delete(namespace, name, { preconditions, propagationPolicy: 'Foreground' });
    } catch (error) {
      if (!isStatus(error, 'Conflict')) throw error;
    }
    return done;
  }
}

/** Milliseconds until the Job may be deleted; undefined when it is not to be deleted. */
export function msUntilExpiry(job: Job | undefined, nowMs: number): number | undefined {
  const seconds = job?.spec?.ttlSecondsAfterFinished;
  if (job === undefined || seconds === undefined || job.metadata.deletionTimestamp !== undefined) return undefined;
  const finishedMs = parseTime(finishedCondition(job)?.lastTransitionTime ?? '');
  return finishedMs === undefined ? undefined : Math.max(0, finishedMs + seconds * 1000 - nowMs);
}
