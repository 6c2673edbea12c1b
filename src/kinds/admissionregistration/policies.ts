// Rules of admission policies and their bindings, without what their expressions say.
import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
  Variable,
} from '#generated/api/admissionregistration-v1.ts';
import { isDns1035Label, isDns1123Subdomain, isQualifiedName } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { type Errors, at, isUnset, messages } from '../rules.ts';
import { validateLabelSelector } from '../selectors.ts';
import { validateMatchConditions, validateMatchResources } from './match-rules.ts';

const FAILURE_POLICIES = ['Fail', 'Ignore'];
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];
const ACTIONS = ['Audit', 'Deny', 'Warn'];
const NOT_FOUND_ACTIONS = ['Deny', 'Allow'];
const PATCH_TYPES = ['ApplyConfiguration', 'JSONPatch'];
const REINVOCATIONS = ['IfNeeded', 'Never'];
const MUTABLE_OPERATIONS = ['*', 'CONNECT', 'CREATE', 'UPDATE'];
const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const NOTHING = 'validations or auditAnnotations must contain at least one item';

type Shared = Pick<
  NonNullable<ValidatingAdmissionPolicy['spec']>,
  'failurePolicy' | 'paramKind' | 'matchConstraints' | 'matchConditions' | 'variables'
>;

/** What both kinds of policies say first. */
function validateShared(spec: Shared, errors: Errors): void {
  if (spec.failurePolicy !== undefined && !FAILURE_POLICIES.includes(spec.failurePolicy))
    errors.push(fieldError.notSupported('spec.failurePolicy', spec.failurePolicy, FAILURE_POLICIES));
  if (spec.paramKind !== undefined) validateParamKind(spec.paramKind, 'spec.paramKind', errors);
  const match = spec.matchConstraints;
  if (match === undefined) errors.push(fieldError.required('spec.matchConstraints'));
  else {
    validateMatchResources(match, 'spec.matchConstraints', errors);
    if ((match.resourceRules ?? []).length === 0)
      errors.push(fieldError.required('spec.matchConstraints.resourceRules'));
  }
  validateMatchConditions(spec.matchConditions, 'spec.matchConditions', errors);
  for (const [index, variable] of (spec.variables ?? []).entries())
    validateVariable(variable, at('spec.variables', index), errors);
}

function validateVariable(variable: Variable, path: string, errors: Errors): void {
  const name = variable.name ?? '';
  if (name === '') errors.push(fieldError.required(`${path}.name`, 'name is not specified'));
  else if (!IDENTIFIER.test(name))
    errors.push(fieldError.invalid(`${path}.name`, name, 'must be a valid CEL identifier'));
  expression(variable.expression, `${path}.expression`, errors);
}

function expression(text: string | undefined, path: string, errors: Errors): void {
  if ((text ?? '').trim() === '') errors.push(fieldError.required(path, 'expression is not specified'));
}

function validateParamKind(kind: ParamKind, path: string, errors: Errors): void {
  const version = kind.apiVersion ?? '';
  if (version === '') errors.push(fieldError.required(`${path}.apiVersion`));
  else if (version.split('/').length > 2)
    errors.push(fieldError.invalid(`${path}.apiVersion`, version, `unexpected GroupVersion string: ${version}`));
  const name = kind.kind ?? '';
  if (name === '') errors.push(fieldError.required(`${path}.kind`));
  else
    for (const message of isDns1035Label(name.toLowerCase()))
      errors.push(
        fieldError.invalid(`${path}.kind`, name, `may have mixed case, but should otherwise match: ${message}`),
      );
}

export function validateValidatingPolicy(policy: ValidatingAdmissionPolicy): readonly FieldError[] {
  const errors: Errors = [];
  const spec = policy.spec ?? {};
  validateShared(spec, errors);
  const [validations, annotations] = [spec.validations ?? [], spec.auditAnnotations ?? []];
  if (validations.length === 0 && annotations.length === 0)
    errors.push(
      fieldError.required('spec.validations', NOTHING),
      fieldError.required('spec.auditAnnotations', NOTHING),
    );
  for (const [index, validation] of validations.entries())
    validateValidation(validation, at('spec.validations', index), errors);
  const keys = new Set<string>();
  for (const [index, annotation] of annotations.entries()) {
    const where = at('spec.auditAnnotations', index);
    const key = annotation.key ?? '';
    const full = `${policy.metadata.name ?? ''}/${key}`;
    messages(isQualifiedName(full), `${where}.key`, full, errors);
    if ((annotation.valueExpression ?? '').trim() === '')
      errors.push(fieldError.required(`${where}.valueExpression`, 'valueExpression is not specified'));
    if (keys.has(key)) errors.push(fieldError.duplicate(`${where}.key`, key));
    keys.add(key);
  }
  return errors;
}

function validateValidation(validation: Validation, path: string, errors: Errors): void {
  expression(validation.expression, `${path}.expression`, errors);
  const message = validation.message ?? '';
  const invalid = (why: string): void => void errors.push(fieldError.invalid(`${path}.message`, message, why));
  if (message !== '' && message.trim() === '') invalid('must be non-empty if specified');
  else if (message.includes('\n')) invalid('must not contain line breaks');
  if (validation.reason !== undefined && !REASONS.includes(validation.reason))
    errors.push(fieldError.notSupported(`${path}.reason`, validation.reason, REASONS));
}

