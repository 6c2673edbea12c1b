import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterroles } from '#generated/resources.ts';
import { clusterRoleAggregationController } from './clusterrole-aggregation.ts';
import { TestCluster } from './runtime/testing.ts';

const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });

describe('ClusterRole aggregation', () => {
  it('fills a role from those its selectors name, each rule once, and follows them', async () => {
    const cluster = new TestCluster();
    const part = (name: string, to: string, ...resources: string[]) =>
      cluster.put(clusterroles, {
        metadata: { name, labels: { 'example.com/to': to } },
        rules: resources.map(rule),
      });
    await part('a', 'all', 'pods', 'services');
    await part('b', 'all', 'services', 'secrets');
    await part('c', 'none', 'nodes');
    await cluster.put(clusterroles, {
      metadata: { name: 'all' },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { 'example.com/to': 'all' } }] },
      rules: [rule('foreign')],
    });
    await cluster.run(clusterRoleAggregationController);
    await cluster.settle();
    const resources = () => cluster.get(clusterroles, 'all')!.rules!.map((r) => r.resources![0]);
    assert.deepEqual(resources(), ['pods', 'services', 'secrets']);
    cluster.remove(clusterroles, 'b');
    await cluster.settle();
    assert.deepEqual(resources(), ['pods', 'services']);
    await part('d', 'all', 'endpoints');
    await cluster.settle();
    assert.deepEqual(resources(), ['pods', 'services', 'endpoints']);
    await cluster.stop();
  });
});
