// Nobody may grant through RBAC what he does not hold himself, unless allowed to `escalate` the role or to `bind` it.
// Upstream does this in the storage of the RBAC kinds; here it is the last validating step, an admission plugin.
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
} from '#generated/api/rbac-v1.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import { PRIVILEGED_GROUP } from '../authentication/users.ts';
import type { AdmissionAttributes, AdmissionPlugin, Authorizer } from '../pipeline.ts';
import type { RbacAuthorizer } from './rbac.ts';
import { compactRules, formatRule, uncoveredRules } from './rules.ts';

const GROUP = 'rbac.authorization.k8s.io';

export interface EscalationDeps {
  readonly rbac: RbacAuthorizer;
  /** The whole authorizer: `escalate` and `bind` may be allowed by any of its members. */
  readonly authorizer: Authorizer;
}

export class EscalationCheck implements AdmissionPlugin {
  readonly name = 'RBACEscalation';
  readonly #deps: EscalationDeps;

  constructor(deps: EscalationDeps) {
    this.#deps = deps;
  }

  handles(operation: string, group: string, resource: string, subresource: string): boolean {
    return (
      group === GROUP &&
      subresource === '' &&
      (operation === 'CREATE' || operation === 'UPDATE') &&
      RESOURCES.has(resource)
    );
  }

  async validate(a: AdmissionAttributes): Promise<void> {
    if (a.user.groups.includes(PRIVILEGED_GROUP)) return;
    if (a.resource === 'roles' || a.resource === 'clusterroles') return this.#role(a);
    return this.#binding(a);
  }

  async #role(a: AdmissionAttributes): Promise<void> {
    const role = a.object as Role & ClusterRole;
    const old = a.oldObject as (Role & ClusterRole) | undefined;
    if (old !== undefined && sameJson([role.rules, role.aggregationRule], [old.rules, old.aggregationRule])) return;
    if (await this.#mayAct('escalate', a, a.resource, a.name || (role.metadata.name ?? ''))) return;
    // An aggregated role grows without its editor: only who holds everything may make one.
    const aggregated = [role, old].some((r) => (r?.aggregationRule?.clusterRoleSelectors ?? []).length > 0);
    if (aggregated && this.#missing(a.user, a.namespace, EVERYTHING).length > 0) {
      throw StatusError.forbidden(
        { group: GROUP, resource: a.resource },
        role.metadata.name ?? '',
        'must have cluster-admin privileges to use the aggregationRule',
      );
    }
    this.#confirm(a, role.metadata.name ?? '', role.rules ?? []);
  }

  async #binding(a: AdmissionAttributes): Promise<void> {
    const binding = a.object as RoleBinding & ClusterRoleBinding;
    const old = a.oldObject as (RoleBinding & ClusterRoleBinding) | undefined;
    if (old !== undefined && sameJson([binding.subjects, binding.roleRef], [old.subjects, old.roleRef])) return;
    const ref = binding.roleRef;
    if (await this.#mayAct('bind', a, resourceOf(ref), ref.name)) return;
    const rules = this.#deps.rbac.rulesOfRole(ref, a.namespace);
    if (rules === undefined) throw StatusError.notFound({ group: GROUP, resource: resourceOf(ref) }, ref.name);
    this.#confirm(a, binding.metadata.name ?? '', rules);
  }

  async #mayAct(verb: 'escalate' | 'bind', a: AdmissionAttributes, resource: string, name: string): Promise<boolean> {
    const { decision } = await this.#deps.authorizer.authorize({
      user: a.user,
      verb,
      isResourceRequest: true,
      namespace: a.namespace,
      apiGroup: GROUP,
      apiVersion: '*',
      resource,
      subresource: '',
      name,
      path: '',
    });
    return decision === 'allow';
  }

  #missing(user: UserInfo, namespace: string, rules: readonly PolicyRule[]): readonly PolicyRule[] {
    return uncoveredRules(this.#deps.rbac.resolve(user, namespace).rules, rules);
  }

  #confirm(a: AdmissionAttributes, name: string, rules: readonly PolicyRule[]): void {
    const missing = this.#missing(a.user, a.namespace, rules);
    if (missing.length === 0) return;
    const { errors } = this.#deps.rbac.resolve(a.user, a.namespace);
    const groups = a.user.groups.map((g) => JSON.stringify(g)).join(' ');
    const list = compactRules(missing).map(formatRule).toSorted().join('\n');
    const resolution = errors.length === 0 ? '' : `; resolution errors: [${errors.join(', ')}]`;
    throw StatusError.forbidden(
      { group: GROUP, resource: a.resource },
      name,
      `user ${JSON.stringify(a.user.name)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${list}${resolution}`,
    );
  }
}

const RESOURCES: ReadonlySet<string> = new Set(['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings']);

const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

const resourceOf = (ref: RoleRef): string => (ref.kind === 'ClusterRole' ? 'clusterroles' : 'roles');

/** Objects are in normal form: equal JSON means equal. */
const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
