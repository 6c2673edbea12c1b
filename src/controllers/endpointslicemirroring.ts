// Mirrors Endpoints that users write for Services without a selector into EndpointSlices, which is what proxies and DNS
// read. Upstream: pkg/controller/endpointslicemirroring.
import type { Endpoints, EndpointAddress, Service } from '#generated/api/core-v1.ts';
import type { Endpoint, EndpointSlice } from '#generated/api/discovery-v1.ts';
import { endpoints, endpointslices, services } from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import { makeControllerRef, type ObjectKey } from '#machinery/object.ts';
import {
  MANAGED_BY_LABEL,
  SERVICE_LABEL,
  serviceOfSlice,
  SLICE_INDEX,
  sliceIndex,
  slicesOf,
} from './endpointslice/endpointslice.ts';
import { type EndpointGroup, groupByPorts, planSlices } from './endpointslice/packing.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from './runtime/controller.ts';
import { isNamespaceTerminating } from './runtime/pod-control.ts';
import { WriteGuard } from './runtime/write-guard.ts';

const MANAGER = 'endpointslicemirroring-controller.k8s.io';
const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror';
const LEADER = 'control-plane.alpha.kubernetes.io/leader';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Addresses of one subset that are mirrored: upstream's --mirroring-max-endpoints-per-subset. */
const MAX_PER_SUBSET = 1000;

export const endpointSliceMirroringController: ControllerDefinition = {
  name: 'endpointslice-mirroring-controller',
  identity: 'endpointslicemirroring-controller',
  build: (deps) => {
    const own = deps.informers.informer(endpoints);
    const slices = deps.informers.informer(endpointslices);
    const serviceInformer = deps.informers.informer(services);
    slices.addIndex(SLICE_INDEX, sliceIndex);
    const reconciler = new MirroringReconciler({ ...deps, endpoints: own, slices, services: serviceInformer });
    return {
      watches: [
        watch(own, ownKey),
        watch(serviceInformer, ownKey),
        watch(slices, ({ old, object }) =>
          [old, object].flatMap((s) => (s === undefined ? [] : serviceOfSlice(s, MANAGER))),
        ),
      ],
      reconcile: (key) => reconciler.reconcile(key),
    };
  },
};

interface MirroringDeps extends Pick<ControllerDeps, 'client' | 'clock'> {
  readonly endpoints: Informer<Endpoints>;
  readonly slices: Informer<EndpointSlice>;
  readonly services: Informer<Service>;
}

class MirroringReconciler {
  readonly #deps: MirroringDeps;
  readonly #guard: WriteGuard<EndpointSlice>;

  constructor(deps: MirroringDeps) {
    this.#deps = deps;
    this.#guard = new WriteGuard(deps.slices, deps.clock);
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const source = this.#deps.endpoints.get(key);
    const service = this.#deps.services.get(key);
    if (!this.#guard.settled(key)) return done;
    const wanted = source !== undefined && service !== undefined && shouldMirror(source, service);
    const frame = source === undefined ? { labels: {} } : mirrorFrame(source);
    const plan = planSlices(wanted ? mirroredGroups(source) : [], slicesOf(this.#deps.slices, MANAGER, key), frame);
    const client = this.#deps.client.resource(endpointslices);
    try {
      for (const slice of plan.update) await client.update(slice);
      for (const group of plan.create) {
        const metadata = {
          generateName: `${source!.metadata.name}-`,
          namespace: source!.metadata.namespace,
          ...frame,
          ownerReferences: [makeControllerRef(source!, endpoints)],
        };
        await this.#guard.create(key, () =>
          client.create({ metadata, addressType: group.addressType, endpoints: group.endpoints, ports: group.ports }),
        );
      }
      for (const slice of plan.remove)
        await this.#guard.delete(key, slice, () =>
          client.delete(slice.metadata.namespace, slice.metadata.name!, { preconditions: { uid: slice.metadata.uid } }),
        );
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error;
    }
    return done;
  }
}

export function shouldMirror(source: Endpoints, service: Service): boolean {
  return (
    source.metadata.labels?.[SKIP_MIRROR] !== 'true' &&
    source.metadata.annotations?.[LEADER] === undefined &&
    service.spec?.selector === undefined
  );
}

function mirrorFrame(source: Endpoints) {
  const { [LAST_APPLIED]: _, ...annotations } = source.metadata.annotations ?? {};
  return {
    labels: { ...source.metadata.labels, [SERVICE_LABEL]: source.metadata.name!, [MANAGED_BY_LABEL]: MANAGER },
    annotations,
  };
}

/** One group a family and set of ports. */
export function mirroredGroups(source: Endpoints): readonly EndpointGroup[] {
  const subsets = source.subsets ?? [];
  return (['IPv4', 'IPv6'] as const).flatMap((family) =>
    groupByPorts(
      family,
      subsets.flatMap((subset) => {
        const ports = (subset.ports ?? []).map((p) => ({ ...p, name: p.name ?? '', protocol: p.protocol ?? 'TCP' }));
        const side = (addresses: readonly EndpointAddress[] | undefined, ready: boolean) =>
          (addresses ?? []).map((a) => ({ ports, endpoint: mirrored(a, ready) }));
        return [...side(subset.addresses, true), ...side(subset.notReadyAddresses, false)]
          .filter(({ endpoint }) => (endpoint.addresses[0]!.includes(':') ? 'IPv6' : 'IPv4') === family)
          .slice(0, MAX_PER_SUBSET);
      }),
    ),
  );
}

function mirrored({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}
