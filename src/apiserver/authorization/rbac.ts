// The RBAC authorizer: a request is allowed when a role bound to the user, in the cluster or in the request's namespace,
// has a rule for it. Nothing is denied here; what nobody allows is refused by the pipeline.
import type { ClusterRole, PolicyRule, Role, RoleRef, Subject } from '#generated/api/rbac-v1.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import type { Authorizer, AuthorizerAttributes, Decision, RuleResolver } from '../pipeline.ts';
import { parseServiceAccountUsername } from '../authentication/users.ts';
import { subjectKeys, type RbacSource } from './rbac-source.ts';
import { ruleAllows } from './rules.ts';

export interface ResolvedRules {
  readonly rules: readonly PolicyRule[];
  /** Bindings that name a role which does not exist. */
  readonly errors: readonly string[];
}

export class RbacAuthorizer implements Authorizer, RuleResolver {
  readonly #source: RbacSource;

  constructor(source: RbacSource) {
    this.#source = source;
  }

  authorize(attributes: AuthorizerAttributes): Decision {
    const errors: string[] = [];
    for (const grant of this.#grants(attributes.user, attributes.namespace)) {
      const role = this.#role(grant);
      if (role === undefined) {
        errors.push(missing(grant));
        continue;
      }
      for (const rule of role.rules ?? []) {
        if (ruleAllows(attributes, rule)) return { decision: 'allow', reason: reasonOf(grant) };
      }
    }
    return { decision: 'no-opinion', reason: errors.length === 0 ? '' : `RBAC: ${joined(errors)}` };
  }

  /** Every rule the user holds in `namespace` ('' for cluster-wide ones alone). */
  resolve(user: UserInfo, namespace: string): ResolvedRules {
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    for (const grant of this.#grants(user, namespace)) {
      const role = this.#role(grant);
      if (role === undefined) errors.push(missing(grant));
      else rules.push(...(role.rules ?? []));
    }
    return { rules, errors };
  }

  /** The rules behind a role reference; undefined when there is no such role. */
  rulesOfRole(ref: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    const role = this.#role({ ref, namespace });
    return role === undefined ? undefined : (role.rules ?? []);
  }

  rulesFor(user: UserInfo, namespace: string): ReturnType<RuleResolver['rulesFor']> {
    const { rules, errors } = this.resolve(user, namespace);
    return {
      resourceRules: rules
        .filter((r) => (r.resources ?? []).length > 0)
        .map(({ verbs, apiGroups = [], resources = [], resourceNames = [] }) => ({
          verbs,
          apiGroups,
          resources,
          ...(resourceNames.length === 0 ? {} : { resourceNames }),
        })),
      nonResourceRules: rules
        .filter((r) => (r.nonResourceURLs ?? []).length > 0)
        .map(({ verbs, nonResourceURLs = [] }) => ({ verbs, nonResourceURLs })),
      incomplete: false,
      ...(errors.length === 0 ? {} : { evaluationError: joined(errors) }),
    };
  }

  /** Cluster-wide bindings first, as upstream. */
  *#grants(user: UserInfo, namespace: string): Generator<Grant> {
    const keys = subjectKeys(user);
    for (const key of keys) {
      for (const binding of this.#source.clusterRoleBindings(key)) {
        yield {
          ref: binding.roleRef,
          namespace: '',
          binding: binding.metadata.name!,
          subject: key,
          subjects: binding.subjects,
        };
      }
    }
    if (namespace === '') return;
    for (const key of keys) {
      for (const binding of this.#source.roleBindings(namespace, key)) {
        yield {
          ref: binding.roleRef,
          namespace,
          binding: binding.metadata.name!,
          subject: key,
          subjects: binding.subjects,
        };
      }
    }
  }

  #role({ ref, namespace }: { readonly ref: RoleRef; readonly namespace: string }): ClusterRole | Role | undefined {
    if (ref.kind === 'ClusterRole') return this.#source.clusterRole(ref.name);
    return namespace === '' ? undefined : this.#source.role(namespace, ref.name);
  }
}

interface Grant {
  readonly ref: RoleRef;
  /** '' for a cluster-wide grant. */
  readonly namespace: string;
  readonly binding: string;
  /** The key that led here. */
  readonly subject: string;
  readonly subjects: readonly Subject[] | undefined;
}

/** `RBAC: allowed by ClusterRoleBinding "a" of ClusterRole "b" to Group "c"`: stands in the audit log and in reviews. */
function reasonOf(grant: Grant): string {
  const binding =
    grant.namespace === ''
      ? `ClusterRoleBinding "${grant.binding}"`
      : `RoleBinding "${grant.binding}/${grant.namespace}"`;
  return `RBAC: allowed by ${binding} of ${grant.ref.kind} "${grant.ref.name}" to ${describeSubject(grant)}`;
}

function describeSubject({ subject, subjects }: Grant): string {
  const name = subject.slice(2);
  if (subject.startsWith('g:')) return `Group "${name}"`;
  const account = parseServiceAccountUsername(name);
  const asAccount =
    account !== undefined && subjects?.some((s) => s.kind === 'ServiceAccount' && s.name === account.name);
  return asAccount ? `ServiceAccount "${account!.name}/${account!.namespace}"` : `User "${name}"`;
}

function missing({ ref }: Grant): string {
  const resource = ref.kind === 'ClusterRole' ? 'clusterrole' : 'role';
  return `${resource}.rbac.authorization.k8s.io "${ref.name}" not found`;
}

const joined = (errors: readonly string[]): string => {
  const unique = [...new Set(errors)];
  return unique.length === 1 ? unique[0]! : `[${unique.join(', ')}]`;
};
