import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { clusterroles, namespaces, rolebindings } from '#generated/resources.ts';
import type { ClusterRole, ClusterRoleBinding } from '#generated/api/rbac-v1.ts';
import { BOOTSTRAP_CLUSTER_ROLE_BINDINGS } from './bindings.ts';
import { BOOTSTRAP_CLUSTER_ROLES } from './cluster-roles.ts';
import { BOOTSTRAP_CONTROLLER_ROLES } from './controller-roles.ts';
import { clusterRoleBindingObject, clusterRoleObject, group, rule } from './notation.ts';
import { reconcileBinding, reconcileBootstrapRoles, reconcileRole } from './reconcile.ts';

const role = clusterRoleObject({ name: 'r', rules: [rule('get', 'core', 'pods'), rule('list', 'core', 'pods')] });
const binding = clusterRoleBindingObject({ name: 'b', role: 'r', subjects: [group('a'), group('b')] });
const withAnnotation = <T extends ClusterRole | ClusterRoleBinding>(object: T, value: string): T => ({
  ...object,
  metadata: { ...object.metadata, annotations: { 'rbac.authorization.kubernetes.io/autoupdate': value } },
});

describe('reconcileRole', () => {
  it('makes what is missing', () => {
    assert.deepEqual(reconcileRole(role, undefined), { action: 'create', object: role });
  });
  it('leaves alone what is whole, additions included', () => {
    assert.deepEqual(reconcileRole(role, { ...role, rules: [rule('*', 'core', 'pods'), rule('get', 'apps', '*')] }), {
      action: 'none',
    });
  });
  it('adds missing rules and keeps the others', () => {
    const change = reconcileRole(role, { ...role, rules: [rule('get', 'apps', '*'), rule('get', 'core', 'pods')] });
    assert.deepEqual(change, {
      action: 'update',
      object: { ...role, rules: [rule('get', 'apps', '*'), rule('get', 'core', 'pods'), rule('list', 'core', 'pods')] },
    });
  });
  it('leaves alone what an administrator has protected', () => {
    assert.deepEqual(reconcileRole(role, withAnnotation({ ...role, rules: [] }, 'false')), { action: 'none' });
  });
  it('adds missing labels and never overwrites one', () => {
    const change = reconcileRole(role, { ...role, metadata: { ...role.metadata, labels: { own: 'x' } } });
    assert.deepEqual(change.action === 'update' && change.object.metadata.labels, {
      'kubernetes.io/bootstrapping': 'rbac-defaults',
      own: 'x',
    });
  });
  it('does not touch the rules of an aggregated role', () => {
    const view = clusterRoleObject(BOOTSTRAP_CLUSTER_ROLES.find((r) => r.name === 'view')!);
    assert.deepEqual(reconcileRole(view, { ...view, rules: [rule('get', 'core', 'pods')] }), { action: 'none' });
    const lost = reconcileRole(view, { ...view, aggregationRule: undefined, rules: [rule('get', 'core', 'pods')] });
    assert.deepEqual(lost.action === 'update' && [lost.object.aggregationRule, lost.object.rules], [
      view.aggregationRule,
      [rule('get', 'core', 'pods')],
    ]);
  });
});

describe('reconcileBinding', () => {
  it('adds missing subjects and keeps the others', () => {
    const change = reconcileBinding(binding, { ...binding, subjects: [group('z'), group('b')] });
    assert.deepEqual(change.action === 'update' && change.object.subjects, [group('z'), group('b'), group('a')]);
  });
  it('is made anew when it names another role', () => {
    const change = reconcileBinding(binding, { ...binding, roleRef: { ...binding.roleRef, name: 'other' } });
    assert.deepEqual(change, { action: 'replace', object: binding });
  });
  it('leaves alone what is whole or protected', () => {
    assert.deepEqual(reconcileBinding(binding, { ...binding, subjects: [group('b'), group('a'), group('c')] }), {
      action: 'none',
    });
    assert.deepEqual(reconcileBinding(binding, withAnnotation({ ...binding, subjects: [] }, 'false')), {
      action: 'none',
    });
  });
});

