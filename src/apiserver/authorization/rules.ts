// What one policy rule allows, and when a set of rules covers another. Pure.
import type { PolicyRule } from '#generated/api/rbac-v1.ts';
import type { AuthorizerAttributes } from '../pipeline.ts';

const ALL = '*';

export function ruleAllows(attributes: AuthorizerAttributes, rule: PolicyRule): boolean {
  if (!verbMatches(rule.verbs, attributes.verb)) return false;
  if (!attributes.isResourceRequest) return urlMatches(rule.nonResourceURLs ?? NONE, attributes.path);
  return (
    groupMatches(rule.apiGroups ?? NONE, attributes.apiGroup) &&
    resourceMatches(rule.resources ?? NONE, attributes.resource, attributes.subresource) &&
    nameMatches(rule.resourceNames ?? NONE, attributes.name)
  );
}

/** The parts of `wanted` that no rule of `owned` covers, one rule a verb, group, resource and name, as upstream breaks
 *  them down for its message. */
export function uncoveredRules(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return wanted.flatMap(breakDown).filter((part) => !owned.some((rule) => ruleCovers(rule, part)));
}

/** A rule of several verbs, groups, resources, names or URLs as rules of one each. */
function breakDown(rule: PolicyRule): PolicyRule[] {
  const parts: PolicyRule[] = [];
  for (const apiGroup of rule.apiGroups ?? NONE) {
    for (const resource of rule.resources ?? NONE) {
      for (const verb of rule.verbs) {
        const one = { verbs: [verb], apiGroups: [apiGroup], resources: [resource] };
        const names = rule.resourceNames ?? NONE;
        if (names.length === 0) parts.push(one);
        for (const name of names) parts.push({ ...one, resourceNames: [name] });
      }
    }
  }
  for (const url of rule.nonResourceURLs ?? NONE) {
    for (const verb of rule.verbs) parts.push({ verbs: [verb], nonResourceURLs: [url] });
  }
  return parts;
}

/** `part` has one of everything. */
function ruleCovers(owner: PolicyRule, part: PolicyRule): boolean {
  if (!verbMatches(owner.verbs, part.verbs[0]!)) return false;
  if (part.nonResourceURLs !== undefined) {
    const url = part.nonResourceURLs[0]!;
    return (owner.nonResourceURLs ?? NONE).some(
      (u) => u === url || u === ALL || (u.endsWith(ALL) && url.startsWith(u.slice(0, -1))),
    );
  }
  const [resource, subresource = ''] = splitResource(part.resources![0]!);
  const name = part.resourceNames?.[0];
  const owned = owner.resourceNames ?? NONE;
  return (
    groupMatches(owner.apiGroups ?? NONE, part.apiGroups![0]!) &&
    resourceMatches(owner.resources ?? NONE, resource, subresource) &&
    // A rule without names is for all names, and only such a rule covers one.
    (owned.length === 0 || (name !== undefined && owned.includes(name)))
  );
}

/** Go's %#v-like form of a rule, as upstream's escalation message lists it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`. */
export function formatRule(rule: PolicyRule): string {
  const list = (values: readonly string[]): string => `[${values.map((v) => JSON.stringify(v)).join(' ')}]`;
  const parts = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ] as const;
  return `{${parts.flatMap(([name, values]) => (values === undefined || values.length === 0 ? [] : [`${name}:${list(values)}`])).join(', ')}}`;
}

/** Joins rules that differ only in verbs, for messages and rule reviews. Order of first appearance. */
export function compactRules(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  const byRest = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs, ...rest } = rule;
    const key = JSON.stringify([rest.apiGroups, rest.resources, rest.resourceNames, rest.nonResourceURLs]);
    const known = byRest.get(key);
    byRest.set(key, known === undefined ? rule : { ...known, verbs: [...new Set([...known.verbs, ...verbs])] });
  }
  return [...byRest.values()];
}

const verbMatches = (verbs: readonly string[], verb: string): boolean => verbs.includes(verb) || verbs.includes(ALL);

const groupMatches = (groups: readonly string[], group: string): boolean =>
  groups.includes(group) || groups.includes(ALL);

function resourceMatches(resources: readonly string[], resource: string, subresource: string): boolean {
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  for (const r of resources) {
    if (r === ALL || r === combined) return true;
    // `*/scale` is that subresource of everything.
    if (subresource !== '' && r.length === subresource.length + 2 && r.startsWith('*/') && r.endsWith(subresource))
      return true;
  }
  return false;
}

const nameMatches = (names: readonly string[], name: string): boolean => names.length === 0 || names.includes(name);

function urlMatches(urls: readonly string[], path: string): boolean {
  return urls.some((u) => u === ALL || u === path || (u.endsWith(ALL) && path.startsWith(u.slice(0, -1))));
}

function splitResource(resource: string): [string, string?] {
  const slash = resource.indexOf('/');
  return slash < 0 ? [resource] : [resource.slice(0, slash), resource.slice(slash + 1)];
}

const NONE: readonly string[] = [];
