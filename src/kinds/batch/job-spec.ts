// Rules for a Job's spec, shared with the template of CronJobs. Upstream: pkg/apis/batch/validation.
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  PodFailurePolicyRule,
  SuccessPolicyRule,
} from '#generated/api/batch-v1.ts';
import { isDns1123Subdomain, isQualifiedName } from '#machinery/names.ts';
import { fieldError } from '#machinery/status.ts';
import { validatePodTemplateSpec } from '../core/pod/validate-spec.ts';
import { type Errors, type Row, at, atLeast, checkRows, messages } from '../rules.ts';
import { checkIndexes } from './indexes.ts';
import { isIndexed } from './job-state.ts';

const SPEC_ROWS: readonly Row<JobSpec>[] = [
  { field: 'parallelism', min: 0 },
  { field: 'completions', min: 0 },
  { field: 'activeDeadlineSeconds', min: 0 },
  { field: 'backoffLimit', min: 0 },
  { field: 'ttlSecondsAfterFinished', min: 0 },
  { field: 'backoffLimitPerIndex', min: 0 },
  { field: 'maxFailedIndexes', min: 0 },
];

/** The lists of indexes in an Indexed Job's status must stay small enough to be stored. */
const MAX_PARALLELISM_INDEXED = 100_000;
const MAX_FAILED_INDEXES = 100_000;
const MANY_COMPLETIONS = 100_000;
const MAX_PARALLELISM_OF_MANY = 10_000;
const MAX_FAILED_OF_MANY = 10_000;
const MAX_FAILURE_RULES = 20;
const MAX_EXIT_CODES = 255;
const MAX_CONDITION_PATTERNS = 20;
const MAX_MANAGED_BY_BYTES = 63;
const MAX_SUCCESS_RULES = 20;
const MAX_SUCCEEDED_INDEXES_BYTES = 64 * 1024;

const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const OPERATORS = ['In', 'NotIn'];
const STATUSES = ['False', 'True', 'Unknown'];
const REPLACEMENT_POLICIES = ['Failed', 'TerminatingOrFailed'];
const REQUIRES_INDEXED = 'requires indexed completion mode';

/** A list as Go's `%q` prints it. */
const quoted = (values: readonly string[]): string => `[${values.map((v) => JSON.stringify(v)).join(' ')}]`;

export function validateJobSpec(spec: JobSpec, path: string, errors: Errors): void {
  checkRows(spec, path, SPEC_ROWS, errors);
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined)
    errors.push(fieldError.required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
  if (spec.managedBy !== undefined) validateManagedBy(spec.managedBy, `${path}.managedBy`, errors);
  validateCompletionMode(spec, path, errors);
  if (spec.podFailurePolicy !== undefined) {
    const rules = spec.podFailurePolicy.rules ?? [];
    const where = `${path}.podFailurePolicy.rules`;
    if (rules.length > MAX_FAILURE_RULES) errors.push(fieldError.tooMany(where, rules.length, MAX_FAILURE_RULES));
    for (const [i, rule] of rules.entries()) validateFailureRule(spec, rule, at(where, i), errors);
  }
  if (spec.successPolicy !== undefined) validateSuccessPolicy(spec, `${path}.successPolicy`, errors);
  if (spec.podReplacementPolicy !== undefined) {
    const supported = spec.podFailurePolicy === undefined ? REPLACEMENT_POLICIES : ['Failed'];
    if (!supported.includes(spec.podReplacementPolicy))
      errors.push(fieldError.notSupported(`${path}.podReplacementPolicy`, spec.podReplacementPolicy, supported));
  }
  validatePodTemplateSpec(spec.template, `${path}.template`, errors);
  validateRestartPolicy(spec, `${path}.template.spec.restartPolicy`, errors);
}

