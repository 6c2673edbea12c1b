// Writes the EndpointSlices of Services with a selector: which pods answer, at which addresses and ports, in which state.
// Upstream: pkg/controller/endpointslice with k8s.io/endpointslice.
import type { Node, Pod, Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { endpointslices, nodes, pods, services } from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import { keyOf, type KubeObject, makeControllerRef, makeKey, type ObjectKey } from '#machinery/object.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from '../runtime/controller.ts';
import { sameValue } from '../runtime/equality.ts';
import { isNamespaceTerminating } from '../runtime/pod-control.ts';
import { matchesLabels } from '../runtime/selection.ts';
import { WriteGuard } from '../runtime/write-guard.ts';
import { type EndpointGroup, groupByPorts, planSlices, type SliceFrame } from './packing.ts';
import {
  endpointPorts,
  familiesOf,
  hasEnded,
  HEADLESS_LABEL,
  isHeadless,
  podAddress,
  podEndpoint,
} from './pod-endpoints.ts';

export const SERVICE_LABEL = 'kubernetes.io/service-name';
export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
const MANAGER = 'endpointslice-controller.k8s.io';

export const endpointSliceController: ControllerDefinition = {
  name: 'endpointslice-controller',
  identity: 'endpointslice-controller',
  build: (deps) => {
    const own = deps.informers.informer(services);
    const slices = deps.informers.informer(endpointslices);
    const podInformer = deps.informers.informer(pods);
    const nodeInformer = deps.informers.informer(nodes);
    slices.addIndex(SLICE_INDEX, sliceIndex);
    const reconciler = new EndpointSliceReconciler({
      ...deps,
      services: own,
      slices,
      pods: podInformer,
      nodes: nodeInformer,
    });
    return {
      watches: [
        watch(own, ownKey),
        watch(podInformer, (change) => servicesOfPod(own, change)),
        watch(slices, ({ old, object }) => [
          ...new Set([old, object].flatMap((s) => (s === undefined ? [] : serviceOfSlice(s, MANAGER)))),
        ]),
        watch(nodeInformer, ({ old, object }) => (sameZone(old, object) ? [] : own.list().map(keyOf))),
      ],
      reconcile: (key) => reconciler.reconcile(key),
    };
  },
};

/** Slices by manager and service. */
export const SLICE_INDEX = 'manager-service';

export function sliceIndex(slice: EndpointSlice): readonly string[] {
  const { labels, namespace } = slice.metadata;
  return labels?.[SERVICE_LABEL] === undefined
    ? []
    : [`${labels[MANAGED_BY_LABEL] ?? ''} ${namespace}/${labels[SERVICE_LABEL]}`];
}

export const slicesOf = (
  slices: Informer<EndpointSlice>,
  manager: string,
  service: ObjectKey,
): readonly EndpointSlice[] => slices.byIndex(SLICE_INDEX, `${manager} ${service}`);

export function serviceOfSlice(slice: EndpointSlice, manager: string): readonly ObjectKey[] {
  const { labels, namespace } = slice.metadata;
  const name = labels?.[SERVICE_LABEL];
  return name === undefined || labels?.[MANAGED_BY_LABEL] !== manager ? [] : [makeKey(namespace, name)];
}

/** Services that select the pod, or selected it before the change. */
export function servicesOfPod(
  own: Informer<Service>,
  { old, object }: { readonly old: Pod | undefined; readonly object: Pod | undefined },
): readonly ObjectKey[] {
  if (old !== undefined && object !== undefined && !concernsEndpoints(old, object)) return [];
  const namespace = (object ?? old)!.metadata.namespace!;
  const labels = [old, object].flatMap((pod) => (pod === undefined ? [] : [pod.metadata.labels]));
  return own
    .listNamespace(namespace)
    .filter((s) => s.spec?.selector !== undefined && labels.some((l) => matchesLabels(s.spec!.selector!, l)))
    .map(keyOf);
}

function concernsEndpoints(old: Pod, pod: Pod): boolean {
  const view = (p: Pod) => [
    p.metadata.labels,
    p.metadata.deletionTimestamp,
    p.status?.phase,
    p.status?.podIPs ?? p.status?.podIP,
    p.spec?.nodeName,
    p.spec?.hostname,
    p.status?.conditions?.find((c) => c.type === 'Ready')?.status,
  ];
  return !sameValue(view(old), view(pod));
}

const zoneOf = (node: KubeObject | undefined) => node?.metadata.labels?.['topology.kubernetes.io/zone'];
const sameZone = (old: Node | undefined, node: Node | undefined): boolean =>
  old !== undefined && node !== undefined && zoneOf(old) === zoneOf(node);

interface EndpointSliceDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
}

