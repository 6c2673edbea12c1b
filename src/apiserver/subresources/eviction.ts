// eviction of a pod: a delete that asks the PodDisruptionBudgets first, and leaves its mark on the pod. Upstream:
// pkg/registry/core/pod/storage/eviction.go.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Condition } from '#generated/api/meta-v1.ts';
import type { Eviction, PodDisruptionBudget } from '#generated/api/policy-v1.ts';
import { isPodReady, isPodTerminal } from '#kinds/core/pod/readiness.ts';
import { findCondition, setCondition } from '#machinery/conditions.ts';
import type { KubeObject } from '#machinery/object.ts';
import { matcherOf, matchesLabels } from '#machinery/selectors.ts';
import { StatusError } from '#machinery/status.ts';
import { decodeObject } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import { bodyOf } from '../codec.ts';
import type { RequestContext } from '../context.ts';
import { negotiate } from '../negotiation.ts';
import { jsonValue } from '../responses.ts';
import type { Served } from '../served.ts';
import { type DeleteOptions, deleteOptions, writeOptions } from '../verbs/options.ts';
import { readEntry } from '../verbs/read.ts';
import type { Subresource, SubresourceDeps } from './subresource.ts';

/** Disrupted pods remembered in one budget; upstream's MaxDisruptedPodSize. */
const MAX_DISRUPTED = 2_000;
/** Looks at a pod that changes while it is to be deleted; upstream's EvictionsRetry is as patient. */
const TRIES = 20;
const SUBJECT = { group: 'policy', resource: 'poddisruptionbudget' };

export const eviction: Subresource = {
  name: 'eviction',
  resource: '/pods',
  verbs: ['create'],
  async serve(served, context, deps) {
    const accepted = negotiate(context.request.headers.accept);
    const dryRun = writeOptions(context, 'CreateOptions').dryRun;
    const { object } = decodeObject<Eviction & KubeObject>(
      bodyOf(context),
      schemaByName('io.k8s.api.policy.v1.Eviction'),
      { kind: 'Eviction', version: 'v1' },
    );
    const { name } = context.info;
    if ((object.metadata?.name ?? name) !== name)
      throw StatusError.badRequest('name in URL does not match name in Eviction object');
    const asked = deleteOptions(context, object.deleteOptions ?? {});
    await new Evicting(served, context, { ...asked, dryRun: dryRun || asked.dryRun }, deps).run();
    return jsonValue(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, accepted);
  },
};

/** One eviction. */
class Evicting {
  readonly #pods: Served;
  readonly #context: RequestContext;
  readonly #options: DeleteOptions;
  readonly #deps: SubresourceDeps;

  constructor(pods: Served, context: RequestContext, options: DeleteOptions, deps: SubresourceDeps) {
    this.#pods = pods;
    this.#context = context;
    this.#options = options;
    this.#deps = deps;
  }

