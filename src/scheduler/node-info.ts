// A node with the pods on it and their sums. A value: changes make a new one, so that snapshots and what-if questions
// (preemption) cost only what differs.
import type { Node } from '#generated/api/core-v1.ts';
import { type Resources, addResources, noResources, resourcesOf, subResources } from './resources.ts';
import { quantityToNumber } from '#machinery/quantity.ts';
import type { PodInfo } from './pod-info.ts';

export interface NodeInfo {
  readonly name: string;
  readonly node: Node;
  readonly allocatable: Resources;
  readonly allowedPods: number;
  readonly pods: readonly PodInfo[];
  readonly requested: Resources;
  /** With assumed values for containers that ask for nothing: for scoring. */
  readonly scoringRequested: Resources;
  /** Of `pods`, those with any affinity or anti-affinity term. */
  readonly podsWithAffinity: readonly PodInfo[];
  /** Of `pods`, those with required anti-affinity. */
  readonly podsWithAntiAffinity: readonly PodInfo[];
  /** Image name → bytes, as the node reports. */
  readonly images: ReadonlyMap<string, number>;
}

export function makeNodeInfo(node: Node, pods: readonly PodInfo[] = []): NodeInfo {
  const sum = (of: (pod: PodInfo) => Resources) =>
    pods.reduce((total, pod) => addResources(total, of(pod)), noResources);
  return {
    ...factsOf(node),
    pods,
    requested: sum((p) => p.requests),
    scoringRequested: sum((p) => p.scoringRequests),
    podsWithAffinity: pods.filter(hasAffinity),
    podsWithAntiAffinity: pods.filter(hasAntiAffinity),
  };
}

/** The same pods on a newer state of the node. */
export function withNode(info: NodeInfo, node: Node): NodeInfo {
  return { ...info, ...factsOf(node) };
}

export function withPod(info: NodeInfo, pod: PodInfo): NodeInfo {
  return {
    ...info,
    pods: [...info.pods, pod],
    requested: addResources(info.requested, pod.requests),
    scoringRequested: addResources(info.scoringRequested, pod.scoringRequests),
    podsWithAffinity: hasAffinity(pod) ? [...info.podsWithAffinity, pod] : info.podsWithAffinity,
    podsWithAntiAffinity: hasAntiAffinity(pod) ? [...info.podsWithAntiAffinity, pod] : info.podsWithAntiAffinity,
  };
}

/** The node without the pod of this key; the node itself when it has none. */
export function withoutPod(info: NodeInfo, key: string): NodeInfo {
  const pod = info.pods.find((p) => p.key === key);
  if (pod === undefined) return info;
  const others = (list: readonly PodInfo[]) => (list.includes(pod) ? list.filter((p) => p !== pod) : list);
  return {
    ...info,
    pods: others(info.pods),
    requested: subResources(info.requested, pod.requests),
    scoringRequested: subResources(info.scoringRequested, pod.scoringRequests),
    podsWithAffinity: others(info.podsWithAffinity),
    podsWithAntiAffinity: others(info.podsWithAntiAffinity),
  };
}

function factsOf(node: Node): Pick<NodeInfo, 'name' | 'node' | 'allocatable' | 'allowedPods' | 'images'> {
  const images = new Map<string, number>();
  for (const image of node.status?.images ?? [])
    for (const name of image.names ?? []) images.set(name, image.sizeBytes ?? 0);
  const allocatable = node.status?.allocatable;
  return {
    name: node.metadata.name!,
    node,
    allocatable: resourcesOf(allocatable),
    allowedPods: quantityToNumber(allocatable?.['pods']),
    images,
  };
}

const hasAntiAffinity = (pod: PodInfo): boolean => pod.antiAffinity.length > 0;
const hasAffinity = (pod: PodInfo): boolean =>
  pod.affinity.length > 0 ||
  pod.antiAffinity.length > 0 ||
  pod.preferredAffinity.length > 0 ||
  pod.preferredAntiAffinity.length > 0;
