// Which ready endpoint a connection to a Service goes to: read from EndpointSlices, one picked at random.
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Random } from '#base/random.ts';
import type { Informer } from '#client/client.ts';
import { makeKey } from '#machinery/object.ts';
import { DialError, type ServiceEndpoint, type ServiceResolver } from '#tunnel/cluster-dialer.ts';

export interface ServiceEndpointsDeps {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly random: Random;
}

const INDEX = 'proxied-service';
const SERVICE_LABEL = 'kubernetes.io/service-name';

export function serviceResolver(deps: ServiceEndpointsDeps): ServiceResolver {
  deps.slices.addIndex(INDEX, (slice) => {
    const service = slice.metadata.labels?.[SERVICE_LABEL];
    return service === undefined ? [] : [`${slice.metadata.namespace}/${service}`];
  });
  return (namespace, name, port) => {
    const key = makeKey(namespace, name);
    const service = deps.services.get(key);
    if (service === undefined) throw new DialError('NO_SERVICE', `services ${JSON.stringify(name)} not found`);
    const found = endpointsOf(service, deps.slices.byIndex(INDEX, key), port);
    if (found.length === 0)
      throw new DialError('NO_ENDPOINTS', `no endpoints available for service ${JSON.stringify(name)}`);
    return found[Math.floor(deps.random.next() * found.length)]!;
  };
}

/** Every ready address and port. `port`: the name or number of one of the Service's ports; '' is the one without a name. */
export function endpointsOf(
  service: Service,
  slices: readonly EndpointSlice[],
  port: string,
): readonly ServiceEndpoint[] {
  let portName = port;
  if (/^\d+$/.test(port)) {
    const row = service.spec?.ports?.find((p) => p.port === Number(port));
    if (row === undefined)
      throw new DialError(
        'NO_SERVICE',
        `no service port ${port} found for service ${JSON.stringify(service.metadata.name)}`,
      );
    portName = row.name ?? '';
  }
  return slices.flatMap((slice) => {
    if (slice.addressType === 'FQDN') return [];
    const row = (slice.ports ?? []).find((p) => (p.name ?? '') === portName && p.port !== undefined);
    if (row === undefined) return [];
    return (slice.endpoints ?? [])
      .filter((e) => e.conditions?.ready !== false)
      .map((e) => ({ ip: e.addresses[0]!, port: row.port!, nodeName: e.nodeName }));
  });
}
