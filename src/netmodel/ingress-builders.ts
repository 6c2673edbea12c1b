// Builders for tests about Ingresses: objects with only what differs.
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { HTTPIngressPath, Ingress, IngressBackend, IngressClass } from '#generated/api/networking-v1.ts';
import { splitKey } from '#machinery/object.ts';
import { INGRESS_CONTROLLER, type IngressFacts } from './ingress.ts';

export const ourClass: IngressClass = {
  metadata: { name: 'coracle', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
  spec: { controller: INGRESS_CONTROLLER },
};

/** `web:80` or `web:http` as a backend. */
export function backendOf(text: string): IngressBackend {
  const [name = '', port = '80'] = text.split(':');
  return { service: { name, port: /^\d+$/.test(port) ? { number: Number(port) } : { name: port } } };
}

export interface IngressSketch {
  /** `example.com/api`, `=example.com/exact`, `/everywhere` → `service:port`. A leading `=` is Exact. */
  readonly routes?: Readonly<Record<string, string>>;
  readonly defaultBackend?: string;
  /** Host → Secret. */
  readonly tls?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  /** Minutes: a later one is younger. */
  readonly age?: number;
  readonly className?: string;
}

export function makeIngress(name: string, sketch: IngressSketch): Ingress {
  const {
    routes = {},
    defaultBackend,
    tls = {},
    annotations,
    namespace = 'shop',
    age = 0,
    className = 'coracle',
  } = sketch;
  const byHost = new Map<string, HTTPIngressPath[]>();
  for (const [text, backend] of Object.entries(routes)) {
    const exact = text.startsWith('=');
    const slash = text.indexOf('/');
    const host = text.slice(exact ? 1 : 0, slash);
    const path = { path: text.slice(slash), pathType: exact ? 'Exact' : 'Prefix', backend: backendOf(backend) };
    byHost.set(host, [...(byHost.get(host) ?? []), path]);
  }
  return {
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      resourceVersion: '1',
      creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, age)).toISOString(),
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: {
      ingressClassName: className,
      ...(defaultBackend === undefined ? {} : { defaultBackend: backendOf(defaultBackend) }),
      rules: [...byHost].map(([host, paths]) => ({ ...(host === '' ? {} : { host }), http: { paths } })),
      ...(Object.keys(tls).length === 0
        ? {}
        : { tls: Object.entries(tls).map(([host, secretName]) => ({ hosts: [host], secretName })) }),
    },
  };
}

/** Endpoints as `ip:port`, behind port 80 named http unless said otherwise. */
export interface ServiceSketch {
  readonly endpoints?: readonly string[];
  readonly port?: number;
  readonly portName?: string;
  readonly appProtocol?: string;
  readonly type?: string;
  /** Addresses that terminate but still serve. */
  readonly leaving?: readonly string[];
}

export function makeIngressService(key: string, sketch: ServiceSketch): Service {
  const { port = 80, portName = 'http', appProtocol, type = 'ClusterIP' } = sketch;
  return {
    metadata: splitKey(key) as { namespace: string; name: string },
    spec: {
      type,
      ports: [{ name: portName, port, protocol: 'TCP', ...(appProtocol === undefined ? {} : { appProtocol }) }],
    },
  };
}

export function makeIngressSlices(key: string, sketch: ServiceSketch): EndpointSlice[] {
  const { endpoints = [], leaving = [], portName = 'http' } = sketch;
  const all = [...endpoints.map((e) => ({ e, ready: true })), ...leaving.map((e) => ({ e, ready: false }))];
  return all.map(({ e, ready }, index) => {
    const { namespace, name } = splitKey(key);
    const colon = e.lastIndexOf(':');
    return {
      metadata: { namespace: namespace!, name: `${name}-${index}`, labels: { 'kubernetes.io/service-name': name } },
      addressType: e.includes('[') ? 'IPv6' : 'IPv4',
      ports: [{ name: portName, port: Number(e.slice(colon + 1)), protocol: 'TCP' }],
      endpoints: [
        {
          addresses: [e.slice(0, colon).replace(/[[\]]/g, '')],
          conditions: { ready, serving: true, terminating: !ready },
        },
      ],
    };
  });
}

/** `services`: name in namespace shop, or `namespace/name`, → sketch. `secrets`: those that are usable. */
export function makeIngressFacts(
  ingresses: readonly Ingress[],
  services: Readonly<Record<string, ServiceSketch>>,
  secrets: readonly string[] = [],
): IngressFacts {
  const sketches = new Map(Object.entries(services).map(([k, s]) => [k.includes('/') ? k : `shop/${k}`, s]));
  const made = new Map([...sketches].map(([k, s]) => [k, makeIngressService(k, s)]));
  return {
    ingresses,
    classes: [ourClass],
    service: (key) => made.get(key),
    slices: (key) => (sketches.has(key) ? makeIngressSlices(key, sketches.get(key)!) : []),
    certificate: (secret) =>
      secrets.includes(secret)
        ? { usable: true }
        : { usable: false, code: 'SecretMissing', message: `there is no Secret ${secret}` },
  };
}
