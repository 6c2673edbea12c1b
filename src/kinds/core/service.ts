// Service.
import type { Service, ServicePort, ServiceSpec } from '#generated/api/core-v1.ts';
import {
  isDns1123Label,
  isDns1123Subdomain,
  isQualifiedName,
  isValidIP,
  isValidPortName,
  isValidPortNum,
} from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, keepStatus } from '../define.ts';
import { type Errors, type Row, at, checkRows, isUnset, messages, sameJson } from '../rules.ts';
import { validateLabels } from '../selectors.ts';
import {
  defaultIngress,
  isExternallyAccessible,
  needsHealthCheck,
  needsNodePorts,
  validateExternal,
  validateExternalUpdate,
  validateLoadBalancerStatus,
  withoutFieldsOfOldType,
} from './service-external.ts';
import { AGE, NAME, ageOf, column, labelsText, nameOf, wide } from '../table.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
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
    nameRule: 'label',
    warnings: (s) =>
      s.spec?.trafficDistribution === 'PreferClose'
        ? ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']
        : [],
    default: (s) => (s.spec === undefined ? s : { ...s, spec: defaultSpec(s.spec), ...defaultStatus(s) }),
    prepareForCreate: (s) => ({ ...s, status: { loadBalancer: {} } }),
    prepareForUpdate: (s, old) => keepStatus({ ...s, spec: withAllocated(s, old) }, old),
    validateCreate: (s) => validate(s),
    validateStatusUpdate: (s) => validateLoadBalancerStatus(s),
    validateUpdate: (s, old) => {
      const errors: Errors = [];
      validateExternalUpdate(s, old, errors);
      errors.push(...validate(s, old));
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
    ...(isExternallyAccessible({ ...spec, type })
      ? { externalTrafficPolicy: spec.externalTrafficPolicy ?? 'Cluster' }
      : {}),
    ...(type === 'ExternalName' ? {} : { internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster' }),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true } : {}),
  };
}

function defaultStatus({ spec, status }: Service): Pick<Service, 'status'> {
  const ingress = status?.loadBalancer?.ingress;
  if (spec?.type !== 'LoadBalancer' || ingress === undefined) return {};
  return { status: { ...status, loadBalancer: { ...status!.loadBalancer, ingress: ingress.map(defaultIngress) } } };
}

const defaultPort = (port: ServicePort): ServicePort => ({
  ...port,
  protocol: port.protocol ?? 'TCP',
  targetPort:
    port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '' ? port.port : port.targetPort,
});

/** What was allocated stays when the new object does not name it (clients that replace without reading first). */
function withAllocated(s: Service, old: Service): ServiceSpec | undefined {
  const before = old.spec;
  if (s.spec === undefined || before === undefined) return s.spec;
  const spec = withoutFieldsOfOldType(s.spec, before);
  const keepsIP =
    needsClusterIP(s) && needsClusterIP(old) && (spec.clusterIP ?? '') === '' && (before.clusterIP ?? '') !== '';
  const keepsPorts = needsNodePorts(spec) && needsNodePorts(before);
  const taken = new Set((spec.ports ?? []).map((p) => p.nodePort ?? 0));
  const ports = !keepsPorts
    ? spec.ports
    : spec.ports?.map((port) => {
        if ((port.nodePort ?? 0) !== 0) return port;
        const same = before.ports?.find((p) => p.port === port.port && p.protocol === port.protocol);
        return same?.nodePort === undefined || taken.has(same.nodePort) ? port : { ...port, nodePort: same.nodePort };
      });
  const becomesExternal = isExternalName(s) && !isExternalName(old);
  const changesFirst =
    (spec.clusterIP ?? '') !== '' &&
    spec.clusterIP !== before.clusterIP &&
    (before.clusterIPs ?? []).length > 0 &&
    sameJson(spec.clusterIPs, before.clusterIPs);
  return {
    ...spec,
    ports,
    ...(keepsIP ? { clusterIP: before.clusterIP, clusterIPs: before.clusterIPs } : {}),
    // Who changes the older field alone means the first of the newer.
    ...(changesFirst ? { clusterIPs: [spec.clusterIP!, ...before.clusterIPs!.slice(1)] } : {}),
    ...(becomesExternal && spec.clusterIP === before.clusterIP ? { clusterIP: undefined, clusterIPs: undefined } : {}),
    ...(becomesExternal && sameJson(spec.ipFamilies, before.ipFamilies) ? { ipFamilies: undefined } : {}),
    ...(becomesExternal && spec.ipFamilyPolicy === before.ipFamilyPolicy ? { ipFamilyPolicy: undefined } : {}),
    ...(needsHealthCheck(spec) && needsHealthCheck(before) && (spec.healthCheckNodePort ?? 0) === 0
      ? { healthCheckNodePort: before.healthCheckNodePort }
      : {}),
  };
}

function validate(s: Service, old?: Service): readonly FieldError[] {
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
      for (const field of ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] as const)
        if (!isUnset(spec[field]))
          errors.push(fieldError.forbidden(`spec.${field}`, 'may not be set for ExternalName services'));
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
  if (spec.type !== 'ExternalName') validateClusterIPs(spec, errors);
  validateExternal(s, old, errors);
  validateInternalPolicy(s, spec, errors);
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
    if (nodePort !== 0 && spec.type === 'ClusterIP')
      errors.push(fieldError.forbidden(`${where}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    const pair = `${port.protocol}/${port.port}`;
    if (numbers.has(pair)) errors.push(fieldError.duplicate(where, duplicatePort(port)));
    numbers.add(pair);
    const nodePair = `${port.protocol}/${nodePort}`;
    if (nodePort !== 0 && nodePorts.has(nodePair)) errors.push(fieldError.duplicate(`${where}.nodePort`, nodePort));
    nodePorts.add(nodePair);
  }
}

/** What makes two ports the same, as upstream prints it. */
const duplicatePort = ({ port, protocol }: ServicePort) => ({
  Name: '',
  Protocol: protocol,
  AppProtocol: null,
  Port: port,
  TargetPort: 0,
  NodePort: 0,
});

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

function validateInternalPolicy(s: Service, spec: ServiceSpec, errors: Errors): void {
  if (!isExternalName(s)) {
    const internal = spec.internalTrafficPolicy ?? '';
    if (internal === '') errors.push(fieldError.required('spec.internalTrafficPolicy'));
    else if (!['Cluster', 'Local'].includes(internal))
      errors.push(fieldError.notSupported('spec.internalTrafficPolicy', internal, ['Cluster', 'Local']));
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