describe('bootstrap policy', () => {
  it('binds only roles that are there', () => {
    const names = new Set([...BOOTSTRAP_CLUSTER_ROLES, ...BOOTSTRAP_CONTROLLER_ROLES].map((r) => r.name));
    for (const { role: name } of BOOTSTRAP_CLUSTER_ROLE_BINDINGS) assert.ok(names.has(name), name);
    assert.equal(names.size, BOOTSTRAP_CLUSTER_ROLES.length + BOOTSTRAP_CONTROLLER_ROLES.length);
  });
  it('lets nobody unauthenticated see more than health and version', () => {
    const open = BOOTSTRAP_CLUSTER_ROLE_BINDINGS.filter((b) =>
      b.subjects.some((s) => s.name === 'system:unauthenticated'),
    );
    assert.deepEqual(
      open.map((b) => b.role),
      ['system:public-info-viewer'],
    );
  });
  it('has a role to collect for each role that is collected', () => {
    for (const { aggregates } of BOOTSTRAP_CLUSTER_ROLES.filter((r) => r.aggregates !== undefined)) {
      assert.ok(
        BOOTSTRAP_CLUSTER_ROLES.some((r) => r.aggregatesTo === aggregates),
        String(aggregates),
      );
    }
  });
});

describe('reconcileBootstrapRoles', () => {
  const setUp = () => {
    const api = new TestApi();
    const transport = createInProcessTransport(api.exchange, { name: 'system:apiserver', groups: ['system:masters'] });
    return {
      api,
      deps: { client: createClient({ transport, clock: new SteppedClock(), userAgent: 'test' }), log: silentLog },
    };
  };

  it('makes everything in an empty cluster, and nothing the second time', async () => {
    const { api, deps } = setUp();
    const first = await reconcileBootstrapRoles(deps);
    assert.equal(api.all(clusterroles).length, BOOTSTRAP_CLUSTER_ROLES.length + BOOTSTRAP_CONTROLLER_ROLES.length);
    assert.ok(api.find(rolebindings, 'kube-public/system:controller:bootstrap-signer'));
    assert.deepEqual(
      api
        .all(namespaces)
        .map((n) => n.metadata.name)
        .toSorted(),
      ['kube-public', 'kube-system'],
    );
    assert.deepEqual(first, {
      created: api.all(clusterroles).length + BOOTSTRAP_CLUSTER_ROLE_BINDINGS.length + 14,
      updated: 0,
    });
    assert.deepEqual(await reconcileBootstrapRoles(deps), { created: 0, updated: 0 });
  });

  it('puts back what was taken away', async () => {
    const { api, deps } = setUp();
    await reconcileBootstrapRoles(deps);
    const node = api.find(clusterroles, 'system:node')!;
    api.put(clusterroles, { ...node, rules: node.rules!.slice(1) });
    assert.deepEqual(await reconcileBootstrapRoles(deps), { created: 0, updated: 1 });
    assert.ok(api.find(clusterroles, 'system:node')!.rules!.length >= node.rules!.length);
  });

  it('goes on when another server is faster', async () => {
    const { api, deps } = setUp();
    let once = true;
    api.intercept = (request) => {
      if (once && request.method === 'POST' && request.path.endsWith('/clusterroles')) {
        once = false;
        api.put(clusterroles, JSON.parse(Buffer.from(request.body!).toString()) as ClusterRole);
      }
      return undefined;
    };
    await reconcileBootstrapRoles(deps);
    assert.equal(api.all(clusterroles).length, BOOTSTRAP_CLUSTER_ROLES.length + BOOTSTRAP_CONTROLLER_ROLES.length);
    assert.equal(once, false);
  });
});