export function validateMutatingPolicy(policy: MutatingAdmissionPolicy): readonly FieldError[] {
  const errors: Errors = [];
  const spec = policy.spec ?? {};
  validateShared(spec, errors);
  validateMutableOperations(spec.matchConstraints, 'spec.matchConstraints', errors);
  if ((spec.mutations ?? []).length === 0)
    errors.push(fieldError.required('spec.mutations', 'mutations must contain at least one item'));
  for (const [index, mutation] of (spec.mutations ?? []).entries()) {
    const where = at('spec.mutations', index);
    const type = mutation.patchType ?? '';
    const [own, other] =
      type === 'JSONPatch'
        ? (['jsonPatch', 'applyConfiguration'] as const)
        : (['applyConfiguration', 'jsonPatch'] as const);
    if (type === '') errors.push(fieldError.required(`${where}.patchType`));
    else if (!PATCH_TYPES.includes(type)) errors.push(fieldError.notSupported(`${where}.patchType`, type, PATCH_TYPES));
    else {
      if (mutation[own] === undefined)
        errors.push(fieldError.required(`${where}.${own}`, `must be specified when patchType is ${type}`));
      else if (isUnset(mutation[own].expression)) errors.push(fieldError.required(`${where}.${own}.expression`));
      if (mutation[other] !== undefined)
        errors.push(
          fieldError.invalid(`${where}.${other}`, `{${other}}`, `must not be specified when patchType is ${type}`),
        );
    }
  }
  const reinvocation = spec.reinvocationPolicy ?? '';
  if (reinvocation === '') errors.push(fieldError.required('spec.reinvocationPolicy'));
  else if (!REINVOCATIONS.includes(reinvocation))
    errors.push(fieldError.notSupported('spec.reinvocationPolicy', reinvocation, REINVOCATIONS));
  return errors;
}

function validateBinding(spec: NonNullable<MutatingAdmissionPolicyBinding['spec']>, errors: Errors): void {
  if (isUnset(spec.policyName)) errors.push(fieldError.required('spec.policyName'));
  else messages(isDns1123Subdomain(spec.policyName!), 'spec.policyName', spec.policyName, errors);
  if (spec.paramRef !== undefined) validateParamRef(spec.paramRef, 'spec.paramRef', errors);
  if (spec.matchResources !== undefined) validateMatchResources(spec.matchResources, 'spec.matchResources', errors);
}

function validateParamRef(ref: ParamRef, path: string, errors: Errors): void {
  const named = !isUnset(ref.name);
  if (named && ref.selector !== undefined)
    errors.push(
      fieldError.forbidden(`${path}.name`, 'name and selector are mutually exclusive'),
      fieldError.forbidden(`${path}.selector`, 'name and selector are mutually exclusive'),
    );
  if (ref.selector !== undefined) validateLabelSelector(ref.selector, `${path}.selector`, errors);
  if (!named && ref.selector === undefined)
    errors.push(fieldError.required(path, 'one of name or selector must be specified'));
  const action = ref.parameterNotFoundAction;
  if (isUnset(action)) errors.push(fieldError.required(`${path}.parameterNotFoundAction`));
  else if (!NOT_FOUND_ACTIONS.includes(action!))
    errors.push(fieldError.notSupported(`${path}.parameterNotFoundAction`, action, NOT_FOUND_ACTIONS));
}

export function validateValidatingBinding(binding: ValidatingAdmissionPolicyBinding): readonly FieldError[] {
  const errors: Errors = [];
  validateBinding((binding.spec ?? {}) as NonNullable<MutatingAdmissionPolicyBinding['spec']>, errors);
  const actions = binding.spec?.validationActions ?? [];
  const path = 'spec.validationActions';
  if (actions.length === 0) errors.push(fieldError.required(path, 'at least one validation action is required'));
  for (const [index, action] of actions.entries()) {
    if (!ACTIONS.includes(action)) errors.push(fieldError.notSupported(at(path, index), action, ACTIONS));
    if (actions.indexOf(action) < index) errors.push(fieldError.duplicate(at(path, index), action));
  }
  if (actions.includes('Deny') && actions.includes('Warn'))
    errors.push(
      fieldError.invalid(
        path,
        actions,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ),
    );
  return errors;
}

export function validateMutatingBinding(binding: MutatingAdmissionPolicyBinding): readonly FieldError[] {
  const errors: Errors = [];
  validateBinding((binding.spec ?? {}) as NonNullable<MutatingAdmissionPolicyBinding['spec']>, errors);
  validateMutableOperations(binding.spec?.matchResources, 'spec.matchResources', errors);
  return errors;
}

/** Nothing can be changed in what is deleted. The path is upstream's. */
function validateMutableOperations(match: MatchResources | undefined, path: string, errors: Errors): void {
  for (const operation of (match?.resourceRules ?? []).flatMap((r) => r.operations ?? []))
    if (!MUTABLE_OPERATIONS.includes(operation))
      errors.push(fieldError.notSupported(`${path}.resourceRules.operations`, operation, MUTABLE_OPERATIONS));
}
