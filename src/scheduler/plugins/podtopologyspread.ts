// Spreads pods over zones, nodes or any topology: DoNotSchedule constraints filter, ScheduleAnyway ones score. Pods
// without constraints that belong to a Service or a controller are spread by upstream's default ones.
import type { Pod, TopologySpreadConstraint } from '#generated/api/core-v1.ts';
import { podMayRunOn } from '#kinds/core/node-selector.ts';
import { findUntolerated } from '#kinds/core/pod/tolerations.ts';
import { type LabelMatcher, matcherOf, matchesLabels } from '#machinery/selectors.ts';
import { type Plugin, type Snapshot, reject, rejectForGood } from '../framework.ts';
import type { Lister } from '../lister.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';
import { MAX_SCORE } from './normalize.ts';

interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: LabelMatcher;
  readonly honorAffinity: boolean;
  readonly honorTaints: boolean;
}

interface Counted {
  readonly constraint: Constraint;
  /** Topology value → matching pods there. */
  readonly counts: Map<string, number>;
  readonly min: number;
  readonly matchesItself: boolean;
}

interface ScoreState {
  readonly counted: readonly (Counted & { readonly weight: number })[];
  /** Nodes that lack one of the keys: they score nothing. */
  readonly ignored: ReadonlySet<string>;
}

const HOSTNAME = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';
/** Upstream's system defaults: both ScheduleAnyway. */
const DEFAULTS = [
  { topologyKey: HOSTNAME, maxSkew: 3 },
  { topologyKey: ZONE, maxSkew: 5 },
] as const;

const SKEWED = reject("node(s) didn't match pod topology spread constraints");
const NO_LABEL = rejectForGood("node(s) didn't match pod topology spread constraints (missing required label)");
const HARD_TAINTS = ['NoSchedule', 'NoExecute'];

export function createPodTopologySpread(lister: Pick<Lister, 'siblings'>): Plugin<readonly Counted[], ScoreState> {
  return {
    name: 'PodTopologySpread',
    interests: [
      { resource: 'AssignedPod', actions: ['Add', 'Update', 'Delete'] },
      { resource: 'Node', actions: ['Add', 'Update', 'Delete'] },
    ],

    preFilter: (pod, snapshot) => {
      const constraints = constraintsOf(pod.pod, 'DoNotSchedule');
      if (constraints.length === 0) return { skip: true };
      const eligible = (node: NodeInfo) =>
        constraints.every((c) => node.node.metadata.labels?.[c.topologyKey] !== undefined);
      return {
        state: constraints.map((c) =>
          countPods(
            c,
            pod,
            snapshot.nodes.filter((n) => eligible(n) && isCounted(c, pod.pod, n)),
          ),
        ),
      };
    },

    filter: (state, _pod, node) => {
      for (const { constraint, counts, min, matchesItself } of state) {
        const value = node.node.metadata.labels?.[constraint.topologyKey];
        if (value === undefined) return NO_LABEL;
        const skew = (counts.get(value) ?? 0) + (matchesItself ? 1 : 0) - min;
        if (skew > constraint.maxSkew) return SKEWED;
      }
      return undefined;
    },

    preScore: (pod, snapshot, feasible) => {
      const own = constraintsOf(pod.pod, 'ScheduleAnyway');
      const constraints = own.length > 0 ? own : defaultsFor(pod.pod, lister);
      if (constraints.length === 0) return undefined;
      // The defaults do not ask that nodes have zones; constraints of the pod itself do ask for their keys.
      const required = own.length > 0 ? constraints : [];
      const lacks = (n: NodeInfo) => required.some((c) => n.node.metadata.labels?.[c.topologyKey] === undefined);
      const ignored = new Set(feasible.filter(lacks).map((n) => n.name));
      return { counted: constraints.map((c) => withWeight(c, pod, snapshot, feasible)), ignored };
    },

    score: ({ counted, ignored }, _pod, node) => {
      if (ignored.has(node.name)) return 0;
      let sum = 0;
      for (const { constraint, counts, weight } of counted) {
        const value = node.node.metadata.labels?.[constraint.topologyKey];
        if (value !== undefined) sum += (counts.get(value) ?? 0) * weight + (constraint.maxSkew - 1);
      }
      return Math.round(sum);
    },

    /** Fewer is better; what is ignored gets nothing. */
    normalize: (scores, { ignored }, feasible) => {
      const counting = scores.filter((_, i) => !ignored.has(feasible[i]!.name));
      const max = Math.max(...counting);
      const min = Math.min(...counting);
      return scores.map((s, i) => {
        if (ignored.has(feasible[i]!.name)) return 0;
        return max === 0 ? MAX_SCORE : Math.floor((MAX_SCORE * (max + min - s)) / max);
      });
    },
  };
}

