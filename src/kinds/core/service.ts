// Service.
import type { Service, ServicePort, ServiceSpec } from '#generated/api/core-v1.ts';
import {
  isDns1123Label,
  isDns1123Subdomain,
  isQualifiedName,
  isValidCIDR,
  isValidIP,
  isValidPortName,
  isValidPortNum,
} from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, keepStatus } from '../define.ts';
import { type Errors, type Row, at, checkRows, messages } from '../rules.ts';
import { validateLabels } from '../selectors.ts';
import { AGE, NAME, ageOf, column, labelsText, nameOf, wide } from '../table.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const EXTERNALLY_REACHED = new Set(['NodePort', 'LoadBalancer']);
const AFFINITY_TIMEOUT_DEFAULT = 10800;
/** One day, in seconds. */
const AFFINITY_TIMEOUT_MAX = 86400;

export const isHeadless = (service: Service): boolean => service.spec?.clusterIP === 'None';
export const isExternalName = (service: Service): boolean => service.spec?.type === 'ExternalName';
/** Whether it has (or will get) a cluster IP. */
export const needsClusterIP = (service: Service): boolean => !isExternalName(service) && !isHeadless(service);

const SPEC_ROWS: readonly Row<ServiceSpec>[] = [
  { field: 'sessionAffinity', required: true },
  { field: 'sessionAffinity', oneOf: ['ClientIP', 'None'] },
  { field: 'type', required: true },
  { field: 'type', oneOf: TYPES },
  { field: 'ipFamilyPolicy', oneOf: ['SingleStack', 'PreferDualStack', 'RequireDualStack'] },
  { field: 'trafficDistribution', oneOf: ['PreferClose', 'PreferSameNode', 'PreferSameZone'] },
];

export const service: ResourceDefinition<Service> = defineKind<Service>({
  resource: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  storagePrefix: 'services/specs',
  selectableFields: { 'spec.clusterIP': (s) => s.spec?.clusterIP ?? '', 'spec.type': (s) => s.spec?.type ?? '' },
  table: {
    columns: [
      NAME,
      column('Type'),
      column('Cluster-IP'),
      column('External-IP'),
      column('Port(s)'),
      AGE,
      wide('Selector'),
    ],
    cells: (s, nowMs) => [
      nameOf(s),
      s.spec?.type ?? '',
      s.spec?.clusterIP || '<none>',
      externalText(s),
      portsText(s.spec?.ports),
      ageOf(s, nowMs),
      labelsText(s.spec?.selector),
    ],
  },
  strategy: {
    generation: false,
    nameRule: 'label1035',
    default: (s) => (s.spec === undefined ? s : { ...s, spec: defaultSpec(s.spec) }),
    prepareForCreate: (s) => ({ ...s, status: { loadBalancer: {} } }),
    prepareForUpdate: (s, old) => keepStatus({ ...s, spec: withAllocated(s, old) }, old),
    validateCreate: validate,
    validateUpdate: (s, old) => {
      const errors: Errors = [...validate(s)];
      if (s.spec !== undefined && old.spec !== undefined) validateKeptFamilies(s, old, errors);
      return errors;
    },
  },
});

