// What a pod asks of a node: effective requests and limits, with init containers, sidecars (init containers that restart
// always), pod-level resources and overhead (upstream: component-helpers, resource/PodRequests).
import type { Container, ContainerStatus, Pod, PodSpec } from '#generated/api/core-v1.ts';
import { cpuMillis, quantityToNumber } from '#machinery/quantity.ts';

/** Resource name → amount: `cpu` in thousandths of a core, everything else in whole units (bytes, counts). */
export type ResourceAmounts = Readonly<Record<string, number>>;

export const resourceAmount = (name: string, quantity: string | number | undefined): number =>
  name === 'cpu' ? cpuMillis(quantity) : quantityToNumber(quantity);

export function amountsOf(list: Readonly<Record<string, string>> | undefined): Record<string, number> {
  const out: Record<string, number> = {};
  for (const name in list) out[name] = resourceAmount(name, list[name]);
  return out;
}

/** An init container that keeps running beside the containers. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

export const podRequests = (pod: Pod): ResourceAmounts => podAmounts(pod.spec, 'requests');
export const podLimits = (pod: Pod): ResourceAmounts => podAmounts(pod.spec, 'limits');

/**
 * What a pod takes of its node while it is resized: of each container the most of what it wants, what it was given and what it still
 * has; what it wants does not count when the node can never give it (upstream: PodRequests with UseStatusResources).
 */
export function heldRequests(pod: Pod): ResourceAmounts {
  const { spec, status } = pod;
  if (spec === undefined || status?.containerStatuses === undefined) return podRequests(pod);
  const infeasible =
    status.conditions?.some((c) => c.type === 'PodResizePending' && c.reason === 'Infeasible') === true;
  const statuses = [...status.containerStatuses, ...(status.initContainerStatuses ?? [])];
  let changed = false;
  const held = (container: Container): Container => {
    const found = statuses.find((s) => s.name === container.name);
    const most = found === undefined ? undefined : mostOf(container, found, infeasible);
    if (most === undefined) return container;
    changed = true;
    return { ...container, resources: { ...container.resources, requests: most } };
  };
  const containers = spec.containers.map(held);
  const initContainers = spec.initContainers?.map((c) => (isSidecar(c) ? held(c) : c));
  return changed ? podRequests({ ...pod, spec: { ...spec, containers, initContainers } }) : podRequests(pod);
}

/** Undefined when that is what the spec says. */
function mostOf(
  container: Container,
  status: ContainerStatus,
  infeasible: boolean,
): Record<string, string> | undefined {
  const asked = container.resources?.requests ?? {};
  const others = [status.allocatedResources, status.resources?.requests];
  let most: Record<string, string> | undefined;
  for (const name of ['cpu', 'memory']) {
    const has = others.map((o) => o?.[name]).filter((q) => q !== undefined);
    if (has.every((q) => q === asked[name])) continue;
    const all = infeasible || asked[name] === undefined ? has : [...has, asked[name]];
    const winner = all.reduce((a, b) => (resourceAmount(name, b) > resourceAmount(name, a) ? b : a));
    if (winner !== asked[name]) (most ??= { ...asked })[name] = winner;
  }
  return most;
}

function podAmounts(spec: PodSpec | undefined, which: 'requests' | 'limits'): ResourceAmounts {
  if (spec === undefined) return {};
  const total: Record<string, number> = {};
  for (const container of spec.containers ?? []) add(total, amountsOf(container.resources?.[which]));
  if (spec.initContainers !== undefined) {
    const sidecars: Record<string, number> = {};
    const peak: Record<string, number> = {};
    for (const container of spec.initContainers) {
      const own = amountsOf(container.resources?.[which]);
      if (isSidecar(container)) {
        add(total, own);
        add(sidecars, own);
        raise(peak, sidecars);
      } else {
        // An init container runs beside the sidecars started before it.
        add(own, sidecars);
        raise(peak, own);
      }
    }
    raise(total, peak);
  }
  // Resources of the pod as a whole stand above those of its containers.
  Object.assign(total, amountsOf(spec.resources?.[which]));
  for (const name in spec.overhead) {
    if (which === 'limits' && total[name] === undefined) continue;
    total[name] = (total[name] ?? 0) + resourceAmount(name, spec.overhead[name]);
  }
  return total;
}

function add(into: Record<string, number>, from: ResourceAmounts): void {
  for (const name in from) into[name] = (into[name] ?? 0) + from[name]!;
}

function raise(into: Record<string, number>, from: ResourceAmounts): void {
  for (const name in from) if (into[name] === undefined || from[name]! > into[name]!) into[name] = from[name]!;
}