  async run(): Promise<void> {
    const pod = await this.#deleteUnguarded();
    if (pod === undefined) return;
    const budget = await this.#budgetOf(pod);
    if (budget === undefined) return this.#delete(this.#options);
    if (needsPermission(pod, budget)) {
      await this.#spend(budget, pod);
      return this.#delete(this.#options);
    }
    // The pod may have become healthy meanwhile: deleted only as it was seen.
    try {
      await this.#delete(this.#asSeen(pod));
    } catch (error) {
      if (!isConflict(error) || this.#pinned) throw error;
      throw stillProcessing(budget.metadata.name!);
    }
  }

  /** Deletes a pod that no budget guards; else gives it back. */
  async #deleteUnguarded(): Promise<Pod | undefined> {
    for (let tries = 1; ; tries++) {
      const pod = (await readEntry(this.#pods, this.#context)).object as Pod & KubeObject;
      if (!ignoresBudgets(pod)) return pod;
      try {
        const isLeaving = pod.metadata.deletionTimestamp !== undefined;
        await this.#delete(isLeaving ? this.#options : this.#asSeen(pod));
        return undefined;
      } catch (error) {
        if (!isConflict(error) || this.#pinned || tries >= TRIES) throw error;
      }
    }
  }

  /** The client itself says which state of the pod it means. */
  get #pinned(): boolean {
    return (this.#options.preconditions?.resourceVersion ?? '') !== '';
  }

  #asSeen(pod: Pod): DeleteOptions {
    const { preconditions } = this.#options;
    return this.#pinned
      ? this.#options
      : { ...this.#options, preconditions: { ...preconditions, resourceVersion: pod.metadata.resourceVersion } };
  }

  async #budgetOf(pod: Pod): Promise<PodDisruptionBudget | undefined> {
    const budgets = this.#deps.resources.find('policy', 'v1', 'poddisruptionbudgets');
    if (budgets?.cache === undefined) return undefined;
    const { entries } = await budgets.cache.list({ selection: { namespace: this.#context.info.namespace } });
    const matching = entries
      .map((e) => e.object as PodDisruptionBudget)
      .filter((b) => matchesLabels(matcherOf(b.spec?.selector), pod.metadata.labels));
    if (matching.length > 1) {
      throw new StatusError(
        500,
        '',
        'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
      );
    }
    return matching[0];
  }

  /** Takes one allowed disruption; the newest state of the budget decides. */
  async #spend(budget: PodDisruptionBudget, pod: Pod): Promise<void> {
    const { writer, resources } = this.#deps;
    await writer.write({
      served: resources.get('policy', 'v1', 'poddisruptionbudgets'),
      context: this.#context,
      subresource: 'status',
      verb: 'update',
      mode: 'update',
      namespace: this.#context.info.namespace,
      name: budget.metadata.name!,
      options: this.#writeOptions(),
      desired: (old) =>
        spent(old as PodDisruptionBudget & KubeObject, pod.metadata.name!, this.#context.nowText) as KubeObject,
    });
  }

  /** Marks the pod, then deletes it. */
  async #delete(options: DeleteOptions): Promise<void> {
    const { writer, deleter } = this.#deps;
    const { namespace, name } = this.#context.info;
    const { uid, resourceVersion } = options.preconditions ?? {};
    const written = options.dryRun
      ? undefined
      : await writer.write({
          served: this.#pods,
          context: this.#context,
          subresource: 'status',
          verb: 'update',
          mode: 'update',
          namespace,
          name,
          options: this.#writeOptions(),
          desired: (old) => {
            const marked = evicted(old as Pod & KubeObject, this.#context.nowText);
            const metadata = {
              ...marked.metadata,
              ...(uid === undefined ? {} : { uid }),
              ...(resourceVersion === undefined ? {} : { resourceVersion }),
            };
            return { ...marked, metadata } as KubeObject;
          },
        });
    const now = written?.entry?.resourceVersion;
    const preconditions =
      resourceVersion === undefined || now === undefined
        ? options.preconditions
        : { ...options.preconditions, resourceVersion: now };
    await deleter.deleteOne(this.#pods, this.#context, namespace, name, { ...options, preconditions }, 'delete');
  }

  #writeOptions() {
    const { dryRun } = this.#options;
    return { dryRun, fieldManager: 'eviction', fieldValidation: 'Ignore' as const, force: undefined };
  }
}

const isConflict = (error: unknown): boolean => error instanceof StatusError && error.reason === 'Conflict';

/** Pods that are over, pending or already going may always be evicted. */
function ignoresBudgets(pod: Pod): boolean {
  const phase = pod.status?.phase ?? 'Pending';
  return isPodTerminal(pod) || phase === 'Pending' || pod.metadata.deletionTimestamp !== undefined;
}

/** A pod that does not serve costs the application nothing, as far as the budget's policy goes. */
function needsPermission(pod: Pod, budget: PodDisruptionBudget): boolean {
  if (isPodReady(pod)) return true;
  if (budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return false;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
  return !(currentHealthy >= desiredHealthy && desiredHealthy > 0);
}

function evicted(pod: Pod, now: string): Pod {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
  };
  return { ...pod, status: { ...pod.status, conditions: setCondition(pod.status?.conditions, condition, now) } };
}

function spent(budget: PodDisruptionBudget, podName: string, now: string): PodDisruptionBudget {
  const status = budget.status;
  const name = budget.metadata.name!;
  if ((status?.observedGeneration ?? 0) < (budget.metadata.generation ?? 0)) throw stillProcessing(name);
  const allowed = status?.disruptionsAllowed ?? 0;
  if (allowed < 0) throw StatusError.forbidden(SUBJECT, name, 'pdb disruptions allowed is negative');
  if (Object.keys(status?.disruptedPods ?? {}).length > MAX_DISRUPTED) {
    const why = 'DisruptedPods map too big - too many evictions not confirmed by PDB controller';
    throw StatusError.forbidden(SUBJECT, name, why);
  }
  if (allowed === 0) throw tooMany(whyRefused(budget), 0);
  const last: Condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'InsufficientPods',
    message: '',
    lastTransitionTime: now,
    observedGeneration: status?.observedGeneration,
  };
  return {
    ...budget,
    status: {
      ...status!,
      disruptionsAllowed: allowed - 1,
      disruptedPods: { ...status?.disruptedPods, [podName]: now },
      ...(allowed > 1 ? {} : { conditions: setCondition(status?.conditions, last, now) }),
    },
  };
}

function whyRefused(budget: PodDisruptionBudget): string {
  const { desiredHealthy = 0, currentHealthy = 0, conditions } = budget.status ?? {};
  const said = `The disruption budget ${budget.metadata.name}`;
  const condition = findCondition(conditions, 'DisruptionAllowed');
  const failed = condition?.status === 'False' && (condition.message ?? '') !== '' ? condition : undefined;
  // Numbers of a budget that could not be counted are not to be trusted.
  if (failed?.reason === 'SyncFailed')
    return `${said} does not allow evicting pods currently because it failed sync: ${failed.message}`;
  if (currentHealthy <= desiredHealthy)
    return `${said} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  return failed === undefined
    ? `${said} does not allow evicting pods currently`
    : `${said} does not allow evicting pods currently (${failed.reason}): ${failed.message}`;
}

const stillProcessing = (name: string): StatusError =>
  tooMany(`The disruption budget ${name} is still being processed by the server.`, 10);

function tooMany(why: string, retryAfterSeconds: number): StatusError {
  return new StatusError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: 'DisruptionBudget', message: why }],
    ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }),
  });
}
