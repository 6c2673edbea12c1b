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
import { type Errors, type Row, at, checkRows, immutable, messages } from '../rules.ts';
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
      if (needsClusterIP(s) && needsClusterIP(old) && (old.spec?.clusterIP ?? '') !== '')
        immutable(s.spec?.clusterIP, old.spec?.clusterIP, 'spec.clusterIP', errors);
      else if (isHeadless(old) !== isHeadless(s) && !isExternalName(old) && !isExternalName(s))
        immutable(s.spec?.clusterIP, old.spec?.clusterIP, 'spec.clusterIP', errors);
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
    ...(type === 'ExternalName'
      ? {}
      : { internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster', ...families(spec, clusterIP) }),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true } : {}),
  };
}

const defaultPort = (port: ServicePort): ServicePort => ({
  ...port,
  protocol: port.protocol ?? 'TCP',
  targetPort:
    port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '' ? port.port : port.targetPort,
});

/** A headless Service without selector may list addresses of both families, so it is written for both. */
function families(
  spec: ServiceSpec,
  clusterIP: string | undefined,
): Pick<ServiceSpec, 'ipFamilies' | 'ipFamilyPolicy'> {
  const free = clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0;
  const given = spec.ipFamilies ?? [];
  return {
    ipFamilies:
      given.length > 0 ? given : free ? ['IPv4', 'IPv6'] : [clusterIP?.includes(':') === true ? 'IPv6' : 'IPv4'],
    ipFamilyPolicy: spec.ipFamilyPolicy ?? (free ? 'RequireDualStack' : 'SingleStack'),
  };
}

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
  for (const [index, ip] of (spec.clusterIPs ?? []).entries()) {
    if (ip === 'None') {
      if (index > 0)
        errors.push(fieldError.invalid(at('spec.clusterIPs', index), ip, '`None` must be the first and only value'));
    } else if (ip !== '') messages(isValidIP(ip), at('spec.clusterIPs', index), ip, errors);
  }
  if ((spec.clusterIP ?? '') !== '' && spec.clusterIPs?.[0] !== spec.clusterIP) {
    errors.push(fieldError.invalid('spec.clusterIPs', spec.clusterIPs, 'first value must match `clusterIP`'));
  }
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
  for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
    if (!['IPv4', 'IPv6'].includes(family))
      errors.push(fieldError.notSupported(at('spec.ipFamilies', index), family, ['IPv4', 'IPv6']));
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
