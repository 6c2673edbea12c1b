// Endpoints: the older form of EndpointSlice, kept for what still reads it.
import type { EndpointSubset, Endpoints } from '#generated/api/core-v1.ts';
import { isValidIP, isValidPortNum } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { type Errors, at, messages } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

const DEPRECATED = 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice';
/** Addresses shown in a table. */
const SHOWN_MAX = 3;

export const endpoints: ResourceDefinition<Endpoints> = defineKind<Endpoints>({
  resource: 'endpoints',
  shortNames: ['ep'],
  storagePrefix: 'services/endpoints',
  deprecationWarnings: { v1: DEPRECATED },
  table: {
    columns: [NAME, column('Endpoints'), AGE],
    cells: (e, nowMs) => [nameOf(e), addressesText(e.subsets), ageOf(e, nowMs)],
  },
  strategy: {
    allowCreateOnUpdate: true,
    validateCreate: validate,
    validateUpdate: validate,
  },
});

function addressesText(subsets: readonly EndpointSubset[] | undefined): string {
  const all: string[] = [];
  for (const subset of subsets ?? []) {
    const ports = subset.ports ?? [];
    for (const address of subset.addresses ?? []) {
      if (ports.length === 0) all.push(address.ip);
      else
        for (const port of ports)
          all.push(address.ip.includes(':') ? `[${address.ip}]:${port.port}` : `${address.ip}:${port.port}`);
    }
  }
  if (all.length === 0) return '<none>';
  return all.length <= SHOWN_MAX
    ? all.join(',')
    : `${all.slice(0, SHOWN_MAX).join(',')} + ${all.length - SHOWN_MAX} more...`;
}

function validate(e: Endpoints): readonly FieldError[] {
  const errors: Errors = [];
  for (const [s, subset] of (e.subsets ?? []).entries()) {
    const where = at('subsets', s);
    const addresses = [...(subset.addresses ?? []), ...(subset.notReadyAddresses ?? [])];
    if (addresses.length === 0)
      errors.push(fieldError.required(where, 'must specify `addresses` or `notReadyAddresses`'));
    for (const list of ['addresses', 'notReadyAddresses'] as const) {
      for (const [i, address] of (subset[list] ?? []).entries())
        messages(isValidIP(address.ip), `${at(`${where}.${list}`, i)}.ip`, address.ip, errors);
    }
    for (const [i, port] of (subset.ports ?? []).entries()) {
      if ((subset.ports ?? []).length > 1 && (port.name ?? '') === '')
        errors.push(fieldError.required(`${at(`${where}.ports`, i)}.name`));
      messages(isValidPortNum(port.port), `${at(`${where}.ports`, i)}.port`, port.port, errors);
    }
  }
  return errors;
}
