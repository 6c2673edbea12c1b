// Node.
import type { Node } from '#generated/api/core-v1.ts';
import { isConditionTrue } from '#machinery/conditions.ts';
import { isLabelValue, isQualifiedName, isValidCIDR } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, keepStatus } from '../define.ts';
import { type Errors, at, messages, sameJson } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf, wide } from '../table.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';
const ROLE_LABEL = 'kubernetes.io/role';

export const isNodeReady = (node: Node): boolean => isConditionTrue(node.status?.conditions, 'Ready');

export const nodeAddress = (node: Node, type: 'InternalIP' | 'ExternalIP' | 'Hostname'): string | undefined =>
  node.status?.addresses?.find((a) => a.type === type)?.address;

export const node: ResourceDefinition<Node> = defineKind<Node>({
  resource: 'nodes',
  shortNames: ['no'],
  storagePrefix: 'minions',
  selectableFields: { 'spec.unschedulable': (n) => String(n.spec?.unschedulable ?? false) },
  table: {
    columns: [
      NAME,
      column('Status'),
      column('Roles'),
      AGE,
      column('Version'),
      wide('Internal-IP'),
      wide('External-IP'),
      wide('OS-Image'),
      wide('Kernel-Version'),
      wide('Container-Runtime'),
    ],
    cells: (n, nowMs) => {
      const info = n.status?.nodeInfo;
      return [
        nameOf(n),
        statusText(n),
        rolesText(n),
        ageOf(n, nowMs),
        info?.kubeletVersion ?? '',
        nodeAddress(n, 'InternalIP') ?? '<none>',
        nodeAddress(n, 'ExternalIP') ?? '<none>',
        info?.osImage || '<unknown>',
        info?.kernelVersion || '<unknown>',
        info?.containerRuntimeVersion || '<unknown>',
      ];
    },
  },
  strategy: {
    generation: false,
    nameRule: 'subdomain',
    default: (n) => {
      // The older field names the first of the ranges.
      const first = n.spec?.podCIDR;
      if (first !== undefined && n.spec?.podCIDRs?.[0] !== first) n = { ...n, spec: { ...n.spec, podCIDRs: [first] } };
      // What can be allocated is what there is, until the kubelet says otherwise.
      if (n.status?.capacity === undefined || n.status.allocatable !== undefined) return n;
      return { ...n, status: { ...n.status, allocatable: n.status.capacity } };
    },
    // Kubelets register with their status.
    prepareForUpdate: (n, old) => keepStatus(n, old),
    validateCreate: validate,
    validateUpdate: (n, old) => {
      const errors: Errors = [...validate(n)];
      if ((old.spec?.podCIDRs ?? []).length > 0 && !sameJson(n.spec?.podCIDRs, old.spec?.podCIDRs)) {
        errors.push(
          fieldError.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'),
        );
      }
      const was = old.spec?.providerID ?? '';
      if (was !== '' && was !== (n.spec?.providerID ?? ''))
        errors.push(
          fieldError.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'),
        );
      return errors;
    },
  },
});

function statusText(n: Node): string {
  const ready = n.status?.conditions?.find((c) => c.type === 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (n.spec?.unschedulable === true) words.push('SchedulingDisabled');
  return words.join(',');
}

function rolesText(n: Node): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(n.metadata.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX) && key.length > ROLE_PREFIX.length) roles.add(key.slice(ROLE_PREFIX.length));
    else if (key === ROLE_LABEL && value !== '') roles.add(value);
  }
  return roles.size === 0 ? '<none>' : [...roles].sort().join(',');
}

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function validate(n: Node): readonly FieldError[] {
  const errors: Errors = [];
  const seen = new Set<string>();
  for (const [index, taint] of (n.spec?.taints ?? []).entries()) {
    const where = at('spec.taints', index);
    messages(isQualifiedName(taint.key), `${where}.key`, taint.key, errors);
    messages(isLabelValue(taint.value ?? ''), `${where}.value`, taint.value, errors);
    if ((taint.effect ?? '') === '') errors.push(fieldError.required(`${where}.effect`));
    else if (!EFFECTS.includes(taint.effect))
      errors.push(fieldError.notSupported(`${where}.effect`, taint.effect, EFFECTS));
    const pair = `${taint.key}:${taint.effect}`;
    if (seen.has(pair))
      errors.push({ ...fieldError.duplicate(where, taint), detail: 'taints must be unique by key and effect pair' });
    seen.add(pair);
  }
  for (const [index, cidr] of (n.spec?.podCIDRs ?? []).entries())
    messages(isValidCIDR(cidr), at('spec.podCIDRs', index), cidr, errors);
  const ranges = n.spec?.podCIDRs ?? [];
  if (new Set(ranges.map((cidr) => cidr.includes(':'))).size < ranges.length)
    errors.push(fieldError.invalid('spec.podCIDRs', ranges, 'may specify no more than one CIDR for each IP family'));
  return errors;
}
