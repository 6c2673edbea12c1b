// The ingress proxy of a node, assembled.
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { ingressclasses, ingresses, secrets } from '#generated/resources.ts';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { EventRecorder, Informer, Informers } from '#client/client.ts';
import { realFileSystem } from '#host/file-system.ts';
import type { Run } from '#host/process.ts';
import { splitKey } from '#machinery/object.ts';
import { HTTP_PORT, HTTPS_PORT } from '#netmodel/ingress.ts';
import { CERTIFICATES_SECRET } from '#netmodel/ingress-certificates.ts';
import { Haproxy } from './haproxy.ts';
import { IngressProxy } from './ingress-proxy.ts';

export interface CreateIngressProxyDeps {
  readonly informers: Informers;
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly events: EventRecorder;
  readonly run: Run;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly nodeName: string;
  readonly nodeIPs: readonly string[];
  /** Private folder on a tmpfs. */
  readonly folder: string;
}

/** Of a node that may have many processors and shares them with its pods and other nodes. */
const THREADS = 2;

/** The node's proxy, running or not. */
export function haproxyIn(deps: Pick<CreateIngressProxyDeps, 'run' | 'clock' | 'folder'>): Haproxy {
  return new Haproxy({ ...deps, files: realFileSystem, program: 'haproxy' });
}

export function createIngressProxy(deps: CreateIngressProxyDeps): IngressProxy {
  const { informers, services, slices, events, run, clock, log, metrics, nodeName, nodeIPs, folder } = deps;
  const { namespace, name } = splitKey(CERTIFICATES_SECRET);
  return new IngressProxy({
    proxy: haproxyIn({ run, clock, folder }),
    ingresses: informers.informer(ingresses),
    services,
    slices,
    more: () => ({
      classes: informers.informer(ingressclasses),
      certificates: informers.informer(secrets, { namespace: namespace!, fieldSelector: `metadata.name=${name}` }),
    }),
    events,
    clock,
    log: log.with({ part: 'ingress' }),
    metrics,
    nodeName,
    place: { folder, addresses: nodeIPs, httpPort: HTTP_PORT, httpsPort: HTTPS_PORT, threads: THREADS },
  });
}
