// Writes the Endpoints object of Services with a selector, for clients that still read it.
// Upstream: pkg/controller/endpoint.
import type { Endpoints, EndpointSubset, Pod, Service } from '#generated/api/core-v1.ts';
import { endpoints, pods, services } from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import { isPodReady } from '#kinds/core/pod/readiness.ts';
import { type ObjectKey, splitKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { servicesOfPod } from './endpointslice/endpointslice.ts';
import {
  endpointHostname,
  endpointPorts,
  familiesOf,
  hasEnded,
  HEADLESS_LABEL,
  isHeadless,
  podAddress,
} from './endpointslice/pod-endpoints.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from './runtime/controller.ts';
import { sameValue } from './runtime/equality.ts';
import { canonical } from './runtime/hash.ts';
import { isNamespaceTerminating } from './runtime/pod-control.ts';
import { matchesLabels } from './runtime/selection.ts';

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const MANAGER = 'endpoint-controller';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
/** Addresses in one Endpoints object: upstream's maxCapacity. */
const MAX_ADDRESSES = 1000;

export const endpointsController: ControllerDefinition = {
  name: 'endpoints-controller',
  identity: 'endpoint-controller',
  build: (deps) => {
    const own = deps.informers.informer(services);
    const podInformer = deps.informers.informer(pods);
    const objects = deps.informers.informer(endpoints);
    const reconciler = new EndpointsReconciler({ ...deps, services: own, pods: podInformer, endpoints: objects });
    return {
      watches: [watch(own, ownKey), watch(podInformer, (change) => servicesOfPod(own, change)), watch(objects, ownKey)],
      reconcile: (key) => reconciler.reconcile(key),
    };
  },
};

interface EndpointsDeps extends Pick<ControllerDeps, 'client' | 'events'> {
  readonly services: Informer<Service>;
  readonly pods: Informer<Pod>;
  readonly endpoints: Informer<Endpoints>;
}

export class EndpointsReconciler {
  readonly #deps: EndpointsDeps;

  constructor(deps: EndpointsDeps) {
    this.#deps = deps;
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const service = this.#deps.services.get(key);
    const present = this.#deps.endpoints.get(key);
    const client = this.#deps.client.resource(endpoints);
    const { namespace, name } = splitKey(key);
    if (service === undefined) {
      // Objects of others that merely have no service (leader election of old) are not touched.
      if (present?.metadata.labels?.[MANAGED_BY] === MANAGER)
        await client.delete(namespace, name, { preconditions: { uid: present.metadata.uid } });
      return done;
    }
    if (service.spec?.selector === undefined || service.spec.type === 'ExternalName') return done;
    const selected = this.#deps.pods
      .listNamespace(namespace!)
      .filter((p) => matchesLabels(service.spec!.selector!, p.metadata.labels));
    const wanted = makeEndpoints(service, selected, present);
    if (
      present !== undefined &&
      sameValue(present.subsets, wanted.subsets) &&
      sameValue(present.metadata.labels, wanted.metadata.labels) &&
      sameValue(present.metadata.annotations, wanted.metadata.annotations)
    ) {
      return done;
    }
    try {
      await (present === undefined ? client.create(wanted) : client.update(wanted));
    } catch (error) {
      if (isNamespaceTerminating(error)) return done;
      // The informer is behind what was written a moment ago: nothing that a user has to be told.
      if (isStatus(error, 'AlreadyExists') || isStatus(error, 'Conflict')) throw error;
      if (present === undefined)
        this.#deps.events.event(
          service,
          services,
          'Warning',
          'FailedToCreateEndpoint',
          `Failed to create endpoint for service ${key}: ${(error as Error).message}`,
        );
      else
        this.#deps.events.event(
          service,
          services,
          'Warning',
          'FailedToUpdateEndpoint',
          `Failed to update endpoint ${key}: ${(error as Error).message}`,
        );
      throw error;
    }
    return done;
  }
}

/** The object as it should be; based on the present one so that foreign annotations stay. */
export function makeEndpoints(service: Service, selected: readonly Pod[], present: Endpoints | undefined): Endpoints {
  const { subsets, truncated } = endpointSubsets(service, selected);
  const { [HEADLESS_LABEL]: _, ...labels } = service.metadata.labels ?? {};
  const { [OVER_CAPACITY]: __, ...annotations } = present?.metadata.annotations ?? {};
  return {
    ...present,
    metadata: {
      ...present?.metadata,
      name: service.metadata.name,
      namespace: service.metadata.namespace,
      labels: { ...labels, [MANAGED_BY]: MANAGER, ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}) },
      annotations: truncated ? { ...annotations, [OVER_CAPACITY]: 'truncated' } : annotations,
    },
    subsets,
  };
}

/** Addresses with the same ports stand in one subset, sorted; not ready ones apart. Terminating pods are left out. */
export function endpointSubsets(
  service: Service,
  selected: readonly Pod[],
): { subsets: readonly EndpointSubset[]; truncated: boolean } {
  const publishAll = service.spec?.publishNotReadyAddresses === true;
  const family = familiesOf(service)[0]!;
  const candidates = selected
    .filter((pod) => !hasEnded(pod) && (publishAll || pod.metadata.deletionTimestamp === undefined))
    .flatMap((pod) => {
      const ip = podAddress(pod, family);
      const ports = endpointPorts(service, pod);
      const unusable = ip === undefined || (ports.length === 0 && (service.spec?.ports ?? []).length > 0);
      return unusable ? [] : [{ pod, ip, ports, ready: publishAll || isPodReady(pod) }];
    })
    .sort((a, b) => Number(b.ready) - Number(a.ready) || (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0));
  const groups = Map.groupBy(candidates.slice(0, MAX_ADDRESSES), (c) => canonical(c.ports));
  const subsets = [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, members]) => {
      const side = (ready: boolean) =>
        members.filter((m) => m.ready === ready).map(({ pod, ip }) => addressOf(pod, service, ip));
      const [addresses, notReadyAddresses] = [side(true), side(false)];
      const ports = members[0]!.ports.map(({ name, ...rest }) => ({
        ...(name ? { name } : {}),
        ...rest,
        port: rest.port!,
      }));
      return {
        ...(addresses.length === 0 ? {} : { addresses }),
        ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
        ...(ports.length === 0 ? {} : { ports }),
      };
    });
  return { subsets, truncated: candidates.length > MAX_ADDRESSES };
}

function addressOf(pod: Pod, service: Service, ip: string) {
  const hostname = endpointHostname(pod, service);
  const { namespace, name, uid } = pod.metadata;
  return {
    ip,
    ...(hostname === undefined ? {} : { hostname }),
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}
