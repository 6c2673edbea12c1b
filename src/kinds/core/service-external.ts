// What a Service has for clients outside the cluster: policies, node ports, health check, load balancer. Its rules, what goes with
// a change of type, and the load balancer's status. Upstream: ValidateService and the Service strategy.
import type { LoadBalancerIngress, Service, ServicePort, ServiceSpec } from '#generated/api/core-v1.ts';
import { parseIP } from '#base/ip.ts';
import { isDns1123Subdomain, isQualifiedName, isValidCIDR, isValidIP, isValidPortNum } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { at, atKey, type Errors, messages, sameJson } from '../rules.ts';

const EXTERNALLY_REACHED = new Set(['NodePort', 'LoadBalancer']);
const SOURCE_RANGES_ANNOTATION = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'";

const isLoadBalancer = (spec: ServiceSpec): boolean => spec.type === 'LoadBalancer';
export const needsNodePorts = (spec: ServiceSpec): boolean => EXTERNALLY_REACHED.has(spec.type ?? '');
export const needsHealthCheck = (spec: ServiceSpec): boolean =>
  isLoadBalancer(spec) && spec.externalTrafficPolicy === 'Local';
export const isExternallyAccessible = (spec: ServiceSpec): boolean =>
  needsNodePorts(spec) || (spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0);

/** Fields that belong to the old type, unchanged, go with it: users change the type alone. */
export function withoutFieldsOfOldType(spec: ServiceSpec, old: ServiceSpec): ServiceSpec {
  const same = (field: keyof ServiceSpec) => sameJson(spec[field], old[field]);
  const gone = (had: (s: ServiceSpec) => boolean, field: keyof ServiceSpec) => had(old) && !had(spec) && same(field);
  const ports = (s: ServiceSpec) => (s.ports ?? []).map((p) => p.nodePort ?? 0).filter((p) => p !== 0);
  const dropPorts = needsNodePorts(old) && !needsNodePorts(spec) && ports(spec).every((p) => ports(old).includes(p));
  const withoutPort = ({ nodePort: _, ...port }: ServicePort): ServicePort => port;
  return {
    ...spec,
    ...(dropPorts && spec.ports !== undefined ? { ports: spec.ports.map(withoutPort) } : {}),
    ...(gone(needsHealthCheck, 'healthCheckNodePort') ? { healthCheckNodePort: undefined } : {}),
    ...(gone(isLoadBalancer, 'allocateLoadBalancerNodePorts') ? { allocateLoadBalancerNodePorts: undefined } : {}),
    ...(gone(isLoadBalancer, 'loadBalancerClass') ? { loadBalancerClass: undefined } : {}),
    ...(gone(isExternallyAccessible, 'externalTrafficPolicy') ? { externalTrafficPolicy: undefined } : {}),
  };
}

export function validateExternal(service: Service, old: Service | undefined, errors: Errors): void {
  const spec = service.spec!;
  validateExternalIPs(spec, old?.spec, errors);
  validateSourceRanges(service, old, errors);
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isLoadBalancer(spec))
    errors.push(fieldError.forbidden('spec.allocateLoadBalancerNodePorts', ONLY_LOAD_BALANCER));
  if (spec.loadBalancerClass !== undefined) {
    if (isLoadBalancer(spec))
      messages(isQualifiedName(spec.loadBalancerClass), 'spec.loadBalancerClass', spec.loadBalancerClass, errors);
    else errors.push(fieldError.forbidden('spec.loadBalancerClass', ONLY_LOAD_BALANCER));
  }
  validateExternalPolicy(spec, errors);
}

/** What may not change while the service stays a load balancer. */
export function validateExternalUpdate({ spec = {} }: Service, { spec: old = {} }: Service, errors: Errors): void {
  const port = (s: ServiceSpec) => s.healthCheckNodePort ?? 0;
  if (needsHealthCheck(spec) && needsHealthCheck(old) && port(spec) !== port(old))
    errors.push(fieldError.forbidden('spec.healthCheckNodePort', 'field is immutable'));
  if (isLoadBalancer(spec) && isLoadBalancer(old) && spec.loadBalancerClass !== old.loadBalancerClass)
    errors.push(
      fieldError.invalid('spec.loadBalancerClass', spec.loadBalancerClass ?? null, 'may not change once set'),
    );
}

/** Old addresses stay; new ones are those that a client outside could have meant. */
function validateExternalIPs(spec: ServiceSpec, old: ServiceSpec | undefined, errors: Errors): void {
  for (const [index, ip] of (spec.externalIPs ?? []).entries()) {
    if (old?.externalIPs?.includes(ip) === true) continue;
    const field = at('spec.externalIPs', index);
    const wrong = isValidIP(ip);
    messages(wrong.length > 0 ? wrong : specialAddress(ip), field, ip, errors);
  }
}

