// Which nodes a DaemonSet's pods belong on, and the pod made for one of them. Upstream: pkg/controller/daemon/util and
// NodeShouldRunDaemonPod.
import type { DaemonSet } from '#generated/api/apps-v1.ts';
import type { Affinity, Node, NodeSelectorTerm, Pod, PodSpec, Toleration } from '#generated/api/core-v1.ts';
import { daemonsets } from '#generated/resources.ts';
import { podMayRunOn } from '#kinds/core/node-selector.ts';
import { findUntolerated } from '#kinds/core/pod/tolerations.ts';
import { podFromTemplate } from '../runtime/pod-control.ts';
import { POD_REVISION_LABEL } from '../runtime/revisions.ts';

/** On pods: the generation of the template they were made from, as clients before ControllerRevisions read it. */
const TEMPLATE_GENERATION_LABEL = 'pod-template-generation';
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

const tolerate = (taint: string, effect: string): Toleration => ({
  key: `node.kubernetes.io/${taint}`,
  operator: 'Exists',
  effect,
});

/** What every daemon pod tolerates: the states of a node that others are kept away from. */
const TOLERATIONS: readonly Toleration[] = [
  tolerate('not-ready', 'NoExecute'),
  tolerate('unreachable', 'NoExecute'),
  tolerate('disk-pressure', 'NoSchedule'),
  tolerate('memory-pressure', 'NoSchedule'),
  tolerate('pid-pressure', 'NoSchedule'),
  tolerate('unschedulable', 'NoSchedule'),
];
/** Pods on the node's own network need no pod network. */
const HOST_NETWORK_TOLERATION = tolerate('network-unavailable', 'NoSchedule');

/** The template's tolerations and those of every daemon pod. */
export function daemonTolerations(spec: PodSpec): readonly Toleration[] {
  const own = spec.tolerations ?? [];
  const wanted = spec.hostNetwork === true ? [...TOLERATIONS, HOST_NETWORK_TOLERATION] : TOLERATIONS;
  const same = (a: Toleration, b: Toleration) =>
    a.key === b.key && a.effect === b.effect && a.operator === b.operator && (a.value ?? '') === (b.value ?? '');
  // An equal one of the template gives way: it may last only for tolerationSeconds.
  return [
    ...own.map((t) => wanted.find((w) => same(w, t)) ?? t),
    ...wanted.filter((w) => !own.some((t) => same(w, t))),
  ];
}

export interface Placement {
  /** A pod is made here when there is none. */
  readonly shouldRun: boolean;
  /** A pod that is here may stay. */
  readonly mayStay: boolean;
}

export const placementOn = (set: DaemonSet, node: Node): Placement => placementRule(set)(node);

const NOWHERE: Placement = { shouldRun: false, mayStay: false };

/** Where the set's pods belong, for asking about many nodes. */
export function placementRule(set: DaemonSet): (node: Node) => Placement {
  const spec = set.spec!.template.spec!;
  const pod: Pod = { metadata: {}, spec };
  const tolerations = daemonTolerations(spec);
  return (node) => {
    if ((spec.nodeName ?? '') !== '' && spec.nodeName !== node.metadata.name) return NOWHERE;
    if (!podMayRunOn(pod, node)) return NOWHERE;
    const taints = node.spec?.taints;
    if (findUntolerated(taints, tolerations, ['NoExecute']) !== undefined) return NOWHERE;
    return { shouldRun: findUntolerated(taints, tolerations, ['NoSchedule']) === undefined, mayStay: true };
  };
}

/** Undefined before the API server has counted. */
export const templateGenerationOf = (set: DaemonSet): string | undefined =>
  set.metadata.annotations?.[TEMPLATE_GENERATION];

/** The pod for one node, pinned there by node affinity: the scheduler places it. */
export function makeDaemonPod(set: DaemonSet, hash: string, nodeName: string): Pod {
  const pod = podFromTemplate(set.spec!.template, { object: set, ref: daemonsets });
  const generation = templateGenerationOf(set);
  const labels = {
    ...pod.metadata.labels,
    ...(generation === undefined ? {} : { [TEMPLATE_GENERATION_LABEL]: generation }),
    [POD_REVISION_LABEL]: hash,
  };
  return {
    ...pod,
    metadata: { ...pod.metadata, labels },
    spec: {
      ...pod.spec!,
      affinity: pinnedTo(nodeName, pod.spec!.affinity),
      tolerations: daemonTolerations(pod.spec!),
    },
  };
}

/** The set's own terms were judged when the node was chosen; the name takes their place. */
function pinnedTo(nodeName: string, affinity: Affinity | undefined): Affinity {
  const term: NodeSelectorTerm = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [nodeName] }] };
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
    },
  };
}

/** The node a pod is on, or is pinned to; undefined when it is pinned to none. */
export function targetNodeOf(pod: Pod): string | undefined {
  const { nodeName, affinity } = pod.spec ?? {};
  if (nodeName !== undefined && nodeName !== '') return nodeName;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const { matchFields = [] } of terms) {
    const [field] = matchFields;
    if (
      matchFields.length === 1 &&
      field!.key === 'metadata.name' &&
      field!.operator === 'In' &&
      field!.values?.length === 1
    )
      return field!.values[0];
  }
  return undefined;
}

/** Made from the set's present template. */
export function isUpToDate(pod: Pod, hash: string, generation: string | undefined): boolean {
  const { labels } = pod.metadata;
  return (
    labels?.[POD_REVISION_LABEL] === hash ||
    (generation !== undefined && labels?.[TEMPLATE_GENERATION_LABEL] === generation)
  );
}
