// Which address families a Service gets, from what it asks for, what it had and what the cluster has. As upstream's
// initIPFamilyFields (pkg/registry/core/service/storage): a Service never changes between one and two families unasked.
import type { Service, ServiceSpec } from '#generated/api/core-v1.ts';
import { type FieldError, fieldError, StatusError } from '#machinery/status.ts';

export type IPFamily = 'IPv4' | 'IPv6';
const MULTIPLE = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";

export const familyOf = (ip: string): IPFamily => (ip.includes(':') ? 'IPv6' : 'IPv4');
const otherFamily = (family: string): IPFamily => (family === 'IPv4' ? 'IPv6' : 'IPv4');

/**
 * The spec with ipFamilyPolicy, ipFamilies and, when it gives up its second family, one clusterIP. Throws when it asks for what
 * the cluster cannot give. `configured` is the cluster's families, the primary one first.
 */
export function withFamilies(
  spec: ServiceSpec,
  before: Service | undefined,
  configured: readonly IPFamily[],
  name: string,
): ServiceSpec {
  const old = before?.spec;
  if (spec.type === 'ExternalName' || staysAsPreferred(spec, old)) return spec;
  const errors: FieldError[] = [];
  const refuse = () => {
    if (errors.length > 0) throw StatusError.invalid({ kind: 'Service' }, name, errors);
  };
  const free = isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;
  const policy = spec.ipFamilyPolicy ?? old?.ipFamilyPolicy ?? (free ? 'RequireDualStack' : 'SingleStack');
  let clusterIPs = spec.clusterIPs ?? [];
  let families = [...((spec.ipFamilies ?? []) as readonly IPFamily[])];
  const invalidPolicy = (why: string) => errors.push(fieldError.invalid('spec.ipFamilyPolicy', policy, why));
  if (old !== undefined && policy === 'SingleStack') {
    if (same(old.clusterIPs, clusterIPs)) clusterIPs = clusterIPs.slice(0, 1);
    if (same(old.ipFamilies, families)) families = families.slice(0, 1);
  } else if (old !== undefined) {
    if (isReduced(old.clusterIPs, clusterIPs))
      invalidPolicy("must be 'SingleStack' to release the secondary cluster IP");
    if (isReduced(old.ipFamilies, families)) invalidPolicy("must be 'SingleStack' to release the secondary IP family");
  }
  if (policy === 'SingleStack' && clusterIPs.length === 2) invalidPolicy(`${MULTIPLE} cluster IPs are specified`);
  if (policy === 'SingleStack' && families.length === 2) invalidPolicy(`${MULTIPLE} IP families are specified`);
  for (const [index, ip] of clusterIPs.entries()) {
    if (ip === 'None' || ip === '' || index < families.length) continue;
    if (configured.includes(familyOf(ip))) families.push(familyOf(ip));
    else
      errors.push(
        fieldError.invalid(
          `spec.clusterIPs[${index}]`,
          clusterIPs,
          `${familyOf(ip)} is not configured on this cluster`,
        ),
      );
  }
  refuse();
  // Headless without selector may point anywhere, also where the cluster's own pods never are.
  const known = free ? (['IPv4', 'IPv6'] as const) : configured;
  if (!free && policy === 'RequireDualStack' && configured.length < 2)
    invalidPolicy('this cluster is not configured for dual-stack services');
  for (const [index, family] of families.entries())
    if (!known.includes(family))
      errors.push(fieldError.invalid(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'));
  refuse();
  if (families.length === 0) families = [configured[0]!];
  if (policy !== 'SingleStack' && families.length === 1 && known.length === 2) families.push(otherFamily(families[0]!));
  return {
    ...spec,
    ...(clusterIPs.length === 0 ? {} : { clusterIPs }),
    ipFamilies: families,
    ipFamilyPolicy: policy,
  };
}

/** A Service that prefers two families keeps what it has when the cluster gets a second one, until its user changes something. */
function staysAsPreferred(spec: ServiceSpec, old: ServiceSpec | undefined): boolean {
  return (
    old !== undefined &&
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    (old.ipFamilyPolicy ?? 'PreferDualStack') === 'PreferDualStack' &&
    old.type === spec.type &&
    same(old.clusterIPs, spec.clusterIPs) &&
    same(old.ipFamilies, spec.ipFamilies)
  );
}

const same = (a: readonly string[] = [], b: readonly string[] = []): boolean =>
  a.length === b.length && a.every((value, index) => value === b[index]);

/** Nothing said is nothing taken away. */
const isReduced = (a: readonly string[] = [], b: readonly string[] = []): boolean =>
  b.length > 0 && b.length < a.length;

export const isHeadless = (spec: ServiceSpec): boolean => spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
