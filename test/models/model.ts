// A cluster as a model: the API's objects, and beside them what no object says, namely which program really listens where.
import type { Namespace, Node, Pod, Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { NetworkPolicy } from '#generated/api/networking-v1.ts';

export interface Listener {
  readonly port: number;
  /** `0.0.0.0`, `127.0.0.1`, `::` (both families when `dual`). */
  readonly address: string;
  readonly dual: boolean;
}

export interface ModelPod {
  readonly object: Pod;
  readonly listeners: readonly Listener[];
}

export type Source =
  | { readonly at: 'laptop' }
  | { readonly at: 'node'; readonly node: string }
  | { readonly at: 'pod'; readonly pod: string };

export interface Question {
  readonly source: Source;
  /** A name or an IPv4 address. */
  readonly host: string;
  readonly port: number;
}

export interface Model {
  readonly seed: number;
  readonly nodes: readonly Node[];
  readonly namespaces: readonly Namespace[];
  readonly pods: readonly ModelPod[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly policies: readonly NetworkPolicy[];
  /** The address of the machine outside. */
  readonly laptop: string;
  /** Service → the node that answers for its load balancer's address. */
  readonly announcers: Readonly<Record<string, string>>;
  readonly question: Question;
}

export const keyOf = (object: { readonly metadata: { readonly namespace?: string; readonly name?: string } }): string =>
  `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`;

/** Container ports, in the order in which they are written. */
export const portsOf = (pod: Pod) =>
  (pod.spec?.containers ?? []).flatMap((c) => c.ports ?? []).map((p) => ({ ...p, protocol: p.protocol ?? 'TCP' }));

export const addressOf = (pod: Pod): string | undefined => pod.status?.podIP;

export const nodeAddress = (node: Node): string =>
  node.status!.addresses!.find((a) => a.type === 'InternalIP')!.address;

/** Succeeded and Failed pods have no place in a Service. */
export const hasEnded = (pod: Pod): boolean => /^(Succeeded|Failed)$/.test(pod.status?.phase ?? '');

export const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

export const isLeaving = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

export const isUp = (pod: Pod): boolean =>
  pod.status?.phase === 'Running' && pod.status.containerStatuses?.some((s) => s.state?.running !== undefined) === true;

export const carries = (labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean =>
  Object.entries(wanted).every(([k, v]) => labels[k] === v);

/** The pods that a Service selects; none without a selector. */
export const selectedBy = (service: Service, pods: readonly Pod[]): readonly Pod[] => {
  const selector = service.spec?.selector ?? {};
  if (Object.keys(selector).length === 0) return [];
  return pods.filter(
    (p) =>
      p.metadata.namespace === service.metadata.namespace && !hasEnded(p) && carries(p.metadata.labels ?? {}, selector),
  );
};

/** "targetPort: number or name of the port to access on the pods; if not specified, the value of port is used." */
export function landing(
  pod: Pod,
  port: { readonly port: number; readonly targetPort?: number | string; readonly protocol?: string },
): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target;
  return portsOf(pod).find((p) => p.name === target && p.protocol === (port.protocol ?? 'TCP'))?.containerPort;
}

/** EndpointSlices as the controller writes them: pods whose named ports differ stand in different slices. */
export function slicesFor(service: Service, pods: readonly Pod[]): readonly EndpointSlice[] {
  const groups = new Map<string, { readonly ports: NonNullable<EndpointSlice['ports']>; readonly members: Pod[] }>();
  for (const pod of selectedBy(service, pods)) {
    if (addressOf(pod) === undefined) continue;
    const ports = (service.spec?.ports ?? []).flatMap((p) => {
      const port = landing(pod, p);
      return port === undefined ? [] : [{ name: p.name ?? '', port, protocol: p.protocol ?? 'TCP' }];
    });
    const key = JSON.stringify(ports);
    groups.set(key, { ports, members: [...(groups.get(key)?.members ?? []), pod] });
  }
  return [...groups.values()].map(({ ports, members }, index) => ({
    metadata: {
      name: `${service.metadata.name}-${index}`,
      namespace: service.metadata.namespace!,
      labels: { 'kubernetes.io/service-name': service.metadata.name! },
    },
    addressType: 'IPv4',
    ports,
    endpoints: members.map((pod) => ({
      addresses: [addressOf(pod)!],
      conditions: {
        ready: service.spec?.publishNotReadyAddresses === true || (isReady(pod) && !isLeaving(pod)),
        serving: isReady(pod),
        terminating: isLeaving(pod),
      },
      nodeName: pod.spec!.nodeName!,
      targetRef: { kind: 'Pod', name: pod.metadata.name!, namespace: pod.metadata.namespace! },
    })),
  }));
}
