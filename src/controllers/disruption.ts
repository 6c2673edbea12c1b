// Counts for PodDisruptionBudgets how many pods may be evicted now. The eviction subresource spends what is counted here.
// Upstream: pkg/controller/disruption. Left out: scale subresources of custom controllers (their pods count as expected).
import type { Deployment, ReplicaSet, StatefulSet } from '#generated/api/apps-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '#generated/api/policy-v1.ts';
import { deployments, poddisruptionbudgets, pods, replicasets, statefulsets } from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import { isPodReady, isPodTerminal } from '#kinds/core/pod/readiness.ts';
import { setCondition } from '#machinery/conditions.ts';
import { parsePercent, scaledValue } from '#machinery/intstr.ts';
import { controllerOf, keyOf } from '#machinery/object.ts';
import { formatTime, parseTime } from '#machinery/time.ts';
import { type ControllerDefinition, done, ownKey, watch } from './runtime/controller.ts';
import { sameValue } from './runtime/equality.ts';
import { matchesLabelSelector } from './runtime/selection.ts';

/** An eviction that did not lead to a delete is forgotten after this: upstream's DeletionTimeout. */
const DELETION_TIMEOUT_MS = 2 * 60_000;

export const disruptionController: ControllerDefinition = {
  name: 'disruption-controller',
  identity: 'disruption-controller',
  build: ({ client, informers, clock }) => {
    const budgets = informers.informer(poddisruptionbudgets);
    const podInformer = informers.informer(pods);
    const scales = {
      deployments: informers.informer(deployments),
      replicaSets: informers.informer(replicasets),
      statefulSets: informers.informer(statefulsets),
    };
    const budgetsOf = (pod: Pod | undefined) =>
      pod === undefined
        ? []
        : budgets
            .listNamespace(pod.metadata.namespace!)
            .flatMap((b) => (matchesLabelSelector(b.spec?.selector, pod.metadata.labels) ? [keyOf(b)] : []));
    const inNamespace = ({ key }: { readonly key: string }) => budgets.listNamespace(key.split('/')[0]!).map(keyOf);
    return {
      watches: [
        watch(budgets, ownKey),
        watch(podInformer, ({ old, object }) => new Set([...budgetsOf(old), ...budgetsOf(object)])),
        watch(scales.deployments, inNamespace),
        watch(scales.replicaSets, inNamespace),
        watch(scales.statefulSets, inNamespace),
      ],
      reconcile: async (key) => {
        const budget = budgets.get(key);
        if (budget === undefined) return done;
        const selected = podInformer
          .listNamespace(budget.metadata.namespace!)
          .filter((p) => matchesLabelSelector(budget.spec?.selector, p.metadata.labels));
        const expected = expectedPods(selected, (pod) => scaleOf(pod, scales));
        const status = budgetStatus(budget, selected, expected, clock.now());
        if (!sameValue(status, budget.status))
          await client.resource(poddisruptionbudgets).updateStatus({ ...budget, status });
        return Object.keys(status.disruptedPods ?? {}).length === 0 ? done : { requeueAfterMs: DELETION_TIMEOUT_MS };
      },
    };
  },
};

interface Scales {
  readonly deployments: Informer<Deployment>;
  readonly replicaSets: Informer<ReplicaSet>;
  readonly statefulSets: Informer<StatefulSet>;
}

/** The controller that decides how many pods there are, and its number; undefined for pods without one. */
export interface Scale {
  readonly uid: string;
  readonly replicas: number;
}

function scaleOf(pod: Pod, scales: Scales): Scale | undefined {
  const owner = controllerOf(pod);
  if (owner === undefined) return undefined;
  const key = `${pod.metadata.namespace}/${owner.name}`;
  if (owner.kind === 'StatefulSet') return asScale(scales.statefulSets.get(key), owner.uid);
  if (owner.kind !== 'ReplicaSet') return undefined;
  const set = scales.replicaSets.get(key);
  const parent = set === undefined ? undefined : controllerOf(set);
  if (parent?.kind !== 'Deployment') return asScale(set, owner.uid);
  return asScale(scales.deployments.get(`${pod.metadata.namespace}/${parent.name}`), parent.uid);
}

function asScale(object: Deployment | ReplicaSet | StatefulSet | undefined, uid: string): Scale | undefined {
  return object === undefined || object.metadata.uid !== uid
    ? undefined
    : { uid, replicas: object.spec?.replicas ?? 1 };
}

/** Sum over the distinct controllers; pods without a known one count as they are. */
export function expectedPods(selected: readonly Pod[], scale: (pod: Pod) => Scale | undefined): number {
  const byUid = new Map<string, number>();
  let single = 0;
  for (const pod of selected) {
    const found = scale(pod);
    if (found === undefined) single++;
    else byUid.set(found.uid, found.replicas);
  }
  return single + [...byUid.values()].reduce((sum, n) => sum + n, 0);
}

export function budgetStatus(
  budget: PodDisruptionBudget,
  selected: readonly Pod[],
  scaled: number,
  nowMs: number,
): PodDisruptionBudgetStatus {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  const relative =
    maxUnavailable !== undefined || (typeof minAvailable === 'string' && parsePercent(minAvailable) !== undefined);
  const expected = relative ? scaled : selected.filter((p) => !isPodTerminal(p)).length;
  const desired =
    maxUnavailable === undefined
      ? scaledValue(minAvailable ?? 1, expected, 'up')
      : Math.max(0, expected - scaledValue(maxUnavailable, expected, 'up'));
  const disrupted = Object.entries(budget.status?.disruptedPods ?? {}).filter(([name, since]) => {
    const pod = selected.find((p) => p.metadata.name === name);
    return (
      pod !== undefined &&
      pod.metadata.deletionTimestamp === undefined &&
      (parseTime(since) ?? 0) + DELETION_TIMEOUT_MS > nowMs
    );
  });
  const gone = new Set(disrupted.map(([name]) => name));
  const healthy = selected.filter(
    (p) => p.metadata.deletionTimestamp === undefined && !gone.has(p.metadata.name!) && isPodReady(p),
  ).length;
  const allowed = expected <= 0 ? 0 : Math.max(0, healthy - desired);
  const now = formatTime(nowMs);
  const condition = {
    type: 'DisruptionAllowed',
    status: allowed > 0 ? 'True' : 'False',
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    lastTransitionTime: now,
    observedGeneration: budget.metadata.generation,
  };
  return {
    currentHealthy: healthy,
    desiredHealthy: desired,
    expectedPods: expected,
    disruptionsAllowed: allowed,
    observedGeneration: budget.metadata.generation,
    ...(disrupted.length === 0 ? {} : { disruptedPods: Object.fromEntries(disrupted) }),
    conditions: setCondition(budget.status?.conditions, condition, now),
  };
}
