// How a pod appears behind a Service: its addresses, resolved ports, conditions. Shared by the EndpointSlice and the
// Endpoints controller.
import type { Node, Pod, Service, ServicePort } from '#generated/api/core-v1.ts';
import type { Endpoint, EndpointPort } from '#generated/api/discovery-v1.ts';
import { parseIP } from '#base/ip.ts';
import { isPodReady, isPodTerminal } from '#kinds/core/pod/readiness.ts';

export const HEADLESS_LABEL = 'service.kubernetes.io/headless';

export const isHeadless = (service: Service): boolean => service.spec?.clusterIP === 'None';

/** The pod's address of one family, as text; undefined when it has none yet. */
export function podAddress(pod: Pod, family: 'IPv4' | 'IPv6'): string | undefined {
  const all = pod.status?.podIPs?.map((p) => p.ip) ?? (pod.status?.podIP ? [pod.status.podIP] : []);
  return all.find((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4') === family && parseIP(ip) !== undefined);
}

/** Families the service speaks, without defaults of the API server: IPv4. */
export function familiesOf(service: Service): readonly ('IPv4' | 'IPv6')[] {
  const families = service.spec?.ipFamilies as readonly ('IPv4' | 'IPv6')[] | undefined;
  return families === undefined || families.length === 0 ? ['IPv4'] : families;
}

export const hasEnded = isPodTerminal;

/** The number a service port means on this pod: named ports are looked up in its containers. Undefined: the pod has no such port. */
export function resolvePort(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const sidecars = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    const match = container.ports?.find((p) => p.name === target && (p.protocol ?? 'TCP') === (port.protocol ?? 'TCP'));
    if (match !== undefined) return match.containerPort;
  }
  return undefined;
}

/** The service's ports on this pod; those that the pod lacks are left out. */
export function endpointPorts(service: Service, pod: Pod): readonly EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((p) => {
    const port = resolvePort(pod, p);
    if (port === undefined) return [];
    return [
      {
        name: p.name ?? '',
        port,
        protocol: p.protocol ?? 'TCP',
        ...(p.appProtocol === undefined ? {} : { appProtocol: p.appProtocol }),
      },
    ];
  });
}

/** Pods of a StatefulSet and others with hostname and subdomain get a name of their own under the headless service. */
export function endpointHostname(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec ?? {};
  return hostname && subdomain === service.metadata.name && pod.metadata.namespace === service.metadata.namespace
    ? hostname
    : undefined;
}

/** `ready` is never true for a pod on its way out, unless the service publishes not ready addresses. */
export function podEndpoint(pod: Pod, service: Service, node: Node | undefined, address: string): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = endpointHostname(pod, service);
  const zone = node?.metadata.labels?.['topology.kubernetes.io/zone'];
  const nodeName = pod.spec?.nodeName;
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid },
    ...(nodeName ? { nodeName } : {}),
    ...(zone === undefined ? {} : { zone }),
    ...hints(service, ready, nodeName, zone),
  };
}

/** PreferClose is the older name of PreferSameZone. */
const DISTRIBUTIONS: ReadonlySet<string> = new Set(['PreferClose', 'PreferSameZone', 'PreferSameNode']);

/** spec.trafficDistribution as hints: the endpoint is for clients of its own zone, or its own node. Upstream: trafficdist. */
function hints(
  service: Service,
  ready: boolean,
  nodeName: string | undefined,
  zone: string | undefined,
): Pick<Endpoint, 'hints'> {
  const distribution = service.spec?.trafficDistribution ?? '';
  if (!ready || !DISTRIBUTIONS.has(distribution)) return {};
  const forZones = zone === undefined ? {} : { forZones: [{ name: zone }] };
  const forNodes = distribution === 'PreferSameNode' && nodeName ? { forNodes: [{ name: nodeName }] } : {};
  const all = { ...forZones, ...forNodes };
  return Object.keys(all).length === 0 ? {} : { hints: all };
}
