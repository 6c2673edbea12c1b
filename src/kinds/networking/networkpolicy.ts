// NetworkPolicy.
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '#generated/api/networking-v1.ts';
import { cidrsOverlap, parseCIDR } from '#base/ip.ts';
import { isValidCIDR, isValidPortName, isValidPortNum } from '#machinery/names.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { type Errors, at, messages } from '../rules.ts';
import { validateLabelSelector } from '../selectors.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];

export const networkPolicy: ResourceDefinition<NetworkPolicy> = defineKind<NetworkPolicy>({
  group: 'networking.k8s.io',
  resource: 'networkpolicies',
  shortNames: ['netpol'],
  table: {
    columns: [NAME, column('Pod-Selector'), AGE],
    cells: (p, nowMs) => [nameOf(p), formatLabelSelector(p.spec?.podSelector), ageOf(p, nowMs)],
  },
  strategy: {
    generation: true,
    // Ingress always; Egress too when there are egress rules.
    default: (p) => {
      if (p.spec === undefined || (p.spec.policyTypes ?? []).length > 0) return p;
      return {
        ...p,
        spec: { ...p.spec, policyTypes: (p.spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'] },
      };
    },
    validateCreate: validate,
    validateUpdate: validate,
  },
});

function validate(p: NetworkPolicy): readonly FieldError[] {
  const errors: Errors = [];
  const spec = p.spec;
  if (spec === undefined) return errors;
  validateLabelSelector(spec.podSelector, 'spec.podSelector', errors);
  for (const [index, rule] of (spec.ingress ?? []).entries()) {
    const where = at('spec.ingress', index);
    validatePorts(rule.ports, `${where}.ports`, errors);
    validatePeers(rule.from, `${where}.from`, errors);
  }
  for (const [index, rule] of (spec.egress ?? []).entries()) {
    const where = at('spec.egress', index);
    validatePorts(rule.ports, `${where}.ports`, errors);
    validatePeers(rule.to, `${where}.to`, errors);
  }
  const types = spec.policyTypes ?? [];
  if (types.length > 2)
    errors.push(fieldError.invalid('spec.policyTypes', types, 'may not specify more than two policyTypes'));
  for (const [index, type] of types.entries()) {
    if (type !== 'Ingress' && type !== 'Egress')
      errors.push(fieldError.notSupported(at('spec.policyTypes', index), type, ['Ingress', 'Egress']));
  }
  return errors;
}

function validatePorts(ports: readonly NetworkPolicyPort[] | undefined, path: string, errors: Errors): void {
  for (const [index, port] of (ports ?? []).entries()) {
    const where = at(path, index);
    if (port.protocol !== undefined && !PROTOCOLS.includes(port.protocol))
      errors.push(fieldError.notSupported(`${where}.protocol`, port.protocol, PROTOCOLS));
    if (typeof port.port === 'number') {
      messages(isValidPortNum(port.port), `${where}.port`, port.port, errors);
      if (port.endPort !== undefined) {
        if (port.endPort < port.port)
          errors.push(fieldError.invalid(`${where}.endPort`, port.endPort, 'must be greater than or equal to `port`'));
        messages(isValidPortNum(port.endPort), `${where}.endPort`, port.endPort, errors);
      }
    } else if (port.port !== undefined) {
      if (port.endPort !== undefined)
        errors.push(
          fieldError.invalid(`${where}.endPort`, port.endPort, 'may not be specified when `port` is non-numeric'),
        );
      messages(isValidPortName(port.port), `${where}.port`, port.port, errors);
    } else if (port.endPort !== undefined) {
      errors.push(
        fieldError.invalid(`${where}.endPort`, port.endPort, 'may not be specified when `port` is not specified'),
      );
    }
  }
}

function validatePeers(peers: readonly NetworkPolicyPeer[] | undefined, path: string, errors: Errors): void {
  for (const [index, peer] of (peers ?? []).entries()) {
    const where = at(path, index);
    validateLabelSelector(peer.podSelector, `${where}.podSelector`, errors);
    validateLabelSelector(peer.namespaceSelector, `${where}.namespaceSelector`, errors);
    const selectors = peer.podSelector !== undefined || peer.namespaceSelector !== undefined;
    if (peer.ipBlock === undefined && !selectors) errors.push(fieldError.required(where, 'must specify a peer'));
    else if (peer.ipBlock !== undefined && selectors)
      errors.push(fieldError.forbidden(where, 'may not specify both ipBlock and another peer'));
    if (peer.ipBlock === undefined) continue;
    const { cidr, except } = peer.ipBlock;
    if ((cidr ?? '') === '') {
      errors.push(fieldError.required(`${where}.ipBlock.cidr`));
      continue;
    }
    messages(isValidCIDR(cidr), `${where}.ipBlock.cidr`, cidr, errors);
    const outer = parseCIDR(cidr);
    for (const [i, hole] of (except ?? []).entries()) {
      const field = at(`${where}.ipBlock.except`, i);
      messages(isValidCIDR(hole), field, hole, errors);
      const inner = parseCIDR(hole);
      if (outer !== undefined && inner !== undefined && !(cidrsOverlap(outer, inner) && inner.prefix > outer.prefix)) {
        errors.push(fieldError.invalid(field, hole, 'must be a strict subset of `cidr`'));
      }
    }
  }
}