export class EndpointSliceReconciler {
  readonly #deps: EndpointSliceDeps;
  readonly #guard: WriteGuard<EndpointSlice>;

  constructor(deps: EndpointSliceDeps) {
    this.#deps = deps;
    this.#guard = new WriteGuard(deps.slices, deps.clock);
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const service = this.#deps.services.get(key);
    // Slices of a deleted service go by garbage collection; without a selector they are the user's.
    if (service === undefined || service.spec?.selector === undefined || service.spec.type === 'ExternalName')
      return done;
    if (!this.#guard.settled(key)) return done;
    const { groups, missingNode } = this.#desired(service);
    const frame = sliceFrame(service);
    const plan = planSlices(groups, slicesOf(this.#deps.slices, MANAGER, key), frame);
    const client = this.#deps.client.resource(endpointslices);
    try {
      for (const slice of plan.update) await client.update(slice);
      for (const group of plan.create)
        await this.#guard.create(key, () => client.create(makeSlice(service, group, frame)));
      for (const slice of plan.remove)
        await this.#guard.delete(key, slice, () =>
          client.delete(slice.metadata.namespace, slice.metadata.name!, { preconditions: { uid: slice.metadata.uid } }),
        );
    } catch (error) {
      if (isNamespaceTerminating(error)) return done;
      throw error;
    }
    if (missingNode !== undefined) throw new Error(`skipping Pod for Service ${key}: Node ${missingNode} Not Found`);
    return done;
  }

  #desired(service: Service): { groups: readonly EndpointGroup[]; missingNode: string | undefined } {
    const selected = this.#deps.pods
      .listNamespace(service.metadata.namespace!)
      .filter((p) => !hasEnded(p) && matchesLabels(service.spec!.selector!, p.metadata.labels));
    let missingNode: string | undefined;
    const groups = familiesOf(service).flatMap((family) => {
      const entries = selected.flatMap((pod) => {
        const address = podAddress(pod, family);
        if (address === undefined) return [];
        const nodeName = pod.spec?.nodeName;
        const node = nodeName ? this.#deps.nodes.get(nodeName) : undefined;
        if (nodeName && node === undefined && service.spec!.publishNotReadyAddresses !== true) {
          missingNode = nodeName;
          return [];
        }
        return [{ ports: endpointPorts(service, pod), endpoint: podEndpoint(pod, service, node, address) }];
      });
      const grouped = groupByPorts(family, entries);
      // A service without endpoints still has one slice: the placeholder tells "none" from "not looked at yet".
      return grouped.length > 0 ? grouped : [{ addressType: family, ports: [], endpoints: [] }];
    });
    return { groups, missingNode };
  }
}

const RESERVED_LABELS: ReadonlySet<string> = new Set([SERVICE_LABEL, MANAGED_BY_LABEL, HEADLESS_LABEL]);

/** Labels of the service's slices: its own, and those by which proxies and DNS find them. */
export function sliceFrame(service: Service): SliceFrame {
  const copied = Object.entries(service.metadata.labels ?? {}).filter(([k]) => !RESERVED_LABELS.has(k));
  return {
    labels: {
      ...Object.fromEntries(copied),
      ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}),
      [SERVICE_LABEL]: service.metadata.name!,
      [MANAGED_BY_LABEL]: MANAGER,
    },
  };
}

function makeSlice(service: Service, group: EndpointGroup, frame: SliceFrame): EndpointSlice {
  return {
    metadata: {
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace,
      labels: frame.labels,
      ownerReferences: [makeControllerRef(service, services)],
    },
    addressType: group.addressType,
    endpoints: group.endpoints,
    ports: group.ports,
  };
}
