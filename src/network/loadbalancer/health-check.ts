// What a health check port answers: whether this node has endpoints of the service, so that a load balancer outside sends only
// where the client's address can be kept. Upstream: pkg/proxy/healthcheck/service_health.go, whose JSON this is.
import type { Service } from '#generated/api/core-v1.ts';

export interface HealthCheckAnswer {
  readonly status: 200 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The port on which the service is to be checked; undefined when it has none. */
export function healthCheckPort({ spec }: Service): number | undefined {
  if (spec?.type !== 'LoadBalancer' || spec.externalTrafficPolicy !== 'Local') return undefined;
  return (spec.healthCheckNodePort ?? 0) === 0 ? undefined : spec.healthCheckNodePort;
}

export function healthCheckAnswer(
  service: { readonly namespace: string; readonly name: string },
  localEndpoints: number,
  serviceProxyHealthy: boolean,
): HealthCheckAnswer {
  const { namespace, name } = service;
  return {
    status: localEndpoints > 0 && serviceProxyHealthy ? 200 : 503,
    headers: {
      'content-type': 'application/json',
      'x-content-type-options': 'nosniff',
      'x-load-balancing-endpoint-weight': String(localEndpoints),
    },
    body: JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, undefined, '\t'),
  };
}
