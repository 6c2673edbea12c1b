// What the ingress controller wants to exist, as pure functions: the Service in front of the nodes' proxies with its slices, the
// Secret with the certificates, the addresses in an Ingress' status.
import type { Node, Secret, Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Ingress, IngressLoadBalancerIngress } from '#generated/api/networking-v1.ts';
import { services } from '#generated/resources.ts';
import { parseIP } from '#base/ip.ts';
import { isNodeReady } from '#kinds/core/node.ts';
import { makeControllerRef, type ObjectKey, splitKey } from '#machinery/object.ts';
import { HTTP_PORT, HTTPS_PORT, INGRESS_SERVICE, type IngressModel } from '#netmodel/ingress.ts';
import {
  CERTIFICATES_MAX_BYTES,
  CERTIFICATES_SECRET,
  certificateEntry,
  DEFAULT_CERTIFICATE,
} from '#netmodel/ingress-certificates.ts';
import { EXCLUDE_LABEL } from '#netmodel/load-balancers.ts';
import { MANAGED_BY_LABEL, SERVICE_LABEL } from './endpointslice/endpointslice.ts';

export const INGRESS_MANAGER = 'ingress-controller.coracle.dev';
const LABELS = { 'app.kubernetes.io/name': 'ingress', 'app.kubernetes.io/managed-by': 'coracle' };

/** As it is made; what a user changes of it later stays. */
export function ingressService(): Service {
  return {
    metadata: { ...(splitKey(INGRESS_SERVICE) as { namespace: string; name: string }), labels: LABELS },
    spec: {
      type: 'LoadBalancer',
      ipFamilyPolicy: 'PreferDualStack',
      // The proxies see who asks.
      externalTrafficPolicy: 'Local',
      ports: [
        { name: 'http', port: 80, targetPort: HTTP_PORT, protocol: 'TCP', appProtocol: 'http' },
        { name: 'https', port: 443, targetPort: HTTPS_PORT, protocol: 'TCP', appProtocol: 'https' },
      ],
    },
  };
}

/** One slice a family that any node has an address of. */
export function ingressSlices(service: Service, nodes: readonly Node[]): EndpointSlice[] {
  const { namespace, name } = service.metadata;
  const inService = nodes
    .filter((n) => n.metadata.labels?.[EXCLUDE_LABEL] === undefined)
    .toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));
  return ([4, 6] as const).flatMap((family) => {
    const endpoints = inService.flatMap((node) => {
      const address = (node.status?.addresses ?? []).find(
        (a) => a.type === 'InternalIP' && parseIP(a.address)?.family === family,
      );
      if (address === undefined) return [];
      const ready = isNodeReady(node);
      return [
        {
          addresses: [address.address],
          conditions: { ready, serving: ready, terminating: false },
          nodeName: node.metadata.name!,
        },
      ];
    });
    if (endpoints.length === 0) return [];
    return [
      {
        metadata: {
          namespace: namespace!,
          name: `${name}-nodes-ipv${family}`,
          labels: { ...LABELS, [SERVICE_LABEL]: name!, [MANAGED_BY_LABEL]: INGRESS_MANAGER },
          ownerReferences: [makeControllerRef(service, services)],
        },
        addressType: `IPv${family}`,
        endpoints,
        ports: [
          { name: 'http', port: HTTP_PORT, protocol: 'TCP', appProtocol: 'http' },
          { name: 'https', port: HTTPS_PORT, protocol: 'TCP', appProtocol: 'https' },
        ],
      },
    ];
  });
}

/** Oldest Ingress first, until the Secret is full; `left` found no room. */
export function certificateData(
  model: IngressModel,
  pems: ReadonlyMap<ObjectKey, string>,
  defaultPem: string,
): { data: Readonly<Record<string, string>>; left: readonly { ingress: ObjectKey; secret: ObjectKey }[] } {
  const data: Record<string, string> = { [DEFAULT_CERTIFICATE]: base64(defaultPem) };
  const left: { ingress: ObjectKey; secret: ObjectKey }[] = [];
  let bytes = defaultPem.length;
  for (const { secret, ingress } of model.certificates) {
    const entry = certificateEntry(secret);
    const pem = pems.get(secret);
    if (pem === undefined || data[entry] !== undefined) continue;
    if (bytes + pem.length > CERTIFICATES_MAX_BYTES) {
      left.push({ ingress, secret });
      continue;
    }
    bytes += pem.length;
    data[entry] = base64(pem);
  }
  return { data, left };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

export function certificatesSecret(data: Readonly<Record<string, string>>): Secret {
  return {
    metadata: { ...(splitKey(CERTIFICATES_SECRET) as { namespace: string; name: string }), labels: LABELS },
    type: 'Opaque',
    data,
  };
}

/** Where clients reach an Ingress: where they reach the Service. */
export function ingressAddresses(service: Service | undefined): IngressLoadBalancerIngress[] {
  return (service?.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) =>
    ip === undefined && hostname === undefined
      ? []
      : [{ ...(hostname === undefined ? {} : { hostname }), ...(ip === undefined ? {} : { ip }) }],
  );
}

export function hasAddresses(ingress: Ingress, addresses: readonly IngressLoadBalancerIngress[]): boolean {
  const text = (list: readonly IngressLoadBalancerIngress[]): string =>
    list.map((a) => `${a.ip ?? ''} ${a.hostname ?? ''}`).join(',');
  return text(ingress.status?.loadBalancer?.ingress ?? []) === text(addresses);
}