const SPECIAL_RANGES: readonly (readonly [RegExp, string])[] = [
  [/^(127\..*|::1)$/, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  [/^(169\.254\..*|fe[89ab].*)$/i, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  [/^(224\.0\.0\..*|ff.2:.*)$/i, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
];

function specialAddress(ip: string): string[] {
  if (parseIP(ip)?.value === 0n) return [`may not be unspecified ('${ip}')`];
  return SPECIAL_RANGES.filter(([pattern]) => pattern.test(ip)).map(([, message]) => message);
}

function validateSourceRanges({ spec = {}, metadata }: Service, old: Service | undefined, errors: Errors): void {
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const annotation = metadata.annotations?.[SOURCE_RANGES_ANNOTATION];
  if (ranges.length > 0) {
    // Upstream's path does begin in upper case.
    const field = 'spec.LoadBalancerSourceRanges';
    if (!isLoadBalancer(spec)) errors.push(fieldError.forbidden(field, ONLY_LOAD_BALANCER));
    const kept = new Set((old?.spec?.loadBalancerSourceRanges ?? []).map((r) => r.trim()));
    for (const [index, range] of ranges.entries())
      if (!kept.has(range.trim())) messages(isValidCIDR(range.trim()), at(field, index), range.trim(), errors);
  } else if (annotation !== undefined) {
    const field = atKey('metadata.annotations', SOURCE_RANGES_ANNOTATION);
    if (!isLoadBalancer(spec)) errors.push(fieldError.forbidden(field, ONLY_LOAD_BALANCER));
    if (old?.metadata.annotations?.[SOURCE_RANGES_ANNOTATION] === annotation || annotation.trim() === '') return;
    for (const range of annotation.split(',')) messages(isValidCIDR(range.trim()), field, range.trim(), errors);
  }
}

function validateExternalPolicy(spec: ServiceSpec, errors: Errors): void {
  const policy = spec.externalTrafficPolicy ?? '';
  if (!isExternallyAccessible(spec)) {
    if (policy !== '')
      errors.push(
        fieldError.invalid('spec.externalTrafficPolicy', policy, 'may only be set for externally-accessible services'),
      );
  } else if (policy === '') errors.push(fieldError.required('spec.externalTrafficPolicy'));
  else if (!['Cluster', 'Local'].includes(policy))
    errors.push(fieldError.notSupported('spec.externalTrafficPolicy', policy, ['Cluster', 'Local']));
  // Without one it is allocated later.
  const port = spec.healthCheckNodePort ?? 0;
  if (port === 0) return;
  if (needsHealthCheck(spec)) messages(isValidPortNum(port), 'spec.healthCheckNodePort', port, errors);
  else
    errors.push(
      fieldError.invalid(
        'spec.healthCheckNodePort',
        port,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
}

const IP_MODES: readonly string[] = ['Proxy', 'VIP'];

/** Writers that know no ipMode mean the address itself. */
export const defaultIngress = (ingress: LoadBalancerIngress): LoadBalancerIngress =>
  (ingress.ip ?? '') !== '' && ingress.ipMode === undefined ? { ...ingress, ipMode: 'VIP' } : ingress;

export function validateLoadBalancerStatus({ spec = {}, status }: Service): readonly FieldError[] {
  const errors: Errors = [];
  const list = status?.loadBalancer?.ingress ?? [];
  const field = 'status.loadBalancer.ingress';
  if (!isLoadBalancer(spec)) {
    if (list.length > 0)
      errors.push(fieldError.forbidden(field, "may only be used when `spec.type` is 'LoadBalancer'"));
    return errors;
  }
  for (const [index, { ip = '', ipMode, hostname = '' }] of list.entries()) {
    const where = at(field, index);
    if (ip !== '') messages(isValidIP(ip), `${where}.ip`, ip, errors);
    if (ipMode === undefined && ip !== '')
      errors.push(fieldError.required(`${where}.ipMode`, 'must be specified when `ip` is set'));
    else if (ipMode !== undefined && ip === '')
      errors.push(fieldError.forbidden(`${where}.ipMode`, 'may not be specified when `ip` is not set'));
    else if (ipMode !== undefined && !IP_MODES.includes(ipMode))
      errors.push(fieldError.notSupported(`${where}.ipMode`, ipMode, IP_MODES));
    if (hostname === '') continue;
    messages(isDns1123Subdomain(hostname), `${where}.hostname`, hostname, errors);
    if (parseIP(hostname) !== undefined)
      errors.push(fieldError.invalid(`${where}.hostname`, hostname, 'must be a DNS name, not an IP address'));
  }
  return errors;
}
