// Rules for a pod's spec, shared by pods and every kind with a pod template.
import type {
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
  Toleration,
} from '#generated/api/core-v1.ts';
import { isDns1123Label, isDns1123Subdomain, isLabelValue, isQualifiedName, isValidIP } from '#machinery/names.ts';
import { fieldError } from '#machinery/status.ts';
import { type Errors, type Row, at, checkRows, child, messages } from '../../rules.ts';
import { validateLabelSelector, validateLabels } from '../../selectors.ts';
import {
  validateContainers,
  validateEphemeralContainers,
  validateInitContainers,
  validateResources,
} from './validate-containers.ts';
import { validateHostUsers, validatePodSecurityContext } from './validate-security.ts';
import { validateVolumes } from './validate-volumes.ts';

const SPEC_ROWS: readonly Row<PodSpec>[] = [
  { field: 'restartPolicy', required: true },
  { field: 'restartPolicy', oneOf: ['Always', 'OnFailure', 'Never'] },
  { field: 'dnsPolicy', required: true },
  { field: 'dnsPolicy', oneOf: ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'] },
  { field: 'serviceAccountName', format: isDns1123Subdomain },
  { field: 'nodeName', format: isDns1123Subdomain },
  { field: 'hostname', format: isDns1123Label },
  { field: 'subdomain', format: isDns1123Label },
  { field: 'priorityClassName', format: isDns1123Subdomain },
  { field: 'runtimeClassName', format: isDns1123Subdomain },
  { field: 'preemptionPolicy', oneOf: ['Never', 'PreemptLowerPriority'] },
];

const ACTIVE_DEADLINE_MAX = 2 ** 31 - 1;

export function validatePodSpec(spec: PodSpec, path: string, errors: Errors): void {
  const volumes = validateVolumes(spec.volumes, `${path}.volumes`, errors);
  const context = {
    volumes,
    hostNetwork: spec.hostNetwork === true,
    hostUsers: spec.hostUsers !== false,
    restartPolicy: spec.restartPolicy,
    gracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
  };
  const names = new Set<string>();
  validateContainers(spec.containers, `${path}.containers`, context, names, errors);
  validateInitContainers(spec.initContainers, `${path}.initContainers`, context, names, errors);
  validateEphemeralContainers(spec.ephemeralContainers, `${path}.ephemeralContainers`, context, names, errors);
  checkRows(spec, path, SPEC_ROWS, errors);
  if (spec.resources !== undefined) validateResources(spec.resources, `${path}.resources`, errors);
  validateLabels(spec.nodeSelector, `${path}.nodeSelector`, errors);
  validatePodSecurityContext(spec, path, errors);
  validateHostUsers(spec, path, errors);
  for (const [index, secret] of (spec.imagePullSecrets ?? []).entries()) {
    if ((secret.name ?? '') === '') errors.push(fieldError.required(`${at(`${path}.imagePullSecrets`, index)}.name`));
  }
  validateAffinity(spec, `${path}.affinity`, errors);
  validateDns(spec, path, errors);
  if (
    spec.activeDeadlineSeconds !== undefined &&
    (spec.activeDeadlineSeconds < 1 || spec.activeDeadlineSeconds > ACTIVE_DEADLINE_MAX)
  ) {
    errors.push(
      fieldError.invalid(
        `${path}.activeDeadlineSeconds`,
        spec.activeDeadlineSeconds,
        `must be between 1 and ${ACTIVE_DEADLINE_MAX}, inclusive`,
      ),
    );
  }
  validateTolerations(spec.tolerations, `${path}.tolerations`, errors);
  for (const [index, alias] of (spec.hostAliases ?? []).entries()) {
    const where = at(`${path}.hostAliases`, index);
    messages(isValidIP(alias.ip ?? ''), `${where}.ip`, alias.ip, errors);
    for (const [i, name] of (alias.hostnames ?? []).entries())
      messages(isDns1123Subdomain(name), at(`${where}.hostnames`, i), name, errors);
  }
  if (spec.terminationGracePeriodSeconds !== undefined && spec.terminationGracePeriodSeconds < 0) {
    errors.push(
      fieldError.invalid(
        `${path}.terminationGracePeriodSeconds`,
        spec.terminationGracePeriodSeconds,
        'must be greater than or equal to 0',
      ),
    );
  }
  for (const [index, gate] of (spec.readinessGates ?? []).entries()) {
    messages(
      isQualifiedName(gate.conditionType),
      `${at(`${path}.readinessGates`, index)}.conditionType`,
      gate.conditionType,
      errors,
    );
  }
  validateSpread(spec, `${path}.topologySpreadConstraints`, errors);
}

export function validateTolerations(
  tolerations: readonly Toleration[] | undefined,
  path: string,
  errors: Errors,
): void {
  for (const [index, toleration] of (tolerations ?? []).entries()) {
    const where = at(path, index);
    const key = toleration.key ?? '';
    if (key !== '') messages(isQualifiedName(key), `${where}.key`, key, errors);
    if (key === '' && toleration.operator !== 'Exists') {
      errors.push(
        fieldError.invalid(
          `${where}.operator`,
          toleration.operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (toleration.tolerationSeconds !== undefined && toleration.effect !== 'NoExecute') {
      errors.push(
        fieldError.invalid(
          `${where}.effect`,
          toleration.effect ?? '',
          "effect must be 'NoExecute' when `tolerationSeconds` is set",
        ),
      );
    }
    switch (toleration.operator ?? '') {
      case 'Equal':
      case '':
        messages(isLabelValue(toleration.value ?? ''), `${where}.operator`, toleration.value, errors);
        break;
      case 'Exists':
        if ((toleration.value ?? '') !== '')
          errors.push(
            fieldError.invalid(`${where}.operator`, toleration, "value must be empty when `operator` is 'Exists'"),
          );
        break;
      default:
        errors.push(fieldError.notSupported(`${where}.operator`, toleration.operator, ['Equal', 'Exists']));
    }
    const effect = toleration.effect ?? '';
    if (effect !== '' && !['NoSchedule', 'PreferNoSchedule', 'NoExecute'].includes(effect)) {
      errors.push(fieldError.notSupported(`${where}.effect`, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute']));
    }
  }
}

export function validateNodeSelectorTerm(term: NodeSelectorTerm, path: string, errors: Errors): void {
  for (const [index, requirement] of (term.matchExpressions ?? []).entries()) {
    const where = at(`${path}.matchExpressions`, index);
    const count = (requirement.values ?? []).length;
    switch (requirement.operator) {
      case 'In':
      case 'NotIn':
        if (count === 0)
          errors.push(fieldError.required(`${where}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (count > 0)
          errors.push(
            fieldError.forbidden(
              `${where}.values`,
              "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
          );
        break;
      case 'Gt':
      case 'Lt':
        if (count !== 1)
          errors.push(
            fieldError.required(`${where}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"),
          );
        break;
      default:
        errors.push(fieldError.invalid(`${where}.operator`, requirement.operator, 'not a valid selector operator'));
    }
    messages(isQualifiedName(requirement.key), `${where}.key`, requirement.key, errors);
  }
}

function validateAffinity(spec: PodSpec, path: string, errors: Errors): void {
  const node = spec.affinity?.nodeAffinity;
  const required = node?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required !== undefined) {
    const where = `${path}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
    if ((required.nodeSelectorTerms ?? []).length === 0)
      errors.push(fieldError.required(where, 'must have at least one node selector term'));
    for (const [index, term] of (required.nodeSelectorTerms ?? []).entries())
      validateNodeSelectorTerm(term, at(where, index), errors);
  }
  for (const [index, preferred] of (node?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    const where = at(`${path}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution`, index);
    if (preferred.weight <= 0 || preferred.weight > 100)
      errors.push(fieldError.invalid(`${where}.weight`, preferred.weight, 'must be in the range 1-100'));
    validateNodeSelectorTerm(preferred.preference, `${where}.preference`, errors);
  }
  for (const member of ['podAffinity', 'podAntiAffinity'] as const) {
    const affinity = spec.affinity?.[member];
    const where = child(path, member);
    for (const [index, term] of (affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      validateAffinityTerm(term, at(`${where}.requiredDuringSchedulingIgnoredDuringExecution`, index), errors);
    }
    for (const [index, weighted] of (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const at_ = at(`${where}.preferredDuringSchedulingIgnoredDuringExecution`, index);
      if (weighted.weight <= 0 || weighted.weight > 100)
        errors.push(fieldError.invalid(`${at_}.weight`, weighted.weight, 'must be in the range 1-100'));
      validateAffinityTerm(weighted.podAffinityTerm, `${at_}.podAffinityTerm`, errors);
    }
  }
}

function validateAffinityTerm(term: PodAffinityTerm, path: string, errors: Errors): void {
  validateLabelSelector(term.labelSelector, `${path}.labelSelector`, errors);
  validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`, errors);
  if ((term.topologyKey ?? '') === '') errors.push(fieldError.required(`${path}.topologyKey`, 'can not be empty'));
  else messages(isQualifiedName(term.topologyKey), `${path}.topologyKey`, term.topologyKey, errors);
}

const NAMESERVERS_MAX = 3;

function validateDns(spec: PodSpec, path: string, errors: Errors): void {
  const config = spec.dnsConfig;
  const where = `${path}.dnsConfig`;
  if (spec.dnsPolicy === 'None') {
    if (config === undefined)
      errors.push(fieldError.required(where, 'must provide `dnsConfig` when `dnsPolicy` is None'));
    else if ((config.nameservers ?? []).length === 0)
      errors.push(
        fieldError.required(
          `${where}.nameservers`,
          'must provide at least one DNS nameserver when `dnsPolicy` is None',
        ),
      );
  }
  if ((config?.nameservers ?? []).length > NAMESERVERS_MAX) {
    errors.push(
      fieldError.invalid(
        `${where}.nameservers`,
        config!.nameservers,
        `must not have more than ${NAMESERVERS_MAX} nameservers`,
      ),
    );
  }
  for (const [index, server] of (config?.nameservers ?? []).entries())
    messages(isValidIP(server), at(`${where}.nameservers`, index), server, errors);
  for (const [index, option] of (config?.options ?? []).entries()) {
    if ((option.name ?? '') === '')
      errors.push(fieldError.required(at(`${where}.options`, index), 'must not be empty'));
  }
}

function validateSpread(spec: PodSpec, path: string, errors: Errors): void {
  const seen = new Set<string>();
  for (const [index, constraint] of (spec.topologySpreadConstraints ?? []).entries()) {
    const where = at(path, index);
    if (constraint.maxSkew <= 0)
      errors.push(fieldError.invalid(`${where}.maxSkew`, constraint.maxSkew, 'must be greater than zero'));
    if ((constraint.topologyKey ?? '') === '')
      errors.push(fieldError.required(`${where}.topologyKey`, 'can not be empty'));
    const actions = ['DoNotSchedule', 'ScheduleAnyway'];
    if (!actions.includes(constraint.whenUnsatisfiable))
      errors.push(fieldError.notSupported(`${where}.whenUnsatisfiable`, constraint.whenUnsatisfiable, actions));
    const pair = `{${constraint.topologyKey}, ${constraint.whenUnsatisfiable}}`;
    if (seen.has(pair)) errors.push(fieldError.duplicate(`${where}.{topologyKey, whenUnsatisfiable}`, pair));
    seen.add(pair);
    validateLabelSelector(constraint.labelSelector, `${where}.labelSelector`, errors);
    if (constraint.minDomains !== undefined && constraint.minDomains <= 0)
      errors.push(fieldError.invalid(`${where}.minDomains`, constraint.minDomains, 'must be greater than zero'));
  }
}

export function validateTemplateMetadata(template: PodTemplateSpec, path: string, errors: Errors): void {
  validateLabels(template.metadata?.labels, `${path}.labels`, errors);
  for (const key of Object.keys(template.metadata?.annotations ?? {}))
    messages(isQualifiedName(key.toLowerCase()), `${path}.annotations`, key, errors);
}

export function validatePodTemplateSpec(template: PodTemplateSpec, path: string, errors: Errors): void {
  validateTemplateMetadata(template, path, errors);
  if (template.spec === undefined) {
    errors.push(fieldError.required(`${path}.spec`));
    return;
  }
  validatePodSpec(template.spec, `${path}.spec`, errors);
  if ((template.spec.ephemeralContainers ?? []).length > 0) {
    errors.push(
      fieldError.forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'),
    );
  }
}
