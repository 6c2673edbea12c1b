// Fills ClusterRoles with an aggregationRule from the roles it selects. Upstream: pkg/controller/clusterroleaggregation.
import type { ClusterRole, PolicyRule } from '#generated/api/rbac-v1.ts';
import { clusterroles } from '#generated/resources.ts';
import { type ControllerDefinition, done, watch } from './runtime/controller.ts';
import { sameValue } from './runtime/equality.ts';
import { matchesLabelSelector } from './runtime/selection.ts';

export const clusterRoleAggregationController: ControllerDefinition = {
  name: 'clusterrole-aggregation-controller',
  identity: 'clusterrole-aggregation-controller',
  build: ({ client, informers }) => {
    const roles = informers.informer(clusterroles);
    return {
      // Any role may be part of any aggregated one.
      watches: [
        watch(roles, () => roles.list().flatMap((r) => (r.aggregationRule === undefined ? [] : [r.metadata.name!]))),
      ],
      reconcile: async (name) => {
        const role = roles.get(name);
        if (role?.aggregationRule === undefined) return done;
        const rules = aggregatedRules(role, roles.list());
        if (!sameValue(rules, role.rules ?? [])) await client.resource(clusterroles).update({ ...role, rules });
        return done;
      },
    };
  },
};

/** Rules of the selected roles by name, each rule once. */
export function aggregatedRules(role: ClusterRole, roles: readonly ClusterRole[]): readonly PolicyRule[] {
  const rules: PolicyRule[] = [];
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const selected = roles.filter(
      (r) => r.metadata.name !== role.metadata.name && matchesLabelSelector(selector, r.metadata.labels),
    );
    for (const other of selected.sort((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1))) {
      for (const rule of other.rules ?? []) if (!rules.some((r) => sameValue(r, rule))) rules.push(rule);
    }
  }
  return rules;
}