function validateRestartPolicy(spec: JobSpec, path: string, errors: Errors): void {
  const policy = spec.template?.spec?.restartPolicy ?? '';
  if (policy === 'Always' || policy === '')
    errors.push(fieldError.required(path, 'valid values: "OnFailure", "Never"'));
  else if (policy !== 'OnFailure' && policy !== 'Never')
    errors.push(fieldError.notSupported(path, policy, ['OnFailure', 'Never']));
  else if (spec.podFailurePolicy !== undefined && policy !== 'Never')
    errors.push(fieldError.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified'));
}

const PATH_FMT = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";

/** Upstream: IsDomainPrefixedPath. */
function validateManagedBy(value: string, path: string, errors: Errors): void {
  const slash = value.indexOf('/');
  const host = value.slice(0, Math.max(0, slash));
  const rest = value.slice(slash + 1);
  if (value === '') errors.push(fieldError.required(path));
  else if (host === '' || rest === '')
    errors.push(fieldError.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")'));
  else {
    messages(isDns1123Subdomain(host), path, host, errors);
    if (!new RegExp(`^${PATH_FMT}$`).test(rest))
      errors.push(fieldError.invalid(path, rest, `Invalid path (regex used for validation is '${PATH_FMT}')`));
  }
  if (Buffer.byteLength(value) > MAX_MANAGED_BY_BYTES) errors.push(fieldError.tooLong(path, MAX_MANAGED_BY_BYTES));
}

function validateCompletionMode(spec: JobSpec, path: string, errors: Errors): void {
  const { completionMode: mode, completions, parallelism, maxFailedIndexes, backoffLimitPerIndex } = spec;
  if (mode !== undefined && mode !== 'NonIndexed' && mode !== 'Indexed')
    errors.push(fieldError.notSupported(`${path}.completionMode`, mode, ['NonIndexed', 'Indexed']));
  if (mode === undefined || mode === 'NonIndexed') {
    for (const field of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const) {
      if (spec[field] !== undefined) errors.push(fieldError.invalid(`${path}.${field}`, spec[field], REQUIRES_INDEXED));
    }
  }
  if (mode !== 'Indexed') return;
  const atMost = (field: 'parallelism' | 'maxFailedIndexes', max: number, when: string): void => {
    if (spec[field] !== undefined && spec[field] > max)
      errors.push(fieldError.invalid(`${path}.${field}`, spec[field], `must be less than or equal to ${max}${when}`));
  };
  if (completions === undefined)
    errors.push(fieldError.required(`${path}.completions`, 'when completion mode is Indexed'));
  atMost('parallelism', MAX_PARALLELISM_INDEXED, ' when completion mode is Indexed');
  if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions) {
    errors.push(
      fieldError.invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, 'must be less than or equal to completions'),
    );
  }
  atMost('maxFailedIndexes', MAX_FAILED_INDEXES, '');
  if (completions === undefined || completions <= MANY_COMPLETIONS || backoffLimitPerIndex === undefined) return;
  if (maxFailedIndexes === undefined)
    errors.push(
      fieldError.required(
        `${path}.maxFailedIndexes`,
        `must be specified when completions is above ${MANY_COMPLETIONS}`,
      ),
    );
  const many = ` when completions are above ${MANY_COMPLETIONS} and used with backoff limit per index`;
  if (parallelism !== undefined) atMost('parallelism', MAX_PARALLELISM_OF_MANY, many);
  atMost('maxFailedIndexes', MAX_FAILED_OF_MANY, many);
}

