// Counts for PodDisruptionBudgets how many pods may be evicted now. The eviction subresource spends what is counted here. Also
// takes back the mark of evictions that came to nothing. Upstream: pkg/controller/disruption.
import type { Pod, PodCondition } from '#generated/api/core-v1.ts';
import type { Condition } from '#generated/api/meta-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '#generated/api/policy-v1.ts';
import {
  deployments,
  poddisruptionbudgets,
  pods,
  replicasets,
  replicationcontrollers,
  statefulsets,
} from '#generated/resources.ts';
import type { Informer, InformerChange } from '#client/client.ts';
import { isPodReady, isPodTerminal, podCondition } from '#kinds/core/pod/readiness.ts';
import { setCondition } from '#machinery/conditions.ts';
import { parsePercent, scaledValue } from '#machinery/intstr.ts';
import { controllerOf, keyOf, type KubeObject, type ObjectKey, splitKey } from '#machinery/object.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import { isStatus } from '#machinery/status.ts';
import { formatTime, parseTime } from '#machinery/time.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from '../runtime/controller.ts';
import { sameStatus } from '../runtime/equality.ts';
import { KindMapper } from '../runtime/kind-mapper.ts';
import { matchesLabelSelector } from '../runtime/selection.ts';
import { expectedPods, type Replicated, type ScaleSources } from './expected.ts';

/** An eviction that did not lead to a delete is forgotten after this: upstream's DeletionTimeout. */
const DELETION_TIMEOUT_MS = 2 * 60_000;
/** As long the mark of an eviction stays on a pod that was not deleted: upstream's stalePodDisruptionTimeout. */
const STALE_MARK_MS = 2 * 60_000;
/** Keys of pods, to tell them from those of budgets. */
const POD = 'pod ';

export const disruptionController: ControllerDefinition = {
  name: 'disruption-controller',
  identity: 'disruption-controller',
  eventSource: 'controllermanager',
  build: (deps) => {
    const { client, informers, clock } = deps;
    const budgets = informers.informer(poddisruptionbudgets);
    const podInformer = informers.informer(pods);
    const scales: ScaleSources = {
      deployments: informers.informer(deployments),
      replicaSets: informers.informer(replicasets),
      statefulSets: informers.informer(statefulsets),
      replicationControllers: informers.informer(replicationcontrollers),
      client,
      kinds: new KindMapper(client, clock),
    };
    const reconciler = new DisruptionReconciler({ ...deps, budgets, pods: podInformer, scales });
    const budgetsOf = (pod: Pod | undefined): readonly ObjectKey[] =>
      pod === undefined
        ? []
        : budgets
            .listNamespace(pod.metadata.namespace!)
            .filter((b) => matchesLabelSelector(b.spec?.selector, pod.metadata.labels))
            .map(keyOf);
    const marked = (pod: Pod | undefined): readonly ObjectKey[] =>
      pod === undefined || !hasStaleMark(pod) ? [] : [`${POD}${keyOf(pod)}`];
    const whenScaled = ({ key, old, object }: InformerChange<Replicated>): readonly ObjectKey[] =>
      old?.spec?.replicas === object?.spec?.replicas && ownerUid(old) === ownerUid(object)
        ? []
        : budgets.listNamespace(splitKey(key).namespace!).map(keyOf);
    return {
      watches: [
        watch(budgets, ownKey),
        watch(podInformer, ({ old, object }) => new Set([...budgetsOf(old), ...budgetsOf(object), ...marked(object)])),
        watch(scales.deployments, whenScaled),
        watch(scales.replicaSets, whenScaled),
        watch(scales.statefulSets, whenScaled),
        watch(scales.replicationControllers, whenScaled),
      ],
      reconcile: (key) => (key.startsWith(POD) ? reconciler.unmark(key.slice(POD.length)) : reconciler.reconcile(key)),
    };
  },
};

const ownerUid = (object: KubeObject | undefined): string | undefined =>
  object === undefined ? undefined : controllerOf(object)?.uid;

interface DisruptionDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly budgets: Informer<PodDisruptionBudget>;
  readonly pods: Informer<Pod>;
  readonly scales: ScaleSources;
}

export class DisruptionReconciler {
  readonly #deps: DisruptionDeps;

  constructor(deps: DisruptionDeps) {
    this.#deps = deps;
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const budget = this.#deps.budgets.get(key);
    if (budget === undefined) return done;
    try {
      return await this.#count(budget);
    } catch (error) {
      // Somebody wrote it meanwhile, an eviction perhaps: that is no failure to count.
      if (isStatus(error, 'Conflict')) throw error;
      // Until it can be counted again nothing may be evicted.
      await this.#write(budget, failedStatus(budget, (error as Error).message, this.#now()));
      throw error;
    }
  }