function constraintsOf(pod: Pod, action: string): readonly Constraint[] {
  const all = pod.spec?.topologySpreadConstraints;
  return all === undefined ? [] : all.filter((c) => c.whenUnsatisfiable === action).map((c) => makeConstraint(c, pod));
}

function makeConstraint(c: TopologySpreadConstraint, pod: Pod): Constraint {
  const selector = matcherOf(c.labelSelector);
  const labels = pod.metadata.labels ?? {};
  const perPod = (c.matchLabelKeys ?? []).filter((key) => labels[key] !== undefined);
  return {
    topologyKey: c.topologyKey,
    maxSkew: c.maxSkew,
    minDomains: c.minDomains ?? 1,
    selector:
      perPod.length === 0
        ? selector
        : {
            ...selector,
            requirements: [
              ...selector.requirements,
              ...perPod.map((key) => ({ key, operator: 'in' as const, values: [labels[key]!] })),
            ],
          },
    honorAffinity: (c.nodeAffinityPolicy ?? 'Honor') === 'Honor',
    honorTaints: c.nodeTaintsPolicy === 'Honor',
  };
}

function defaultsFor(pod: Pod, lister: Pick<Lister, 'siblings'>): readonly Constraint[] {
  if ((pod.spec?.topologySpreadConstraints?.length ?? 0) > 0) return [];
  const selector = lister.siblings(pod);
  if (selector === undefined) return [];
  return DEFAULTS.map((d) => ({ ...d, minDomains: 1, selector, honorAffinity: true, honorTaints: false }));
}

function isCounted(constraint: Constraint, pod: Pod, { node }: NodeInfo): boolean {
  if (constraint.honorAffinity && !podMayRunOn(pod, node)) return false;
  return (
    !constraint.honorTaints || findUntolerated(node.spec?.taints, pod.spec?.tolerations, HARD_TAINTS) === undefined
  );
}

function countPods(constraint: Constraint, pod: PodInfo, nodes: readonly NodeInfo[]): Counted {
  const counts = new Map<string, number>();
  for (const node of nodes) {
    const value = node.node.metadata.labels?.[constraint.topologyKey];
    if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + matching(constraint, pod, node));
  }
  // With fewer domains than asked for, the emptiest is taken to be one that does not exist yet.
  const min = counts.size < constraint.minDomains || counts.size === 0 ? 0 : Math.min(...counts.values());
  return { constraint, counts, min, matchesItself: matchesLabels(constraint.selector, pod.pod.metadata.labels) };
}

function matching(constraint: Constraint, pod: PodInfo, node: NodeInfo): number {
  let n = 0;
  for (const other of node.pods) {
    const { namespace, labels, deletionTimestamp } = other.pod.metadata;
    if (
      namespace === pod.pod.metadata.namespace &&
      deletionTimestamp === undefined &&
      matchesLabels(constraint.selector, labels)
    )
      n++;
  }
  return n;
}

/** Topologies with few domains weigh less (upstream: log(size + 2)). On host names only feasible nodes are worth counting. */
function withWeight(
  constraint: Constraint,
  pod: PodInfo,
  snapshot: Snapshot,
  feasible: readonly NodeInfo[],
): Counted & { weight: number } {
  const hostname = constraint.topologyKey === HOSTNAME;
  const domains = new Set(
    feasible.map((n) => n.node.metadata.labels?.[constraint.topologyKey]).filter((v) => v !== undefined),
  );
  const nodes = hostname
    ? feasible
    : domains.size === 0
      ? []
      : snapshot.nodes.filter((n) => isCounted(constraint, pod.pod, n));
  const size = hostname ? feasible.length : domains.size;
  return { ...countPods(constraint, pod, nodes), weight: Math.log(size + 2) };
}