function validateFailureRule(spec: JobSpec, rule: PodFailurePolicyRule, path: string, errors: Errors): void {
  const action = `${path}.action`;
  if ((rule.action ?? '') === '') errors.push(fieldError.required(action, `valid values: ${quoted(ACTIONS)}`));
  else if (rule.action === 'FailIndex') {
    if (spec.backoffLimitPerIndex === undefined)
      errors.push(fieldError.invalid(action, rule.action, 'requires the backoffLimitPerIndex to be set'));
  } else if (!ACTIONS.includes(rule.action)) errors.push(fieldError.notSupported(action, rule.action, ACTIONS));

  const patterns = rule.onPodConditions ?? [];
  if (rule.onExitCodes !== undefined) validateExitCodes(spec, rule.onExitCodes, `${path}.onExitCodes`, errors);
  if (patterns.length > 0) validatePatterns(patterns, `${path}.onPodConditions`, errors);
  if (rule.onExitCodes !== undefined && patterns.length > 0)
    errors.push(fieldError.invalidWhole(path, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  if (rule.onExitCodes === undefined && patterns.length === 0)
    errors.push(fieldError.invalidWhole(path, 'specifying one of OnExitCodes and OnPodConditions is required'));
}

function validatePatterns(
  patterns: readonly PodFailurePolicyOnPodConditionsPattern[],
  path: string,
  errors: Errors,
): void {
  if (patterns.length > MAX_CONDITION_PATTERNS)
    errors.push(fieldError.tooMany(path, patterns.length, MAX_CONDITION_PATTERNS));
  for (const [i, { type, status = '' }] of patterns.entries()) {
    const where = at(path, i);
    messages(isQualifiedName(type ?? ''), `${where}.type`, type, errors);
    if (status === '') errors.push(fieldError.required(`${where}.status`, `valid values: ${quoted(STATUSES)}`));
    else if (!STATUSES.includes(status)) errors.push(fieldError.notSupported(`${where}.status`, status, STATUSES));
  }
}

function validateExitCodes(
  spec: JobSpec,
  requirement: PodFailurePolicyOnExitCodesRequirement,
  path: string,
  errors: Errors,
): void {
  const { operator = '', containerName } = requirement;
  const values = requirement.values ?? [];
  if (operator === '') errors.push(fieldError.required(`${path}.operator`, `valid values: ${quoted(OPERATORS)}`));
  else if (!OPERATORS.includes(operator)) errors.push(fieldError.notSupported(`${path}.operator`, operator, OPERATORS));
  const containers = [...(spec.template?.spec?.containers ?? []), ...(spec.template?.spec?.initContainers ?? [])];
  if (containerName !== undefined && !containers.some((c) => c.name === containerName)) {
    errors.push(
      fieldError.invalid(
        `${path}.containerName`,
        containerName,
        'must be one of the container or initContainer names in the pod template',
      ),
    );
  }
  const where = `${path}.values`;
  if (values.length === 0) errors.push(fieldError.invalid(where, values, 'at least one value is required'));
  else if (values.length > MAX_EXIT_CODES) errors.push(fieldError.tooMany(where, values.length, MAX_EXIT_CODES));
  for (const [i, value] of values.entries()) {
    if (operator === 'In' && value === 0)
      errors.push(fieldError.invalid(at(where, i), value, 'must not be 0 for the In operator'));
    if (values.indexOf(value) < i) errors.push(fieldError.duplicate(at(where, i), value));
  }
  if (values.some((value, i) => i > 0 && values[i - 1]! > value))
    errors.push(fieldError.invalid(where, values, 'must be ordered'));
}

function validateSuccessPolicy(spec: JobSpec, path: string, errors: Errors): void {
  if (!isIndexed(spec)) {
    errors.push(fieldError.invalid(path, spec.successPolicy, REQUIRES_INDEXED));
    return;
  }
  const rules = spec.successPolicy!.rules ?? [];
  const where = `${path}.rules`;
  if (rules.length === 0)
    errors.push(fieldError.required(where, 'at least one rules must be specified when the successPolicy is specified'));
  if (rules.length > MAX_SUCCESS_RULES) errors.push(fieldError.tooMany(where, rules.length, MAX_SUCCESS_RULES));
  for (const [i, rule] of rules.entries()) validateSuccessRule(rule, spec.completions ?? 0, at(where, i), errors);
}

function validateSuccessRule(rule: SuccessPolicyRule, completions: number, path: string, errors: Errors): void {
  const { succeededCount: count, succeededIndexes: indexes } = rule;
  if (count === undefined && indexes === undefined)
    errors.push(fieldError.required(path, 'at least one of succeededCount or succeededIndexes must be specified'));
  let total = 0;
  if (indexes !== undefined) {
    const where = `${path}.succeededIndexes`;
    if (Buffer.byteLength(indexes) > MAX_SUCCEEDED_INDEXES_BYTES)
      errors.push(fieldError.tooLong(where, MAX_SUCCEEDED_INDEXES_BYTES));
    const checked = checkIndexes(indexes, completions);
    total = checked.count;
    if (checked.error !== undefined)
      errors.push(fieldError.invalid(where, indexes, `error parsing succeededIndexes: ${checked.error}`));
  }
  if (count === undefined) return;
  const where = `${path}.succeededCount`;
  atLeast(count, 0, where, errors);
  const atMost = (max: number, what: string): void => {
    if (count > max) errors.push(fieldError.invalid(where, count, `must be less than or equal to ${max} (${what})`));
  };
  atMost(completions, 'the number of specified completions');
  if (indexes !== undefined) atMost(total, 'the number of indexes in the specified succeededIndexes field');
}