function defaultSpec(spec: ServiceSpec): ServiceSpec {
  const type = spec.type ?? 'ClusterIP';
  const clusterIP = spec.clusterIP ?? spec.clusterIPs?.[0];
  const sessionAffinityConfig =
    spec.sessionAffinity === 'ClientIP'
      ? {
          clientIP: {
            timeoutSeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_TIMEOUT_DEFAULT,
          },
        }
      : undefined;
  return {
    ...spec,
    type,
    sessionAffinityConfig,
    ...(spec.ports === undefined ? {} : { ports: spec.ports?.map(defaultPort) }),
    ...(clusterIP === undefined || clusterIP === '' ? {} : { clusterIP, clusterIPs: spec.clusterIPs ?? [clusterIP] }),
    ...(EXTERNALLY_REACHED.has(type) || (spec.externalIPs ?? []).length > 0
      ? { externalTrafficPolicy: spec.externalTrafficPolicy ?? 'Cluster' }
      : {}),
    ...(type === 'ExternalName' ? {} : { internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster' }),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true } : {}),
  };
}

const defaultPort = (port: ServicePort): ServicePort => ({
  ...port,
  protocol: port.protocol ?? 'TCP',
  targetPort:
    port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '' ? port.port : port.targetPort,
});

/** What was allocated stays when the new object does not name it (clients that replace without reading first). */
function withAllocated(s: Service, old: Service): ServiceSpec | undefined {
  const spec = s.spec;
  const before = old.spec;
  if (spec === undefined || before === undefined) return spec;
  const keepsIP =
    needsClusterIP(s) && needsClusterIP(old) && (spec.clusterIP ?? '') === '' && (before.clusterIP ?? '') !== '';
  const keepsPorts = EXTERNALLY_REACHED.has(spec.type ?? '') && EXTERNALLY_REACHED.has(before.type ?? '');
  const taken = new Set((spec.ports ?? []).map((p) => p.nodePort ?? 0));
  const ports = !keepsPorts
    ? spec.ports
    : spec.ports?.map((port) => {
        if ((port.nodePort ?? 0) !== 0) return port;
        const same = before.ports?.find((p) => p.port === port.port && p.protocol === port.protocol);
        return same?.nodePort === undefined || taken.has(same.nodePort) ? port : { ...port, nodePort: same.nodePort };
      });
  const becomesExternal = isExternalName(s) && !isExternalName(old);
  return {
    ...spec,
    ports,
    ...(keepsIP ? { clusterIP: before.clusterIP, clusterIPs: before.clusterIPs } : {}),
    ...(becomesExternal && spec.clusterIP === before.clusterIP ? { clusterIP: undefined, clusterIPs: undefined } : {}),
    ...(keepsPorts && spec.externalTrafficPolicy === 'Local' && (spec.healthCheckNodePort ?? 0) === 0
      ? { healthCheckNodePort: before.healthCheckNodePort }
      : {}),
  };
}

function validate(s: Service): readonly FieldError[] {
  const errors: Errors = [];
  const spec = s.spec;
  if (spec === undefined) return [fieldError.required('spec')];
  checkRows(spec, 'spec', SPEC_ROWS, errors);
  if ((spec.ports ?? []).length === 0 && needsClusterIP(s)) errors.push(fieldError.required('spec.ports'));
  switch (spec.type) {
    case 'LoadBalancer':
    case 'NodePort':
      if (isHeadless(s))
        errors.push(
          fieldError.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`),
        );
      break;
    case 'ExternalName': {
      if ((spec.clusterIP ?? '') !== '')
        errors.push(fieldError.forbidden('spec.clusterIPs', "may not be set when `type` is 'ExternalName'"));
      const name = (spec.externalName ?? '').replace(/\.$/, '');
      if (name === '') errors.push(fieldError.required('spec.externalName'));
      else messages(isDns1123Subdomain(name), 'spec.externalName', name, errors);
      break;
    }
    default:
  }
  validatePorts(spec, errors);
  validateLabels(spec.selector, 'spec.selector', errors);
  if (spec.sessionAffinity === 'ClientIP') {
    const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
    if (seconds !== undefined && (seconds <= 0 || seconds > AFFINITY_TIMEOUT_MAX)) {
      errors.push(
        fieldError.invalid(
          'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
          seconds,
          `must be greater than 0 and less than ${AFFINITY_TIMEOUT_MAX}`,
        ),
      );
    }
  }
  validateAddresses(spec, errors);
  validatePolicies(s, spec, errors);
  return errors;
}

function validatePorts(spec: ServiceSpec, errors: Errors): void {
  const ports = spec.ports ?? [];
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const where = at('spec.ports', index);
    const name = port.name ?? '';
    if (name === '' && ports.length > 1) errors.push(fieldError.required(`${where}.name`));
    else if (name !== '') {
      messages(isDns1123Label(name), `${where}.name`, name, errors);
      if (names.has(name)) errors.push(fieldError.duplicate(`${where}.name`, name));
      names.add(name);
    }
    messages(isValidPortNum(port.port), `${where}.port`, port.port ?? 0, errors);
    if (!['SCTP', 'TCP', 'UDP'].includes(port.protocol ?? ''))
      errors.push(fieldError.notSupported(`${where}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']));
    if (typeof port.targetPort === 'number')
      messages(isValidPortNum(port.targetPort), `${where}.targetPort`, port.targetPort, errors);
    else if (port.targetPort !== undefined)
      messages(isValidPortName(port.targetPort), `${where}.targetPort`, port.targetPort, errors);
    if (port.appProtocol !== undefined)
      messages(isQualifiedName(port.appProtocol), `${where}.appProtocol`, port.appProtocol, errors);
    const nodePort = port.nodePort ?? 0;
    if (nodePort !== 0 && (spec.type === 'ClusterIP' || spec.type === 'ExternalName')) {
      errors.push(fieldError.forbidden(`${where}.nodePort`, `may not be used when \`type\` is '${spec.type}'`));
    }
    const pair = `${port.protocol}/${port.port}`;
    if (numbers.has(pair)) errors.push(fieldError.duplicate(where, { port: port.port, protocol: port.protocol }));
    numbers.add(pair);
    const nodePair = `${port.protocol}/${nodePort}`;
    if (nodePort !== 0 && nodePorts.has(nodePair))
      errors.push(fieldError.duplicate(`${where}.nodePort`, { nodePort, protocol: port.protocol }));
    nodePorts.add(nodePair);
  }
}

function validateAddresses(spec: ServiceSpec, errors: Errors): void {
  if (spec.type !== 'ExternalName') validateClusterIPs(spec, errors);
  for (const [index, ip] of (spec.externalIPs ?? []).entries())
    messages(isValidIP(ip), at('spec.externalIPs', index), ip, errors);
  for (const [index, range] of (spec.loadBalancerSourceRanges ?? []).entries()) {
    if (spec.type !== 'LoadBalancer') {
      errors.push(
        fieldError.forbidden('spec.LoadBalancerSourceRanges', "may only be used when `type` is 'LoadBalancer'"),
      );
      break;
    }
    messages(isValidCIDR(range.trim()), at('spec.loadBalancerSourceRanges', index), range, errors);
  }
}

const FAMILIES: readonly string[] = ['IPv4', 'IPv6'];
const familyOf = (ip: string): string => (ip.includes(':') ? 'IPv6' : 'IPv4');

function validateClusterIPs(spec: ServiceSpec, errors: Errors): void {
  const ips = spec.clusterIPs ?? [];
  const families = spec.ipFamilies ?? [];
  const invalid = (why: string) => errors.push(fieldError.invalid('spec.clusterIPs', ips, why));
  if ((spec.clusterIP ?? '') !== '' && ips[0] !== spec.clusterIP) invalid('first value must match `clusterIP`');
  for (const [index, family] of families.entries()) {
    if (!FAMILIES.includes(family))
      errors.push(fieldError.notSupported(at('spec.ipFamilies', index), family, FAMILIES));
    if (families.indexOf(family) < index) errors.push(fieldError.duplicate(at('spec.ipFamilies', index), family));
  }
  const before = errors.length;
  for (const [index, ip] of ips.entries()) {
    if (index === 0 && ip === 'None') {
      if (ips.length > 1) invalid("'None' must be the first and only value");
    } else if (ip !== '') messages(isValidIP(ip), at('spec.clusterIPs', index), ip, errors);
  }
  const isSound = errors.length === before;
  if (ips.length > 2) invalid('may only hold up to 2 values');
  if (!isSound || ips[0] === 'None') return;
  // One from each family at most, so that there are at most two.
  if (ips.length > 1 && (ips.length > 2 || familyOf(ips[0]!) === familyOf(ips[1]!)))
    invalid('may specify no more than one IP for each IP family');
  for (const [index, ip] of ips.entries())
    if (ip !== '' && index < families.length && families[index] !== familyOf(ip)) {
      const why = `expected an ${families[index]} value as indicated by \`ipFamilies[${index}]\``;
      errors.push(fieldError.invalid(at('spec.clusterIPs', index), ip, why));
    }
}

/** The second address or family may come and go, the first stays as it is. */
function validateKeptFamilies(s: Service, old: Service, errors: Errors): void {
  const [spec, before] = [s.spec!, old.spec!];
  if (isExternalName(s) || isExternalName(old)) return;
  const fields = [
    ['clusterIPs', 'secondary clusterIP'],
    ['ipFamilies', 'secondary ipFamily'],
  ] as const;
  for (const [field, secondary] of fields) {
    if (isHeadless(s) && isHeadless(old)) continue;
    if (field === 'ipFamilies' && isHeadless(s) !== isHeadless(old)) continue;
    const [has, had] = [spec[field] ?? [], before[field] ?? []];
    const changed = (index: number) =>
      errors.push(fieldError.invalid(at(`spec.${field}`, index), has, 'may not change once set'));
    if (has.length === had.length) {
      for (const [index, value] of had.entries()) if (value !== has[index]) changed(field === 'clusterIPs' ? index : 0);
      continue;
    }
    if (has.length > 0 && had.length > 0 && has[0] !== had[0]) changed(0);
    if (has.length === 1 && had.length === 2 && spec.ipFamilyPolicy !== 'SingleStack') {
      const why = `must be set to 'SingleStack' when releasing the ${secondary}`;
      errors.push(fieldError.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, why));
    }
  }
}

function validatePolicies(s: Service, spec: ServiceSpec, errors: Errors): void {
  const outside = EXTERNALLY_REACHED.has(spec.type ?? '') || (spec.externalIPs ?? []).length > 0;
  const policy = spec.externalTrafficPolicy ?? '';
  if (policy !== '' && !outside)
    errors.push(
      fieldError.invalid('spec.externalTrafficPolicy', policy, 'may only be set for externally-accessible services'),
    );
  else if (policy !== '' && !['Cluster', 'Local'].includes(policy))
    errors.push(fieldError.notSupported('spec.externalTrafficPolicy', policy, ['Cluster', 'Local']));
  if (!isExternalName(s)) {
    const internal = spec.internalTrafficPolicy ?? '';
    if (internal === '') errors.push(fieldError.required('spec.internalTrafficPolicy'));
    else if (!['Cluster', 'Local'].includes(internal))
      errors.push(fieldError.notSupported('spec.internalTrafficPolicy', internal, ['Cluster', 'Local']));
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && spec.type !== 'LoadBalancer') {
    errors.push(
      fieldError.forbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"),
    );
  }
}

function portsText(ports: readonly ServicePort[] | undefined): string {
  if (ports === undefined || ports === null || ports.length === 0) return '<none>';
  return ports
    .map((p) => ((p.nodePort ?? 0) === 0 ? `${p.port}/${p.protocol}` : `${p.port}:${p.nodePort}/${p.protocol}`))
    .join(',');
}

function externalText(s: Service): string {
  const external = s.spec?.externalIPs ?? [];
  switch (s.spec?.type) {
    case 'ExternalName':
      return s.spec.externalName ?? '';
    case 'LoadBalancer': {
      const given = (s.status?.loadBalancer?.ingress ?? []).map((i) => i.ip || i.hostname || '');
      const all = [...given.filter((g) => g !== ''), ...external];
      return all.length === 0 ? '<pending>' : all.join(',');
    }
    default:
      return external.length === 0 ? '<none>' : external.join(',');
  }
}