  async #count(budget: PodDisruptionBudget): Promise<Outcome> {
    const selected = this.#deps.pods
      .listNamespace(budget.metadata.namespace!)
      .filter((p) => matchesLabelSelector(budget.spec?.selector, p.metadata.labels));
    if (selected.length === 0) this.#event(budget, 'Normal', 'NoPods', 'No matching pods found');
    let expected = selected.length;
    if (countsScales(budget)) {
      try {
        const found = await expectedPods(selected, this.#deps.scales);
        expected = found.pods;
        if (found.unmanaged.length > 0) this.#event(budget, 'Warning', 'UnmanagedPods', unmanagedText(budget));
      } catch (error) {
        const text = `Failed to calculate the number of expected pods: ${(error as Error).message}`;
        this.#event(budget, 'Warning', 'CalculateExpectedPodCountFailed', text);
        throw error;
      }
    }
    const { kept, overdue } = disruptedPods(budget, selected, this.#now());
    for (const pod of overdue) {
      const text = `Pod was expected by PDB ${keyOf(budget)} to be deleted but it wasn't`;
      this.#deps.events.event(pod, pods, 'Warning', 'NotDeleted', text);
    }
    await this.#write(budget, budgetStatus(budget, selected, expected, kept, this.#now()));
    const ends = Object.values(kept).map((since) => (parseTime(since) ?? 0) + DELETION_TIMEOUT_MS - this.#now());
    return ends.length === 0 ? done : { requeueAfterMs: Math.max(1, Math.min(...ends)) };
  }

  async #write(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus): Promise<void> {
    if (sameStatus(status, budget.status)) return;
    await this.#deps.client.resource(poddisruptionbudgets).updateStatus({ ...budget, status });
  }

  /** Takes the mark off a pod that was to be disrupted and is still there. */
  async unmark(key: ObjectKey): Promise<Outcome> {
    const pod = this.#deps.pods.get(key);
    if (pod === undefined || !hasStaleMark(pod)) return done;
    const mark = podCondition(pod, 'DisruptionTarget')!;
    const left = (parseTime(mark.lastTransitionTime ?? '') ?? 0) + STALE_MARK_MS - this.#now();
    if (left > 0) return { requeueAfterMs: left };
    const wanted: PodCondition = { type: 'DisruptionTarget', status: 'False' };
    const { reason: _reason, message: _message, ...bare } = mark;
    const conditions = pod.status!.conditions!.map((c) =>
      c.type === wanted.type ? { ...bare, ...wanted, lastTransitionTime: formatTime(this.#now()) } : c,
    );
    await this.#deps.client.resource(pods).updateStatus({ ...pod, status: { ...pod.status, conditions } });
    return done;
  }

  #event(budget: PodDisruptionBudget, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#deps.events.event(budget, poddisruptionbudgets, type, reason, message);
  }

  #now(): number {
    return this.#deps.clock.now();
  }
}

/** Marked for a disruption that has not begun. */
function hasStaleMark(pod: Pod): boolean {
  return (
    pod.metadata.deletionTimestamp === undefined &&
    !isPodTerminal(pod) &&
    podCondition(pod, 'DisruptionTarget')?.status === 'True'
  );
}

const unmanagedText = (budget: PodDisruptionBudget): string =>
  `Pods selected by this PodDisruptionBudget (selector: ${formatLabelSelector(budget.spec?.selector)}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`;

/** Whether what counts is the number that the pods' controllers want, and not the pods that there are. */
function countsScales({ spec }: PodDisruptionBudget): boolean {
  const { minAvailable, maxUnavailable } = spec ?? {};
  return maxUnavailable !== undefined || (typeof minAvailable === 'string' && parsePercent(minAvailable) !== undefined);
}

/** Pods whose eviction is under way, and those for which it has been so for too long. */
export function disruptedPods(
  budget: PodDisruptionBudget,
  selected: readonly Pod[],
  nowMs: number,
): { readonly kept: Readonly<Record<string, string>>; readonly overdue: readonly Pod[] } {
  const kept: Record<string, string> = {};
  const overdue: Pod[] = [];
  const since = budget.status?.disruptedPods ?? {};
  for (const pod of selected) {
    const at = since[pod.metadata.name!];
    if (at === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    if ((parseTime(at) ?? 0) + DELETION_TIMEOUT_MS < nowMs) overdue.push(pod);
    else kept[pod.metadata.name!] = at;
  }
  return { kept, overdue };
}

/** `expected`: pods there should be; `disrupted`: names of those already given up. */
export function budgetStatus(
  budget: PodDisruptionBudget,
  selected: readonly Pod[],
  expected: number,
  disrupted: Readonly<Record<string, string>>,
  nowMs: number,
): PodDisruptionBudgetStatus {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  const desired =
    maxUnavailable === undefined
      ? scaledValue(minAvailable ?? 0, expected, 'up')
      : Math.max(0, expected - scaledValue(maxUnavailable, expected, 'up'));
  const healthy = selected.filter(
    (p) => p.metadata.deletionTimestamp === undefined && disrupted[p.metadata.name!] === undefined && isPodReady(p),
  ).length;
  const isUnset = minAvailable === undefined && maxUnavailable === undefined;
  const allowed = expected <= 0 || isUnset ? 0 : Math.max(0, healthy - desired);
  return {
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods: isUnset ? 0 : expected,
    disruptionsAllowed: allowed,
    observedGeneration: budget.metadata.generation,
    ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
    conditions: withCondition(budget, allowed > 0 ? 'SufficientPods' : 'InsufficientPods', '', nowMs),
  };
}

/** What was counted last stays, and so does the generation it was counted for. */
function failedStatus(budget: PodDisruptionBudget, message: string, nowMs: number): PodDisruptionBudgetStatus {
  const { currentHealthy = 0, desiredHealthy = 0, expectedPods: expected = 0, ...rest } = budget.status ?? {};
  return {
    ...rest,
    currentHealthy,
    desiredHealthy,
    expectedPods: expected,
    disruptionsAllowed: 0,
    conditions: withCondition(budget, 'SyncFailed', message, nowMs),
  };
}

function withCondition(
  { status, metadata }: PodDisruptionBudget,
  reason: 'SufficientPods' | 'InsufficientPods' | 'SyncFailed',
  message: string,
  nowMs: number,
): readonly Condition[] {
  const now = formatTime(nowMs);
  const condition = {
    type: 'DisruptionAllowed',
    status: reason === 'SufficientPods' ? 'True' : 'False',
    reason,
    message,
    lastTransitionTime: now,
    observedGeneration: metadata.generation,
  };
  return setCondition(status?.conditions, condition, now);
}
