// EndpointSlice.
import type { Endpoint, EndpointSlice } from '#generated/api/discovery-v1.ts';
import { isDns1123Label, isDns1123Subdomain, isValidIP, isValidPortNum } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { type Errors, at, immutable, messages } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

const TYPES = ['FQDN', 'IPv4', 'IPv6'];
/** Upstream's limits of one slice. */
const ENDPOINTS_MAX = 1000;
const PORTS_MAX = 20000;
const ADDRESSES_MAX = 100;
const SHOWN_MAX = 3;

/** Ready unless said otherwise. */
export const isEndpointReady = (endpoint: Endpoint): boolean => endpoint.conditions?.ready !== false;

export const endpointSlice: ResourceDefinition<EndpointSlice> = defineKind<EndpointSlice>({
  group: 'discovery.k8s.io',
  resource: 'endpointslices',
  table: {
    columns: [NAME, column('AddressType'), column('Ports'), column('Endpoints'), AGE],
    cells: (s, nowMs) => [
      nameOf(s),
      s.addressType ?? '',
      shortened(
        (s.ports ?? []).map((p) => String(p.port ?? '*')),
        '<unset>',
      ),
      shortened(
        (s.endpoints ?? []).flatMap((e) => e.addresses ?? []),
        '<unset>',
      ),
      ageOf(s, nowMs),
    ],
  },
  strategy: {
    generation: true,
    prepareForCreate: withoutTopology,
    prepareForUpdate: withoutTopology,
    validateCreate: validate,
    validateUpdate: (s, old) => {
      const errors: Errors = [...validate(s)];
      immutable(s.addressType, old.addressType, 'addressType', errors);
      return errors;
    },
  },
});

/** Topology is of older versions: v1 has nodeName and zone. */
function withoutTopology(s: EndpointSlice): EndpointSlice {
  if (s.endpoints?.some((e) => e.deprecatedTopology !== undefined) !== true) return s;
  return { ...s, endpoints: s.endpoints.map(({ deprecatedTopology: _, ...rest }) => rest) };
}

function shortened(values: readonly string[], none: string): string {
  if (values.length === 0) return none;
  return values.length <= SHOWN_MAX
    ? values.join(',')
    : `${values.slice(0, SHOWN_MAX).join(',')} + ${values.length - SHOWN_MAX} more...`;
}

function validate(s: EndpointSlice): readonly FieldError[] {
  const errors: Errors = [];
  if ((s.addressType ?? '') === '') errors.push(fieldError.required('addressType'));
  else if (!TYPES.includes(s.addressType)) errors.push(fieldError.notSupported('addressType', s.addressType, TYPES));
  const endpoints = s.endpoints ?? [];
  if (endpoints.length > ENDPOINTS_MAX) errors.push(fieldError.tooMany('endpoints', endpoints.length, ENDPOINTS_MAX));
  for (const [index, endpoint] of endpoints.entries()) {
    const where = at('endpoints', index);
    const addresses = endpoint.addresses ?? [];
    if (addresses.length === 0)
      errors.push(fieldError.required(`${where}.addresses`, 'must contain at least 1 address'));
    else if (addresses.length > ADDRESSES_MAX)
      errors.push(fieldError.tooMany(`${where}.addresses`, addresses.length, ADDRESSES_MAX));
    for (const [i, address] of addresses.entries()) {
      const field = at(`${where}.addresses`, i);
      if (s.addressType === 'FQDN') messages(isDns1123Subdomain(address), field, address, errors);
      else {
        messages(isValidIP(address), field, address, errors);
        if (isValidIP(address).length === 0 && address.includes(':') !== (s.addressType === 'IPv6')) {
          errors.push(fieldError.invalid(field, address, `must be an ${s.addressType} address`));
        }
      }
    }
    if (endpoint.hostname !== undefined)
      messages(isDns1123Label(endpoint.hostname), `${where}.hostname`, endpoint.hostname, errors);
    if (endpoint.nodeName !== undefined)
      messages(isDns1123Subdomain(endpoint.nodeName), `${where}.nodeName`, endpoint.nodeName, errors);
  }
  const names = new Set<string>();
  const ports = s.ports ?? [];
  if (ports.length > PORTS_MAX) errors.push(fieldError.tooMany('ports', ports.length, PORTS_MAX));
  for (const [index, port] of ports.entries()) {
    const where = at('ports', index);
    const name = port.name ?? '';
    if (names.has(name)) errors.push(fieldError.duplicate(`${where}.name`, name));
    names.add(name);
    if (port.port !== undefined) messages(isValidPortNum(port.port), `${where}.port`, port.port, errors);
    if (!['SCTP', 'TCP', 'UDP'].includes(port.protocol ?? ''))
      errors.push(fieldError.notSupported(`${where}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']));
  }
  return errors;
}
