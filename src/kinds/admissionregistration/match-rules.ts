// Rules about which requests webhooks and admission policies are asked for.
import type {
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
  RuleWithOperations,
} from '#generated/api/admissionregistration-v1.ts';
import { isPathSegment, isQualifiedName } from '#machinery/names.ts';
import { fieldError } from '#machinery/status.ts';
import { type Errors, at, messages } from '../rules.ts';
import { validateLabelSelector } from '../selectors.ts';

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const SCOPES = ['*', 'Cluster', 'Namespaced'];
const MATCH_POLICIES = ['Equivalent', 'Exact'];
const CONDITIONS_MAX = 64;

/** A list that must have something, and of a star only the star. */
function starredList(list: readonly string[] | undefined, path: string, others: string, errors: Errors): void {
  if ((list ?? []).length === 0) errors.push(fieldError.required(path));
  else if (list!.length > 1 && list!.includes('*'))
    errors.push(fieldError.invalid(path, list, `if '*' is present, must not specify other ${others}`));
}

export function validateRule(rule: RuleWithOperations, path: string, errors: Errors): void {
  starredList(rule.operations, `${path}.operations`, 'operations', errors);
  for (const [index, operation] of (rule.operations ?? []).entries())
    if (!OPERATIONS.includes(operation))
      errors.push(fieldError.notSupported(at(`${path}.operations`, index), operation, OPERATIONS));
  starredList(rule.apiGroups, `${path}.apiGroups`, 'API groups', errors);
  starredList(rule.apiVersions, `${path}.apiVersions`, 'API versions', errors);
  for (const [index, version] of (rule.apiVersions ?? []).entries())
    if (version === '') errors.push(fieldError.required(at(`${path}.apiVersions`, index)));
  validateResources(rule.resources ?? [], `${path}.resources`, errors);
  if (rule.scope !== undefined && !SCOPES.includes(rule.scope))
    errors.push(fieldError.notSupported(`${path}.scope`, rule.scope, SCOPES));
}

function validateResources(resources: readonly string[], path: string, errors: Errors): void {
  if (resources.length === 0) errors.push(fieldError.required(path));
  const wholeResources = new Set<string>();
  const wholeSubresources = new Set<string>();
  for (const [index, text] of resources.entries()) {
    const where = at(path, index);
    if (text === '') errors.push(fieldError.required(where));
    const slash = text.indexOf('/');
    if (slash < 0) continue;
    const [resource, subresource] = [text.slice(0, slash), text.slice(slash + 1)];
    if (wholeResources.has(resource))
      errors.push(fieldError.invalid(where, text, `if '${resource}/*' is present, must not specify ${text}`));
    if (wholeSubresources.has(subresource))
      errors.push(fieldError.invalid(where, text, `if '*/${subresource}' is present, must not specify ${text}`));
    if (subresource === '*') wholeResources.add(resource);
    if (resource === '*') wholeSubresources.add(subresource);
  }
  if (resources.length > 1 && resources.includes('*/*'))
    errors.push(fieldError.invalid(path, resources, "if '*/*' is present, must not specify other resources"));
  const plain = resources.filter((r) => r !== '' && !r.includes('/'));
  if (plain.includes('*') && plain.at(-1) !== '*')
    errors.push(
      fieldError.invalid(path, resources, "if '*' is present, must not specify other resources without subresources"),
    );
}

/** Without what the expressions say. */
export function validateMatchConditions(
  conditions: readonly MatchCondition[] | undefined,
  path: string,
  errors: Errors,
): void {
  const list = conditions ?? [];
  if (list.length > CONDITIONS_MAX) errors.push(fieldError.tooMany(path, list.length, CONDITIONS_MAX));
  const names = new Set<string>();
  for (const [index, condition] of list.entries()) {
    const where = at(path, index);
    if ((condition.expression ?? '').trim() === '') errors.push(fieldError.required(`${where}.expression`));
    const name = condition.name ?? '';
    if (name === '') errors.push(fieldError.required(`${where}.name`));
    else {
      messages(isQualifiedName(name), `${where}.name`, name, errors);
      if (names.has(name)) errors.push(fieldError.duplicate(`${where}.name`, name));
      names.add(name);
    }
  }
}

export function validateMatchPolicy(policy: string | undefined, path: string, errors: Errors): void {
  if (policy !== undefined && !MATCH_POLICIES.includes(policy))
    errors.push(fieldError.notSupported(path, policy, MATCH_POLICIES));
}

export function validateMatchResources(match: MatchResources, path: string, errors: Errors): void {
  if (match.namespaceSelector === undefined) errors.push(fieldError.required(`${path}.namespaceSelector`));
  else validateLabelSelector(match.namespaceSelector, `${path}.namespaceSelector`, errors);
  if (match.objectSelector === undefined) errors.push(fieldError.required(`${path}.objectSelector`));
  else validateLabelSelector(match.objectSelector, `${path}.objectSelector`, errors);
  validateNamedRules(match.resourceRules, `${path}.resourceRules`, errors);
  validateNamedRules(match.excludeResourceRules, `${path}.excludeResourceRules`, errors);
  validateMatchPolicy(match.matchPolicy, `${path}.matchPolicy`, errors);
}

function validateNamedRules(rules: readonly NamedRuleWithOperations[] | undefined, path: string, errors: Errors): void {
  for (const [index, rule] of (rules ?? []).entries()) {
    const where = at(path, index);
    validateRule(rule, where, errors);
    const names = new Set<string>();
    for (const [i, name] of (rule.resourceNames ?? []).entries()) {
      const field = at(`${where}.resourceNames`, i);
      for (const message of isPathSegment(name)) errors.push(fieldError.invalid(field, name, message));
      if (names.has(name)) errors.push(fieldError.duplicate(field, name));
      names.add(name);
    }
  }
}
