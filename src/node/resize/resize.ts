// In-place resize, the decisions: may a pod have the resources it wants now, what of a container changes and how, and the words
// of conditions and events (upstream: kubelet/allocation and kubelet/events). Pure.
import type { Container, Pod, ResourceRequirements } from '#generated/api/core-v1.ts';
import { podRequests } from '#kinds/core/pod/requests.ts';
import { canonicalQuantity } from '#machinery/quantity.ts';
import { initContainers, isSidecar, mainContainers } from '../pods/containers.ts';

/** Container name → what it has, or is to have. */
export type PodResources = Readonly<Record<string, ResourceRequirements>>;

export interface ResizeNote {
  readonly reason: string;
  readonly message: string;
  /** Generation of the pod that is meant. */
  readonly generation: number;
}

/** What the pod's status says while a resize is not done. */
export interface ResizeProgress {
  /** The node does not give what is wanted: Deferred or Infeasible. */
  readonly pending: ResizeNote | undefined;
  /** Given, and not yet in force everywhere; with reason Error when that fails. */
  readonly inProgress: ResizeNote | undefined;
  /** Container name → what it still has, where that is not what it was given. */
  readonly actual: ReadonlyMap<string, ResourceRequirements>;
}

export interface Allocatable {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly pods: number;
}

/** Containers whose resources may change: those that go on running. */
const resizable = (pod: Pod): readonly Container[] => [
  ...initContainers(pod).filter(isSidecar),
  ...mainContainers(pod),
];

export const resourcesIn = (pod: Pod): PodResources =>
  Object.fromEntries(resizable(pod).map((c) => [c.name, c.resources ?? {}]));

/** The pod as if its containers had been asked for with these resources. */
export function withResources(pod: Pod, resources: PodResources): Pod {
  if (sameResources(resourcesIn(pod), resources)) return pod;
  const put = (c: Container): Container =>
    resources[c.name] === undefined ? c : { ...c, resources: resources[c.name]! };
  const { initContainers: init, containers } = pod.spec!;
  return {
    ...pod,
    spec: {
      ...pod.spec!,
      containers: containers.map(put),
      ...(init === undefined ? {} : { initContainers: init.map((c) => (isSidecar(c) ? put(c) : c)) }),
    },
  };
}

const KINDS = ['requests', 'limits'] as const;
const RESIZED = ['cpu', 'memory'] as const;

const quantity = (resources: ResourceRequirements | undefined, kind: 'requests' | 'limits', name: string) => {
  const text = resources?.[kind]?.[name];
  return text === undefined ? undefined : canonicalQuantity(text);
};

export const sameAmounts = (a: ResourceRequirements | undefined, b: ResourceRequirements | undefined): boolean =>
  a === b || KINDS.every((k) => RESIZED.every((n) => quantity(a, k, n) === quantity(b, k, n)));

export const sameResources = (a: PodResources, b: PodResources): boolean =>
  Object.keys({ ...a, ...b }).every((name) => sameAmounts(a[name], b[name]));

/** Whether a container has to be restarted to get from one to the other, by its resizePolicy. */
export function needsRestart(container: Container, from: ResourceRequirements, to: ResourceRequirements): boolean {
  return RESIZED.some(
    (name) =>
      KINDS.some((k) => quantity(from, k, name) !== quantity(to, k, name)) &&
      container.resizePolicy?.find((p) => p.resourceName === name)?.restartPolicy === 'RestartContainer',
  );
}

/** Undefined when the node has it: `others` are the node's other pods with what they were given. */
export function refuseResize(
  pod: Pod,
  others: readonly Pod[],
  node: Allocatable,
): Pick<ResizeNote, 'reason' | 'message'> | undefined {
  const wanted = podRequests(pod);
  for (const [name, capacity] of amounts(node)) {
    const requested = wanted[name] ?? 0;
    if (requested > capacity)
      return {
        reason: 'Infeasible',
        message: `Node didn't have enough capacity: ${name}, requested: ${requested}, capacity: ${capacity}`,
      };
  }
  const short = shortage(pod, others, node);
  return short === undefined ? undefined : { reason: 'Deferred', message: shortageText(short) };
}

export interface Shortage {
  readonly resource: 'cpu' | 'memory' | 'pods';
  readonly requested: number;
  readonly used: number;
  readonly capacity: number;
}

const amounts = (node: Allocatable): readonly (readonly ['cpu' | 'memory', number])[] => [
  ['cpu', node.cpuMillis],
  ['memory', node.memoryBytes],
];

/** What the node has too little of for the pod beside the others; one that asks for nothing of a resource has enough of it. */
export function shortage(pod: Pod, others: readonly Pod[], node: Allocatable): Shortage | undefined {
  if (others.length + 1 > node.pods)
    return { resource: 'pods', requested: 1, used: others.length, capacity: node.pods };
  const wanted = podRequests(pod);
  for (const [resource, capacity] of amounts(node)) {
    const requested = wanted[resource] ?? 0;
    if (requested === 0) continue;
    const used = others.reduce((total, other) => total + (podRequests(other)[resource] ?? 0), 0);
    if (requested > capacity - used) return { resource, requested, used, capacity };
  }
  return undefined;
}

export const shortageText = ({ resource, requested, used, capacity }: Shortage): string =>
  `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;

/** Message of a resize's event: `Pod resize started: {…}`, with the pod's resources as JSON. */
export function resizeEvent(pod: Pod, what: string, error = ''): string {
  const summary = (containers: readonly Container[]) =>
    containers.map((c) => ({ name: c.name, resources: c.resources ?? {} }));
  const init = initContainers(pod);
  return `Pod resize ${what}: ${JSON.stringify({
    ...(init.length === 0 ? {} : { initContainers: summary(init) }),
    containers: summary(mainContainers(pod)),
    generation: pod.metadata.generation ?? 0,
    ...(error === '' ? {} : { error }),
  })}`;
}
